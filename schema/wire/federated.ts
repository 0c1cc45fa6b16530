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

export const federatedParticipantsAnswer = z.object({
	participants: z.array(
		z.object({
			participant_id: z.string(),
			organization: z.string().nullable(),
			location: z.string().nullable(),
			cluster_id: z.string().nullable(),
			sessions_participated: count.describe("With an update that was ok."),
			avg_contribution_quality: ratio,
			contribution_method: z
				.enum(["scaled", "cosine"])
				.nullable()
				.describe("Scaled from the least to the greatest contribution of each round, or (1 + cosine) / 2."),
			reliability_score: ratio.describe("Updates that were ok / all."),
			data_quality_score: ratio,
			communication_latency_ms: milliseconds.describe("Median milliseconds to the federated server and back."),
			bandwidth_mbps: mbps.describe("Megabits a second of the median update."),
			uptime_percentage: percent.describe("Percent of the time since the start or the registration with heartbeats."),
		}),
	),
	network_topology: z.object({
		total_nodes: count.describe("Registered ever."),
		active_nodes: count.describe("With a heartbeat within two intervals."),
		clusters: z.array(
			z.object({
				cluster_id: z.string(),
				nodes: z.number().int().describe("How many."),
				avg_latency: milliseconds.describe("Mean of the pairs' medians within the cluster, milliseconds."),
				data_locality_score: ratio.describe("Bytes within the cluster / all bytes of its nodes."),
			}),
		),
		connectivity_matrix: z.object({
			avg_latency: milliseconds.describe("Mean of the pairs' medians, milliseconds."),
			max_latency: milliseconds.describe("Greatest median of a pair, milliseconds."),
			reliability: ratio.describe("Packets that came back / sent."),
		}),
	}),
	...asked,
});
export type FederatedParticipantsAnswer = z.infer<typeof federatedParticipantsAnswer>;

export const NETWORK_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;
export const networkQuery = z.strictObject({
	timeframe: timeframes(NETWORK_TIMEFRAMES),
	include_peer_details: z.enum(["true", "false"]).optional().describe("Adds what is known of each node."),
	...windowParameters,
});
export const networkAnswer = z.object({
	timeframe: z.string(),
	avg_latency: milliseconds.describe("Mean milliseconds of all pings between nodes."),
	bandwidth_utilization: percent.describe("Percent of the links' capacity, of the busier direction."),
	packet_loss_rate: percent.describe("Percent of the packets of pings that did not come back."),
	peer_details: z
		.array(
			z.object({
				peer_id: z.string(),
				rtt_p50_ms: milliseconds,
				rtt_p95_ms: milliseconds,
				packet_loss_rate: percent,
				last_seen: timestamp.nullable().describe("The last ping that came back."),
				bytes: z.number().nullable().describe("Bytes in and out of the host of this name."),
				low_sample: z.array(z.string()).optional(),
			}),
		)
		.optional()
		.describe("With include_peer_details: what the pings from and to each node say, of raw points."),
	...asked,
});
export type NetworkQuery = z.input<typeof networkQuery>;
export type NetworkAnswer = z.infer<typeof networkAnswer>;

const controlled = z
	.boolean()
	.nullable()
	.describe("All controls satisfied; null while one is not tested. Not legal advice.");
const risk = z
	.enum(["very_low", "low", "medium", "high", "critical"])
	.nullable()
	.describe("Null when it was not evaluated, which is not low.");
export const federatedPrivacyAnswer = z.object({
	privacy_metrics: z.object({
		differential_privacy: z.object({
			epsilon: z.number().nullable().describe("The budget."),
			delta: z.number().nullable().describe("Probability, of the guarantee."),
			noise_level: z.number().nullable().describe("Standard deviation of the noise in the mean update."),
			noise_multiplier: z.number().nullable().describe("Standard deviation of the noise over the clipping norm."),
			privacy_budget_used: z.number().nullable().describe("epsilon_spent / epsilon, a ratio."),
			epsilon_spent: z.number().nullable().describe("What all releases since the first configuration cost at delta."),
			releases: z.number().nullable().describe("Releases that epsilon_spent is the cost of."),
			reason: z.string().nullable().describe("Why epsilon_spent is null, where it cannot be computed."),
		}),
		secure_aggregation: z.object({
			enabled: z.boolean().nullable().describe("Every round of the window was aggregated securely."),
			key_exchanges: count,
			failed_exchanges: count,
			encryption_overhead: ratio.describe("Additional time over the time without, a ratio."),
		}),
		data_minimization: z.object({
			avg_data_per_round: z.number().nullable().describe("KiB that a participant sends in a round."),
			avg_bytes_per_round: z.number().nullable().describe("The same in bytes."),
			compression_ratio: ratio.describe("Bytes sent / bytes before compression."),
			feature_selection_rate: ratio,
		}),
	}),
	compliance: z.object({
		gdpr_compliant: controlled,
		hipaa_compliant: controlled,
		sox_compliant: controlled,
		audit_trail_complete: z.boolean().nullable().describe("Null when no verifier ran within 24 hours."),
		controls: z.array(
			z.object({
				control_id: z.string(),
				profile: z.enum(["gdpr", "hipaa", "sox"]),
				title: z.string(),
				kind: z.enum(["automated", "manual"]),
				status: z
					.enum(["pass", "fail", "not_tested", "manual"])
					.describe("manual: a person has to attest it, and nobody has, or the attestation has expired."),
			}),
		),
	}),
	risk_assessment: z.object({
		membership_inference_risk: risk,
		membership_inference_method: z
			.enum(["attack_eval", "dp_bound"])
			.nullable()
			.describe("An attack that was tried, or the most that the noise lets anyone learn."),
		model_inversion_risk: risk,
		property_inference_risk: risk,
		overall_risk_score: ratio.describe("1 - product of (1 - advantage) of the evaluated attacks."),
		evaluated_attacks: z.array(z.string()),
	}),
	...asked,
});
export type FederatedPrivacyAnswer = z.infer<typeof federatedPrivacyAnswer>;
