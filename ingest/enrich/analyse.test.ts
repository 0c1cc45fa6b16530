import { beforeAll, describe, expect, it } from "vitest";
import { analyseMessages, loadReader, type ReadMessage } from "./analyse.ts";

let read: ReadMessage;
beforeAll(async () => {
	read = await loadReader();
});

describe("a message", () => {
	it.each([
		["en", "How do I reset my password?"],
		["es", "¿Cómo puedo cambiar mi contraseña?"],
		["de", "Danke, das hat sehr gut geklappt"],
		["fr", "Je ne comprends pas cette réponse"],
		["ja", "ありがとうございます"],
		["zh", "这个答案不对"],
		["ru", "Это не работает"],
		["pt", "Não está funcionando, por favor me ajude"],
		["ar", "شكرا جزيلا"],
		["en", `See https://exemple.fr/une/adresse/tres/longue, ${"it does not work at all. ".repeat(400)}`],
	])("is found to be %s: %.40s", (language, text) => {
		expect(read(text).language).toBe(language);
	});

	it.each(["ok", "hello", "12345", "🙂🙂", "", " ", "asdf qwer zxcv", "fix bug 123", "\u0000\ud800"])(
		"that is too short to tell has no language and no sentiment: %j",
		(text) => {
			expect(read(text)).toEqual({});
		},
	);

	// Of the first ones the scores are those that the authors of VADER publish.
	it.each([
		["positive", 0.8316, "VADER is smart, handsome, and funny."],
		["positive", 0.9227, "VADER is VERY SMART, handsome, and FUNNY."],
		["negative", -0.7424, "VADER is not smart, handsome, nor funny."],
		["negative", -0.7042, "The plot was good, but the characters are uncompelling and the dialog is not great."],
		["negative", -0.3412, "Not good, it is the answer from before."],
		["negative", -0.4767, "This is terrible, it does not work at all."],
		["neutral", 0, "How do I change the name of the report?"],
	] as const)("is %s (%d): %s", (sentiment, compound, text) => {
		expect(read(text)).toMatchObject({ language: "en", sentiment, sentiment_compound: compound });
	});

	it("in another language is not scored by English words, whether that was found or known", () => {
		expect(read("Die Antwort ist falsch, das Ergebnis war die reine Katastrophe")).toEqual({ language: "de" });
		expect(read("Die gut, fun, super, fatal", "de-AT")).toEqual({});
		expect(read("gut, super", "english")).toEqual({});
		expect(read("super", "en-GB")).toMatchObject({ sentiment: "positive" });
	});

	it("that is long and nothing but punctuation is read like any other", () => {
		for (const char of ["!", "?", ".", "'", "-", ":)", "a.", "\n"]) {
			expect(read(`I am happy ${char.repeat(200_000)}`, "en")).toMatchObject({ sentiment: expect.any(String) });
		}
	});
});

describe("records", () => {
	const great = "Thanks, that was a great answer!";
	const message = (properties: object) => ({
		event: "chat.message.sent",
		properties: { content: great, ...properties },
	});
	async function analysed(record: unknown) {
		const copy: unknown = structuredClone(record);
		await analyseMessages([copy], read);
		return copy;
	}
	const FOUND = {
		language: "en",
		language_method: "eld",
		sentiment: "positive",
		sentiment_compound: expect.any(Number),
		sentiment_method: "vader",
	};

	it("of users get what they do not say themselves", async () => {
		expect(await analysed(message({ role: "user" }))).toEqual(message({ role: "user", ...FOUND }));
		expect(await analysed(message({ sentiment: null, language: "" }))).toEqual(message(FOUND));
		const { sentiment, sentiment_compound, sentiment_method, language, language_method } = FOUND;
		expect(await analysed(message({ sentiment: "negative" }))).toEqual(
			message({ sentiment: "negative", language, language_method }),
		);
		expect(await analysed(message({ language: "en-US" }))).toEqual(
			message({ language: "en-US", sentiment, sentiment_compound, sentiment_method }),
		);
		const parts = [{ type: "image" }, { type: "text", text: great }];
		expect(await analysed(message({ content: parts }))).toEqual(message({ content: parts, ...FOUND }));
	});

	it.each([
		["of the assistant", message({ role: "assistant" })],
		["of another event", { ...message({}), event: "feature.used" }],
		["without text", message({ content: null })],
		["with text that is no text", message({ content: { deep: great } })],
		["without properties", { event: "chat.message.sent" }],
		["that is none", "chat.message.sent"],
		["that is null", null],
	])("stay as they are: one %s", async (_, record) => {
		expect(await analysed(record)).toEqual(record);
	});

	it("in great numbers let others in between", async () => {
		let turns = 0;
		const timer = setInterval(() => turns++, 0);
		await analyseMessages(
			Array.from({ length: 2_000 }, () => message({ content: great.repeat(10) })),
			read,
		);
		clearInterval(timer);
		expect(turns).toBeGreaterThan(2);
	});
});
