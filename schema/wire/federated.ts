/** Requests and answers about federated learning and the network between its nodes. */
import { z } from "zod";
import {
	count,
	explanation,
	meta,
	milliseconds,
	percent,
	ratio,
	timeframes,
	timestamp,
	windowParameters,
} from "./common.ts";

const asked = { meta, explain: explanation.optional() };
const { start, end, as_of, timezone, explain } = windowParameters;
const bytes = z.number().nullable().describe("Bytes.");
const mbps = z.number().nullable().describe("Megabits a second.");
const points = z.number().nullable().describe("Absolute points of the metric.");

/** All three routes: the 30 days before `as_of`, or from `start` to `end`. */
export const federatedQuery = z.strictObject({ start, end, as_of, timezone, explain });
export type FederatedQuery = z.input<typeof federatedQuery>;

export const trainingSession = z.object({
	session_id: z.string(),
	model: z.string().nullable(),
	status: z.string().describe("running, stalled, or what the end of the session says: completed, failed, cancelled."),
	started_at: timestamp,
	completed_at: timestamp.nullable().describe("Null while it runs."),
	duration_minutes: z.number().nullable().describe("Minutes from start to end. Null while it runs."),
	elapsed_minutes: z.number().describe("Minutes until its end, or until as_of."),
	participants: z.object({
		total: count.describe("Selected at least once."),
		active: count.describe("Delivered in the last completed round."),
		dropped: count.describe("Failed, and did not deliver since."),
	}),
	rounds: count.describe("Completed rounds."),
	convergence: z.object({
		achieved: z.boolean().nullable(),
		reason: z.enum(["target_reached", "plateau", "not_yet"]).nullable(),
		final_accuracy: ratio,
		improvement: points,
	}),
	resource_usage: z.object({
		total_compute_hours: z.number().nullable().describe("Hours of all devices."),
		avg_bandwidth_mbps: mbps.describe("Megabits a second of the average participant over the time of the session."),
		data_transferred_gb: z.number().nullable().describe("GiB up and down."),
	}),
});
export const federatedTrainingAnswer = z.object({
	training_sessions: z.array(trainingSession).describe("Those that started in the window, the first one first."),
	aggregated_metrics: z.object({
		total_sessions: count,
		avg_participants: z.number().nullable().describe("Of ended sessions."),
		avg_duration_hours: z.number().nullable().describe("Hours, of ended sessions."),
		success_rate: ratio.describe("Completed / (completed + failed + cancelled)."),
		avg_improvement: points,
		sessions_with_improvement: count.describe("Ended sessions that avg_improvement is the mean of."),
	}),
	...asked,
});
export type FederatedTrainingAnswer = z.infer<typeof federatedTrainingAnswer>;
