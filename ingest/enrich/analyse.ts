/** What is read out of the messages of users, with libraries that bring their data: no text leaves the process. */
import { isObject } from "../parse/text.ts";
import { messageText } from "./message.ts";
import { MESSAGE_EVENT } from "./names.ts";

export interface MessageReading {
	/** BCP-47 primary tag. */
	readonly language?: string;
	readonly sentiment?: "positive" | "neutral" | "negative";
	/** From -1, most negative, to 1, most positive. */
	readonly sentiment_compound?: number;
}

/** Reads a text, of which the language may be known. */
export type ReadMessage = (text: string, language?: string) => MessageReading;

/** Of a longer text its beginning is read: the scorer takes the longer the more punctuation there is. */
const CHARS = 1_000;
/** Between positive and negative, as the authors of VADER have it: https://github.com/cjhutto/vaderSentiment#about-the-scoring */
const NEUTRAL = 0.05;

/** Loads the lexicon and the language profiles: about a third of a second and 90 MB. */
export async function loadReader(): Promise<ReadMessage> {
	const [{ default: vader }, { eld }] = await Promise.all([import("vader-sentiment"), import("eld/extrasmall")]);
	const detector = eld.newInstance();
	// Links and mail addresses are in no language.
	detector.enableTextCleanup(true);
	return (text, known) => {
		const beginning = text.slice(0, CHARS);
		const found = known === undefined ? detector.detect(beginning) : undefined;
		const language = known ?? (found?.isReliable() ? found.language : undefined);
		// The lexicon is of English words: "die" is an article to a German.
		const isEnglish = language !== undefined && /^en\b/i.test(language);
		return {
			...(known === undefined && language !== undefined && { language }),
			...(isEnglish && sentimentOf(vader.SentimentIntensityAnalyzer.polarity_scores(sentenceCase(beginning)).compound)),
		};
	};
}

function sentimentOf(compound: number): MessageReading {
	const sentiment = compound >= NEUTRAL ? "positive" : compound <= -NEUTRAL ? "negative" : "neutral";
	return { sentiment, sentiment_compound: compound };
}

/** This port of the scorer overlooks "Not" at the beginning of a sentence. Words all in capitals stay: they are emphasis. */
function sentenceCase(text: string): string {
	return text.replace(/\b[A-Z](?=[a-z])/g, (letter) => letter.toLowerCase());
}

const PAUSE_AFTER_MS = 20;

/**
 * Adds to the messages of users, among records that were just parsed, what they do not say themselves: `language` and
 * `language_method`, `sentiment`, `sentiment_compound` and `sentiment_method`. Pauses now and then for other requests: a
 * message takes 0.2 ms.
 */
export async function analyseMessages(records: readonly unknown[], read: ReadMessage): Promise<void> {
	let since = performance.now();
	for (const record of records) {
		const message = messageOf(record);
		if (!message) continue;
		addReading(message.properties, message.text, read);
		if (performance.now() - since < PAUSE_AFTER_MS) continue;
		await new Promise<void>((resolve) => setImmediate(resolve));
		since = performance.now();
	}
}

function messageOf(record: unknown): { properties: Record<string, unknown>; text: string } | undefined {
	if (!isObject(record) || record.event !== MESSAGE_EVENT || !isObject(record.properties)) return undefined;
	const { properties } = record;
	const { role } = properties;
	if (role !== undefined && role !== null && role !== "user" && role !== "human") return undefined;
	const text = ["content", "text"].map((name) => messageText(properties[name])).find((found) => found !== undefined);
	return text === undefined ? undefined : { properties, text };
}

function addReading(properties: Record<string, unknown>, text: string, read: ReadMessage): void {
	const known = typeof properties.language === "string" && properties.language !== "" ? properties.language : undefined;
	const reading = read(text, known);
	if (reading.language !== undefined && (properties.language ?? "") === "") {
		Object.assign(properties, { language: reading.language, language_method: "eld" });
	}
	const { sentiment, sentiment_compound } = reading;
	if (sentiment === undefined || (properties.sentiment ?? "") !== "") return;
	Object.assign(properties, { sentiment, sentiment_compound, sentiment_method: "vader" });
}
