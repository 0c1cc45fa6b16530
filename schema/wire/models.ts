/** Requests and answers about language models and the conversations held with them. */
import { z } from "zod";
import { PERFORMANCE_TIMEFRAMES } from "./analytics.ts";
import { count, explanation, meta, milliseconds, percent, ratio, timeframes, windowParameters } from "./common.ts";

const asked = { meta, explain: explanation.optional() };
const score = z.number().nullable().describe("Mean from 1 to 5.");

export const aiPerformanceQuery = z.strictObject({
	model: z.string().min(1).optional().describe("Only this model."),
	timeframe: timeframes(PERFORMANCE_TIMEFRAMES),
	...windowParameters,
});

const verdict = z.object({
	n: z.number().int(),
	source: z.string().describe("The first of human, llm_judge, code, imported that judged; sources are not mixed."),
	evaluators: z.array(z.string()),
});

export const aiPerformanceAnswer = z.object({
	timeframe: z.string(),
	models: z.array(
		z.object({
			name: z.string(),
			requests: z.number().int().describe("Cancelled ones too."),
			cancelled: z.number().int().describe("By the client. The rates are of the other requests."),
			success_rate: ratio,
			timeout_rate: ratio,
			error_rate: ratio,
			avg_response_time: milliseconds,
			p95_response_time: milliseconds,
			p99_response_time: milliseconds,
			low_sample: z
				.array(z.string())
				.optional()
				.describe("Percentiles of fewer values than they need to mean something."),
			quality_metrics: z.object({
				avg_response_length: z.number().nullable().describe("Characters."),
				coherence_score: score,
				relevance_score: score,
				user_satisfaction: score,
				evaluations: z
					.record(z.string(), verdict)
					.describe("What the scores are of, by coherence and relevance; none for one that nobody judged."),
				ratings: z.object({
					n: z.number().int().describe("Ratings by users; a mean of fewer than 5 is null."),
					binary: z.boolean().describe("Thumbs are among them: up is 5, down is 1."),
				}),
			}),
			resource_usage: z.object({
				avg_tokens_per_request: z.number().nullable().describe("Over the requests that say how many."),
				total_tokens_processed: count,
				avg_memory_mb: z.number().nullable().describe("MiB."),
				avg_cpu_percent: percent,
			}),
		}),
	),
	trends: z.object({
		request_volume: z.array(
			z.object({
				date: z.iso.date(),
				count: z.number().int().describe("How many."),
				partial: z.literal(true).optional().describe("The window has only a part of this day."),
			}),
		),
		response_times: z.array(
			z.object({ date: z.iso.date(), avg_ms: milliseconds, partial: z.literal(true).optional() }),
		),
	}),
	...asked,
});
export type AiPerformanceQuery = z.input<typeof aiPerformanceQuery>;
export type AiPerformanceAnswer = z.infer<typeof aiPerformanceAnswer>;

export const aiConversationsQuery = z.strictObject({ ...windowParameters });

export const aiConversationsAnswer = z.object({
	conversation_metrics: z.object({
		total_conversations: count.describe("Started in the window."),
		avg_length: z.number().nullable().describe("Messages, of conversations that ended or were idle for 30 minutes."),
		avg_duration: z.number().nullable().describe("Seconds from the first message to the last."),
		completion_rate: ratio.describe("Of the conversations that ended."),
		rated: count.describe("Conversations that a user rated."),
		response_rate: ratio.describe("Rated of all."),
		satisfaction_distribution: z
			.object({
				very_satisfied: ratio,
				satisfied: ratio,
				neutral: ratio,
				unsatisfied: ratio,
				very_unsatisfied: ratio,
			})
			.describe("Shares of the rated conversations; together 1."),
	}),
	topic_analysis: z.array(
		z.object({
			topic: z.string(),
			count: z.number().int().describe("How many."),
			percentage: z.number().describe("Of all conversations; together 100."),
			avg_satisfaction: score,
			resolution_rate: ratio.describe("Of the conversations of which it is known."),
		}),
	),
	sentiment_analysis: z.object({
		positive: ratio,
		neutral: ratio,
		negative: ratio,
		trend: z.enum(["improving", "declining", "stable"]).nullable().describe("Against the window before."),
	}),
	sentiment_basis: z.object({
		of: z.enum(["conversations", "user_messages"]).nullable().describe("What carries the labels."),
		labelled: count,
		coverage: ratio.describe("Labelled of all conversations, or of all messages of users."),
	}),
	language_usage: z
		.record(z.string(), z.number())
		.describe(
			"Share of the conversations by English name of the language; the ten most used, other, unknown; together 1.",
		),
	...asked,
});
export type AiConversationsQuery = z.input<typeof aiConversationsQuery>;
export type AiConversationsAnswer = z.infer<typeof aiConversationsAnswer>;
