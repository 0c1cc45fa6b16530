import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { insertEvents, type TestEvent } from "../../tests/support/records.ts";
import { Queries } from "../run.ts";
import { type ConversationGroup, conversationGroups, messageSentiment, sentimentShift } from "./conversations.ts";
import { reachOf, type Scope } from "./scope.ts";

const MINUTE = 60_000;
const FROM = Date.parse("2026-10-01T00:00:00Z");
const TO = Date.parse("2026-10-08T00:00:00Z");
const base = { now: TO, reach: reachOf(NO_EXPIRY) };

let database: TestDatabase;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
});
afterAll(() => database?.stop());
const asking = (project: string) => new Queries({ client: database.client, secondLock: false }).of(project);

interface Conversation {
	readonly id: string;
	readonly start: number;
	readonly messages: readonly { readonly ts: number; readonly role: string; readonly language: string }[];
	readonly end?: { readonly ts: number; readonly properties: Record<string, string | number> };
	readonly ratings: readonly { readonly ts: number; readonly rating: number; readonly scale: number }[];
}

const WORDS = ["", "en", "en-GB", "pt_BR", "日本語"];
const TOPICS = ["", "billing", 'déjà "vu"', "a/b 'c'"];

function conversationsOf(seed: number, n: number): Conversation[] {
	const u = randomFrom(seed);
	const pick = <T>(from: readonly T[]): T => from[Math.floor(u() * from.length)]!;
	return Array.from({ length: n }, (_, i) => {
		const start = Math.floor(FROM + u() * (TO - FROM));
		const messages = Array.from({ length: Math.floor(u() * 6) }, (_, k) => ({
			ts: start + Math.floor(k * u() * 10 * MINUTE),
			role: pick(["user", "assistant", ""]),
			language: pick(WORDS),
		}));
		const properties: Record<string, string | number> = { outcome: pick(["completed", "abandoned", "escalated"]) };
		const set = (name: string, value: string | number) => {
			if (value !== "") properties[name] = value;
		};
		set("topic", pick(TOPICS));
		set("language", pick(WORDS));
		set("sentiment", pick(["", "Positive", "neutral", "negative", "mixed"]));
		set("resolved", pick(["", "true", "false", 1, 0]));
		return {
			id: `c'${i} ü`,
			start,
			messages,
			...(u() < 0.8 ? { end: { ts: start + Math.floor(u() * 90 * MINUTE), properties } } : {}),
			ratings: Array.from({ length: Math.floor(u() * 3) }, (_, k) => ({
				ts: start + MINUTE + Math.floor(u() * 1e8) + k,
				rating: Math.ceil(u() * 5),
				scale: pick([5, 10]),
			})),
		};
	});
}

function recordsOf(conversations: readonly Conversation[]): TestEvent[] {
	return conversations.flatMap(({ id, start, messages, end, ratings }) => {
		const named = { conversation_id: id };
		return [
			{ event: "conversation.started", ts: start, properties: named },
			...messages.map(({ ts, role, language }) => ({
				...{ event: "chat.message.sent", ts },
				properties: { ...named, ...(role ? { role } : {}), ...(language ? { language } : {}) },
			})),
			...(end ? [{ event: "conversation.ended", ts: end.ts, properties: { ...named, ...end.properties } }] : []),
			...ratings.map(({ ts, rating, scale }) => ({
				...{ event: "feedback.submitted", ts },
				properties: { target_type: "conversation", target_id: id, rating, ...(scale === 5 ? {} : { scale }) },
			})),
		];
	});
}

/** The same sums in plain code. */
function truth(all: readonly Conversation[], { start, end }: Scope): Map<string, ConversationGroup> {
	const within = (ts: number) => ts >= start && ts < end;
	const groups = new Map<string, ConversationGroup>();
	for (const conversation of all.filter((one) => within(one.start))) {
		const messages = conversation.messages.filter(({ ts }) => within(ts));
		const ended = conversation.end && within(conversation.end.ts) ? conversation.end.properties : undefined;
		const signs = [conversation.start, ...messages.map(({ ts }) => ts)];
		const closed = ended !== undefined || Math.max(...signs) <= end - 30 * MINUTE;
		const spoken = new Map<string, number>();
		for (const { role, language } of messages) {
			if (role !== "assistant" && language) spoken.set(language, (spoken.get(language) ?? 0) + 1);
		}
		const utf8 = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
		const [most] = [...spoken].sort(([a, n], [b, m]) => m - n || utf8(a, b));
		const topic = String(ended?.topic ?? "");
		const language = String(ended?.language ?? most?.[0] ?? "");
		const rating = conversation.ratings
			.filter(({ ts }) => within(ts))
			.sort((a, b) => a.ts - b.ts)
			.at(-1);
		const stars = rating && 1 + (4 * (rating.rating - 1)) / (rating.scale - 1);
		const times = messages.map(({ ts }) => ts);
		const mood = String(ended?.sentiment ?? "").toLowerCase();
		const key = JSON.stringify([topic, language]);
		const before = groups.get(key);
		const add = (of: Exclude<keyof ConversationGroup, "topic" | "language" | "by_rating">, value: number | boolean) =>
			(before?.[of] ?? 0) + Number(value);
		const hasTimes = closed && times.length > 0;
		groups.set(key, {
			topic,
			language,
			conversations: add("conversations", 1),
			closed: add("closed", closed),
			messages: add("messages", closed ? messages.length : 0),
			with_messages: add("with_messages", hasTimes),
			seconds: add("seconds", hasTimes ? (Math.max(...times) - Math.min(...times)) / 1_000 : 0),
			ended: add("ended", ended !== undefined),
			completed: add("completed", ended?.outcome === "completed"),
			by_rating: [1, 2, 3, 4, 5].map(
				(level, i) => (before?.by_rating[i] ?? 0) + Number(stars !== undefined && Math.round(stars) === level),
			),
			rating_total: add("rating_total", stars ?? 0),
			resolved: add("resolved", ended?.resolved === "true" || ended?.resolved === 1),
			resolution_known: add("resolution_known", ended?.resolved !== undefined),
			positive: add("positive", mood === "positive"),
			neutral: add("neutral", mood === "neutral"),
			negative: add("negative", mood === "negative"),
		});
	}
	return groups;
}

test("conversations of any window are what their records say, whatever the order of arrival and however they are called", async () => {
	const all = conversationsOf(7, 400);
	const u = randomFrom(8);
	const records = recordsOf(all)
		.map((record) => ({ record, at: u() }))
		.sort((a, b) => a.at - b.at)
		.map(({ record }) => record);
	const half = Math.floor(records.length / 2);
	await insertEvents(database.client, "p", records.slice(half));
	await insertEvents(database.client, "p", records.slice(0, half));
	await insertEvents(database.client, "other", recordsOf(conversationsOf(9, 50)));
	for (const [start, end] of [
		[FROM, TO],
		[FROM + 12_345, TO - 2 * 86_400_000 - 77],
		[FROM + 86_400_000, FROM + 86_400_000 + 3 * 3_600_000],
		[TO, TO + 1],
	]) {
		const scope: Scope = { ...base, start: start!, end: end! };
		const expected = truth(all, scope);
		const found = await asking("p").ask(
			conversationGroups(scope, { started: "conversation.started", message: "chat.message.sent" }),
		);
		expect(new Set(found.map(({ topic, language }) => JSON.stringify([topic, language])))).toEqual(
			new Set(expected.keys()),
		);
		for (const group of found) {
			const { rating_total, seconds, ...exact } = group;
			const wanted = expected.get(JSON.stringify([group.topic, group.language]))!;
			expect(wanted).toMatchObject(exact);
			expect(rating_total).toBeCloseTo(wanted.rating_total, 6);
			expect(seconds).toBeCloseTo(wanted.seconds, 6);
		}
	}
});

test("where nothing says that a conversation started, any record that names it makes it known", async () => {
	await insertEvents(database.client, "unstarted", [
		{ event: "chat.message.sent", ts: FROM + 1, properties: { conversation_id: "a" } },
		{ event: "model_inference_completed", ts: FROM + 2, properties: { conversation_id: "b" } },
		{ event: "chat.message.sent", ts: FROM + 3, properties: { role: "user" } },
		{
			event: "feedback.submitted",
			ts: FROM + 4,
			properties: { target_type: "conversation", target_id: "c", rating: 5 },
		},
	]);
	const found = await asking("unstarted").ask(
		conversationGroups({ ...base, start: FROM, end: TO }, { started: undefined, message: "chat.message.sent" }),
	);
	expect(found).toMatchObject([{ conversations: 2, messages: 1, with_messages: 1, by_rating: [0, 0, 0, 0, 0] }]);
});

test("the mood of what users wrote is counted by label, and compared with the window before by Welch's test", async () => {
	const u = randomFrom(3);
	const message = (ts: number, role: string, compound: number | undefined, label: string, method = "lexicon") => ({
		...{ event: "chat.message.sent", ts },
		properties: {
			...(label ? { sentiment: label, sentiment_method: method } : {}),
			...(role ? { role } : {}),
			...(compound === undefined ? {} : { sentiment_compound: compound }),
		},
	});
	const DAY = 86_400_000;
	const now = Array.from({ length: 60 }, (_, i) => message(FROM + 2 * DAY + i, "user", 0.2 + u() / 10, "positive"));
	const before = Array.from({ length: 40 }, (_, i) => message(FROM + DAY + i, "", u() / 10, "neutral"));
	await insertEvents(database.client, "mood", [
		...now,
		...before,
		message(FROM + 2 * DAY + 100, "assistant", -1, "negative"),
		message(FROM + 2 * DAY + 101, "user", 0, "negative", ""),
		message(FROM + 2 * DAY + 102, "user", undefined, ""),
		message(FROM + 3 * DAY, "user", -1, "negative"),
	]);
	const scope: Scope = { ...base, start: FROM + 2 * DAY, end: FROM + 3 * DAY };
	expect(await asking("mood").ask(messageSentiment(scope))).toEqual({
		...{ messages: 62, positive: 60, neutral: 0, negative: 1 },
		methods: ["client", "lexicon"],
	});
	const shift = await asking("mood").ask(sentimentShift(scope, { start: FROM + DAY, end: FROM + 2 * DAY }));
	const values = (from: typeof now) => from.map(({ properties }) => properties.sentiment_compound!);
	const mean = (of: readonly number[]) => of.reduce((a, b) => a + b, 0) / of.length;
	expect(shift).toMatchObject({ n: 61, previous_n: 40 });
	expect(shift.mean).toBeCloseTo(mean([...values(now), 0]), 9);
	expect(shift.previous_mean).toBeCloseTo(mean(values(before)), 9);
	expect(shift.p).toBeLessThan(1e-9);
	const alone = await asking("mood").ask(
		sentimentShift({ ...scope, start: FROM + 3 * DAY, end: TO }, { start: FROM + 2.5 * DAY, end: FROM + 3 * DAY }),
	);
	expect(alone).toEqual({ n: 1, previous_n: 0, mean: -1, previous_mean: null, p: null });
});
