import type { z } from "zod";
import { type AiConversationsAnswer, aiConversationsAnswer, aiConversationsQuery } from "../../schema/wire/index.ts";
import { languageName } from "../language-names.ts";
import {
	type ConversationGroup,
	conversationGroups,
	conversationRecords,
	ENDED_EVENT,
	type MessageSentiment,
	messageSentiment,
	type SentimentShift,
	STARTED_EVENT,
	sentimentShift,
} from "../measures/conversations.ts";
import { CHAT_EVENT } from "../measures/counts.ts";
import { MODEL_EVENT } from "../measures/models.ts";
import { FEEDBACK_EVENT, MIN_RATINGS } from "../measures/ratings.ts";
import type { Scope } from "../measures/scope.ts";
import { type Signals, signals } from "../measures/signals.ts";
import { type NeededRecords, type Needs, withMeta } from "../meta.ts";
import { quotient } from "../quotient.ts";
import { decimals, largestRemainder, ratio, whole } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { precedingSpan } from "../time/period.ts";
import { resolveWindow } from "../time/window.ts";

const RATINGS = ["very_unsatisfied", "unsatisfied", "neutral", "satisfied", "very_satisfied"] as const;
const MOODS = ["positive", "neutral", "negative"] as const;
const UNCLASSIFIED = "unclassified";
const NAMED_LANGUAGES = 10;

const MESSAGES: NeededRecords = {
	any: [`event ${CHAT_EVENT}`, `event ${MODEL_EVENT}`],
	with: "conversation_id",
};
const RATED: NeededRecords = { any: [`event ${FEEDBACK_EVENT}`], with: "target_type conversation" };
const MOOD: NeededRecords = { any: [`event ${ENDED_EVENT}`, `event ${CHAT_EVENT}`], with: "sentiment" };
const NEEDS: Needs = {
	"conversation_metrics.total_conversations": {
		any: [`event ${STARTED_EVENT}`, `event ${CHAT_EVENT}`, `event ${MODEL_EVENT}`],
		with: "conversation_id",
	},
	"conversation_metrics.avg_length": MESSAGES,
	"conversation_metrics.avg_duration": MESSAGES,
	"conversation_metrics.completion_rate": `event ${ENDED_EVENT}`,
	"conversation_metrics.rated": RATED,
	"conversation_metrics.response_rate": RATED,
	...Object.fromEntries(RATINGS.map((name) => [`conversation_metrics.satisfaction_distribution.${name}`, RATED])),
	topic_analysis: { any: [`event ${ENDED_EVENT}`, `event ${STARTED_EVENT}`], with: "topic" },
	"topic_analysis[].avg_satisfaction": RATED,
	"topic_analysis[].resolution_rate": { any: [`event ${ENDED_EVENT}`], with: "resolved" },
	...Object.fromEntries(MOODS.map((mood) => [`sentiment_analysis.${mood}`, MOOD])),
	"sentiment_analysis.trend": {
		any: [`event ${CHAT_EVENT}`],
		with: "sentiment_compound, in this window and the one before",
	},
	"sentiment_basis.of": MOOD,
	"sentiment_basis.labelled": MOOD,
	"sentiment_basis.coverage": MOOD,
	language_usage: {
		any: [`event ${ENDED_EVENT}`, `event ${STARTED_EVENT}`, `event ${CHAT_EVENT}`],
		with: "language",
	},
};

/** `GET /analytics/ai/conversations` */
export const aiConversationsRead = read({
	path: "/analytics/ai/conversations",
	summary: "Conversations: how long, how satisfying, about what, in what mood and language",
	description: `Of the conversations that started in the window, by the records in it. Default: the 30 days before as_of. A mean of fewer than ${MIN_RATINGS} ratings is null.`,
	query: aiConversationsQuery,
	answer: aiConversationsAnswer,
	needs: NEEDS,
	ask: aiConversations,
});

async function aiConversations(
	{ asker, now, reach }: Asking,
	query: z.infer<typeof aiConversationsQuery>,
): Promise<AiConversationsAnswer> {
	const window = resolveWindow(query, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const previous = precedingSpan(window);
	const asked = asker.ask(signals(window.as_of));
	const grouped = asker.presuming("conversation_records", asked.then(conversationRecords), (records) =>
		asker.ask(conversationGroups(scope, records)),
	);
	const [sent, groups, messages, shift] = await Promise.all([
		asked,
		grouped,
		// What messages are labelled counts where no conversation is.
		asker.presuming(
			"labelled_conversations",
			grouped.then((groups) => labelled(total(groups)) > 0),
			(are) => (are ? Promise.resolve(undefined) : asker.ask(messageSentiment(scope))),
		),
		asker.ask(sentimentShift(scope, previous)),
	]);
	const records = conversationRecords(sent);
	const all = total(groups);
	const mood = moodOf(all, messages);
	const known = sent.reachesBackTo(previous.start);
	const answer = {
		conversation_metrics: metricsOf(all, sent),
		topic_analysis: topicsOf(groups, all.conversations),
		sentiment_analysis: { ...mood.shares, trend: known ? trendOf(shift) : null },
		sentiment_basis: mood.basis,
		language_usage: languagesOf(groups),
	};
	const parts = {
		window,
		data_through: sent.dataThrough("event"),
		source: "raw" as const,
		methods: {
			"conversation_metrics.total_conversations":
				records.started === undefined ? "conversations that any record names" : `by ${STARTED_EVENT}`,
			"conversation_metrics.avg_length": `${records.message}, of conversations that ended or were idle for 30 minutes`,
			"conversation_metrics.satisfaction_distribution": "the latest rating of each conversation",
			...(mood.method === undefined ? {} : { sentiment_analysis: mood.method }),
			"sentiment_analysis.trend": "mean compound of users' messages against the window before, Welch's test at 5 %",
			language_usage: "label of the conversation, else the language of most messages of its user",
		},
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

type Sums = Omit<ConversationGroup, "topic" | "language">;

/** Groups of conversations as one. */
function total(groups: readonly ConversationGroup[]): Sums {
	const sum = (of: (group: ConversationGroup) => number) => groups.reduce((all, group) => all + of(group), 0);
	return {
		conversations: sum((group) => group.conversations),
		closed: sum((group) => group.closed),
		messages: sum((group) => group.messages),
		with_messages: sum((group) => group.with_messages),
		seconds: sum((group) => group.seconds),
		ended: sum((group) => group.ended),
		completed: sum((group) => group.completed),
		by_rating: RATINGS.map((_, i) => sum((group) => group.by_rating[i] ?? 0)),
		rating_total: sum((group) => group.rating_total),
		resolved: sum((group) => group.resolved),
		resolution_known: sum((group) => group.resolution_known),
		positive: sum((group) => group.positive),
		neutral: sum((group) => group.neutral),
		negative: sum((group) => group.negative),
	};
}

const ratedOf = ({ by_rating }: Sums) => by_rating.reduce((all, n) => all + n, 0);

function metricsOf(all: Sums, sent: Signals): AiConversationsAnswer["conversation_metrics"] {
	const rated = ratedOf(all);
	const shares = largestRemainder(all.by_rating, 1, 4);
	const share = (name: (typeof RATINGS)[number]) => (rated > 0 ? shares[RATINGS.indexOf(name)]! : null);
	const hears = sent.hasEvent(FEEDBACK_EVENT);
	return {
		total_conversations: all.conversations > 0 || sent.hasEvent(STARTED_EVENT) ? all.conversations : null,
		// Messages that name no conversation say nothing of the length of any.
		avg_length: all.with_messages > 0 ? decimals(quotient(all.messages, all.closed), 2) : null,
		avg_duration: whole(quotient(all.seconds, all.with_messages)),
		completion_rate: ratio(quotient(all.completed, all.ended)),
		rated: hears ? rated : null,
		response_rate: hears ? ratio(quotient(rated, all.conversations)) : null,
		satisfaction_distribution: {
			very_satisfied: share("very_satisfied"),
			satisfied: share("satisfied"),
			neutral: share("neutral"),
			unsatisfied: share("unsatisfied"),
			very_unsatisfied: share("very_unsatisfied"),
		},
	};
}

/** The most frequent first; none at all when no conversation has a topic. */
function topicsOf(
	groups: readonly ConversationGroup[],
	conversations: number,
): AiConversationsAnswer["topic_analysis"] {
	if (conversations === 0 || groups.every(({ topic }) => topic === "")) return [];
	const byTopic = new Map<string, ConversationGroup[]>();
	for (const group of groups) {
		const topic = group.topic || UNCLASSIFIED;
		byTopic.set(topic, [...(byTopic.get(topic) ?? []), group]);
	}
	const topics = [...byTopic]
		.map(([topic, of]) => ({ topic, ...total(of) }))
		.sort((a, b) => b.conversations - a.conversations || (a.topic < b.topic ? -1 : 1));
	const percentages = largestRemainder(
		topics.map((topic) => topic.conversations),
		100,
		1,
	);
	return topics.map((topic, i) => {
		const rated = ratedOf(topic);
		return {
			topic: topic.topic,
			count: topic.conversations,
			percentage: percentages[i]!,
			avg_satisfaction: rated >= MIN_RATINGS ? decimals(topic.rating_total / rated, 2) : null,
			resolution_rate: ratio(quotient(topic.resolved, topic.resolution_known)),
		};
	});
}

const labelled = (of: Pick<Sums, (typeof MOODS)[number]>) => of.positive + of.neutral + of.negative;

/** Shares by label: of what users wrote where that was asked for, else of conversations. */
function moodOf(all: Sums, messages: MessageSentiment | undefined) {
	const [of, from, size, method] =
		messages === undefined
			? (["conversations", all, all.conversations, `labels of ${ENDED_EVENT} by the client`] as const)
			: ([
					"user_messages",
					messages,
					messages.messages,
					`labels of messages by users: ${messages.methods.join(", ")}`,
				] as const);
	if (labelled(from) === 0) {
		const none = { positive: null, neutral: null, negative: null };
		return { shares: none, basis: { of: null, labelled: null, coverage: null } };
	}
	const [positive, neutral, negative] = largestRemainder([from.positive, from.neutral, from.negative], 1, 4);
	return {
		shares: { positive: positive!, neutral: neutral!, negative: negative! },
		basis: { of, labelled: labelled(from), coverage: ratio(labelled(from) / size) },
		method,
	};
}

/** A change of the mean compound that is called one: how far at least, and how likely by chance at most. */
export const SENTIMENT_RULES = { minimum_shift: 0.02, p_value: 0.05 } as const;

function trendOf({ mean, previous_mean, p }: SentimentShift): "improving" | "declining" | "stable" | null {
	if (mean === null || previous_mean === null) return null;
	const shift = mean - previous_mean;
	if (p === null || p >= SENTIMENT_RULES.p_value || Math.abs(shift) < SENTIMENT_RULES.minimum_shift) return "stable";
	return shift > 0 ? "improving" : "declining";
}

/** Shares of the conversations; none at all when no language is known. */
function languagesOf(groups: readonly ConversationGroup[]): Record<string, number> {
	const counts = new Map<string, number>();
	let unknown = 0;
	for (const { language, conversations } of groups) {
		const name = languageName(language);
		if (name === undefined) unknown += conversations;
		else counts.set(name, (counts.get(name) ?? 0) + conversations);
	}
	if (counts.size === 0) return {};
	const ranked = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
	const other = ranked.slice(NAMED_LANGUAGES).reduce((all, [, n]) => all + n, 0);
	const named: [string, number][] = [
		...ranked.slice(0, NAMED_LANGUAGES),
		...(other > 0 ? [["other", other] as [string, number]] : []),
		...(unknown > 0 ? [["unknown", unknown] as [string, number]] : []),
	];
	const shares = largestRemainder(
		named.map(([, n]) => n),
		1,
		4,
	);
	return Object.fromEntries(named.map(([name], i) => [name, shares[i]!]));
}
