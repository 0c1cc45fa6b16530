/** Conversations that started within a window: how long they were, how they ended, what they were about. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { CHAT_EVENT } from "./counts.ts";
import { MODEL_EVENT } from "./models.ts";
import { FEEDBACK_EVENT, RATING } from "./ratings.ts";
import type { Scope } from "./scope.ts";
import type { Signals } from "./signals.ts";

export const STARTED_EVENT = "conversation.started";
export const ENDED_EVENT = "conversation.ended";

/** A conversation that was silent for so long is taken to be over. */
const IDLE_MS = 1_800_000;

/** Which records of a project tell of its conversations. */
export interface ConversationRecords {
	/** What starts one; without such records it is known by any record that names it. */
	readonly started: typeof STARTED_EVENT | undefined;
	/** Calls of models are messages only where no messages are sent. */
	readonly message: typeof CHAT_EVENT | typeof MODEL_EVENT;
}

export function conversationRecords(sent: Signals): ConversationRecords {
	return {
		started: sent.hasEvent(STARTED_EVENT) ? STARTED_EVENT : undefined,
		message: sent.hasEvent(CHAT_EVENT) || !sent.hasEvent(MODEL_EVENT) ? CHAT_EVENT : MODEL_EVENT,
	};
}

/** Sums over conversations of one topic and one language. */
export interface ConversationGroup {
	/** `""` for none. */
	readonly topic: string;
	/** A BCP-47 tag as it was sent, or `""`. */
	readonly language: string;
	readonly conversations: number;
	/** Ended, or idle for 30 minutes at the end of the scope. */
	readonly closed: number;
	/** Of those: their messages, those that have any, and the seconds from first to last message. */
	readonly messages: number;
	readonly with_messages: number;
	readonly seconds: number;
	readonly ended: number;
	readonly completed: number;
	/** Conversations whose latest rating is 1, 2, 3, 4, 5, rounded to these. */
	readonly by_rating: readonly number[];
	/** Of the ratings, not rounded. */
	readonly rating_total: number;
	readonly resolved: number;
	readonly resolution_known: number;
	/** By the label that the end of the conversation carries. */
	readonly positive: number;
	readonly neutral: number;
	readonly negative: number;
}

const ID = "strings['conversation_id']";
const RESOLVED = `multiIf(lower(strings['resolved']) = 'true', 1, lower(strings['resolved']) = 'false', 0,
	mapContains(numbers, 'resolved'), numbers['resolved'] != 0, NULL)`;
const LABELS = "('positive', 'neutral', 'negative')";
/** A message whose author is not told is a user's. */
export const BY_USER = "strings['role'] IN ('user', '')";

/**
 * Conversations by topic and language. Only records within the scope count, their ends and ratings too: what is said about a past
 * window changes by late records only.
 */
export function conversationGroups(scope: Scope, records: ConversationRecords): Question<ConversationGroup[]> {
	const params = new Params();
	const end = params.add("Int64", scope.end - IDLE_MS);
	return {
		name: "conversations",
		params,
		sql: `SELECT about AS topic, if(named_language != '', named_language, spoken) AS language, count() AS conversations,
	countIf(is_closed) AS closed, sumIf(length, is_closed) AS messages, countIf(is_closed AND length > 0) AS with_messages,
	sumIf(dateDiff('millisecond', first_message, last_message), is_closed AND length > 0) / 1000 AS seconds,
	countIf(ends > 0) AS ended, countIf(last_outcome = 'completed') AS completed,
	arrayMap(level -> countEqual(groupArray(floor(stars + 0.5)), level), [1, 2, 3, 4, 5]) AS by_rating, sum(stars) AS rating_total,
	countIf(was_resolved = 1) AS resolved, count(was_resolved) AS resolution_known,
	countIf(sentiment = 'positive') AS positive, countIf(sentiment = 'neutral') AS neutral, countIf(sentiment = 'negative') AS negative
FROM (SELECT *, ends > 0 OR toUnixTimestamp64Milli(last_sign) <= ${end} AS is_closed FROM (${perConversation(params, scope, records)}))
GROUP BY topic, language`,
		read: (rows) =>
			rows.map((row) => ({ ...(row as unknown as ConversationGroup), rating_total: Number(row.rating_total ?? 0) })),
	};
}

/** One row a conversation that started within the scope. */
function perConversation(params: Params, scope: Scope, { started, message }: ConversationRecords): string {
	const within = between(params, "ts", scope.start, scope.end);
	// Most records are messages, and of those little is read. What another call of a model tells is that there is a conversation.
	const messages = [...new Set([message, ...(started === undefined ? [MODEL_EVENT] : [])])];
	const told = `SELECT event AS kind, ${ID} AS conversation, if(${BY_USER}, strings['language'], '') AS language, count() AS n,
		min(ts) AS first, max(ts) AS last, 0 AS place, '' AS outcome, '' AS topic, '' AS label, NULL AS resolved, NULL AS rating
	${from("events", `event IN ${params.add("Array(String)", messages)} AND ${within} AND ${ID} != ''`)} GROUP BY kind, conversation, language`;
	// What the end says goes before what the start says, and later before earlier: as one number, since to compare pairs takes long.
	const one = `0 AS n, ts AS first, ts AS last,
		bitShiftLeft(toUInt128(toUnixTimestamp64Milli(ts) + if(event = '${ENDED_EVENT}', ${2 ** 52}, 0)), 64) + id AS place`;
	const marked = `SELECT event AS kind, ${ID} AS conversation, strings['language'] AS language, ${one}, strings['outcome'] AS outcome,
		strings['topic'] AS topic, lower(strings['sentiment']) AS label, ${RESOLVED} AS resolved, NULL AS rating
	${from("events", `event IN ('${STARTED_EVENT}', '${ENDED_EVENT}') AND ${within} AND ${ID} != ''`)}`;
	const rated = `SELECT event AS kind, strings['target_id'] AS conversation, '' AS language, ${one}, '' AS outcome, '' AS topic, '' AS label,
		NULL AS resolved, ${RATING} AS rating
	${from("events", `event = '${FEEDBACK_EVENT}' AND ${within} AND strings['target_type'] = 'conversation'`)}`;
	const starts = `kind = '${STARTED_EVENT}'`;
	const ends = `kind = '${ENDED_EVENT}'`;
	const isMessage = `kind = '${message}'`;
	const latest = (column: string, of: string) => `argMaxIf(${column}, place, ${of})`;
	return `SELECT conversation, countIf(${ends}) AS ends, sumIf(n, ${isMessage}) AS length,
		minIf(first, ${isMessage}) AS first_message, maxIf(last, ${isMessage}) AS last_message,
		maxIf(last, kind != '${FEEDBACK_EVENT}') AS last_sign, ${latest("outcome", ends)} AS last_outcome,
		${latest("topic", "topic != ''")} AS about, ${latest("language", "place > 0 AND language != ''")} AS named_language,
		argMinIf(language, (-n, language), ${isMessage} AND language != '') AS spoken,
		${latest("label", `${ends} AND label IN ${LABELS}`)} AS sentiment,
		${latest("resolved", ends)} AS was_resolved, ${latest("rating", "rating IS NOT NULL")} AS stars
	FROM (${told} UNION ALL ${marked} UNION ALL ${rated}) GROUP BY conversation
	HAVING ${started === undefined ? `countIf(kind != '${FEEDBACK_EVENT}')` : `countIf(${starts})`} > 0`;
}

/** What messages of users say of their mood. */
export interface MessageSentiment {
	readonly messages: number;
	readonly positive: number;
	readonly neutral: number;
	readonly negative: number;
	/** How the labels were found, in alphabetical order; `client` for those that say nothing of it. */
	readonly methods: readonly string[];
}

/** Over all messages of users within the scope, in a conversation or not. */
export function messageSentiment(scope: Scope): Question<MessageSentiment> {
	const params = new Params();
	const label = "lower(strings['sentiment'])";
	return {
		name: "message_sentiment",
		params,
		sql: `SELECT count() AS messages, countIf(${label} = 'positive') AS positive, countIf(${label} = 'neutral') AS neutral,
	countIf(${label} = 'negative') AS negative,
	arraySort(groupUniqArrayIf(if(strings['sentiment_method'] = '', 'client', strings['sentiment_method']), ${label} IN ${LABELS})) AS methods
${from("events", `event = '${CHAT_EVENT}' AND ${BY_USER} AND ${between(params, "ts", scope.start, scope.end)}`)}`,
		read: ([row]) => row as unknown as MessageSentiment,
	};
}

/** How the mood of a window compares with that of the one before. */
export interface SentimentShift {
	readonly n: number;
	readonly previous_n: number;
	/** Means from −1 to 1; null without a message. */
	readonly mean: number | null;
	readonly previous_mean: number | null;
	/** That the difference is chance, by Welch's test; null when there are too few messages or none differs from another. */
	readonly p: number | null;
}

/** A number from −1 to 1. */
const COMPOUND = "sentiment_compound";

/** Over messages of users in the scope, and in the span before it. */
export function sentimentShift(scope: Scope, previous: Span): Question<SentimentShift> {
	const params = new Params();
	const before = `ts < ${at(params, scope.start)}`;
	const where = `event = '${CHAT_EVENT}' AND ${BY_USER} AND ${between(params, "ts", previous.start, scope.end)} AND mapContains(numbers, '${COMPOUND}')`;
	return {
		name: "sentiment_shift",
		params,
		sql: `SELECT countIf(NOT is_before) AS n, countIf(is_before) AS previous_n, avgIf(compound, NOT is_before) AS mean,
	avgIf(compound, is_before) AS previous_mean, welchTTest(compound, is_before).2 AS p
FROM (SELECT numbers['${COMPOUND}'] AS compound, ${before} AS is_before ${from("events", where)})`,
		read: ([row]) => {
			const number = (value: unknown) => (typeof value === "number" && Number.isFinite(value) ? value : null);
			return {
				n: Number(row?.n ?? 0),
				previous_n: Number(row?.previous_n ?? 0),
				mean: number(row?.mean),
				previous_mean: number(row?.previous_mean),
				p: number(row?.p),
			};
		},
	};
}
