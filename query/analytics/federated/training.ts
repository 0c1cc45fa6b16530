import type { z } from "zod";
import { type FederatedTrainingAnswer, federatedQuery, federatedTrainingAnswer } from "../../../schema/wire/index.ts";
import { convergenceOf, type Round, roundsOf, statusOf } from "../../measures/federated/convergence.ts";
import { FL } from "../../measures/federated/records.ts";
import {
	roundReports,
	type TrainingPart,
	type TrainingSession,
	trainingParts,
	trainingSessions,
} from "../../measures/federated/training.ts";
import { type Signals, signals } from "../../measures/signals.ts";
import { type NeededRecords, type Needs, withMeta } from "../../meta.ts";
import { meanOf } from "../../quotient.ts";
import { decimals, ratio, significant } from "../../rounding.ts";
import { type Asking, read } from "../../route.ts";
import { resolveWindow } from "../../time/window.ts";

const UPDATE = `event ${FL.update}`;
const ROUND = `event ${FL.round}`;
const ENDED = [`event ${FL.ended}`];
const IMPROVEMENT: NeededRecords = {
	all: [
		{ any: [`event ${FL.started}`], with: "baseline_value" },
		{ any: [ROUND], with: "accuracy" },
	],
};
const NEEDS: Needs = {
	training_sessions: `event ${FL.started}`,
	"training_sessions[].model": { any: [`event ${FL.started}`], with: "model" },
	"training_sessions[].completed_at": ENDED,
	"training_sessions[].duration_minutes": ENDED,
	"training_sessions[].participants.total": UPDATE,
	"training_sessions[].participants.active": { all: [UPDATE, ROUND] },
	"training_sessions[].participants.dropped": UPDATE,
	"training_sessions[].rounds": ROUND,
	"training_sessions[].convergence.achieved": { any: [ROUND], with: "accuracy" },
	"training_sessions[].convergence.reason": { any: [ROUND], with: "accuracy" },
	"training_sessions[].convergence.final_accuracy": { any: [ROUND], with: "accuracy" },
	"training_sessions[].convergence.improvement": IMPROVEMENT,
	"training_sessions[].resource_usage.total_compute_hours": { any: [UPDATE], with: "compute_seconds" },
	"training_sessions[].resource_usage.avg_bandwidth_mbps": { any: [UPDATE], with: "bytes_up" },
	"training_sessions[].resource_usage.data_transferred_gb": { any: [UPDATE], with: "bytes_up" },
	"aggregated_metrics.total_sessions": `event ${FL.started}`,
	"aggregated_metrics.avg_participants": { all: [ENDED, UPDATE] },
	"aggregated_metrics.avg_duration_hours": ENDED,
	"aggregated_metrics.success_rate": ENDED,
	"aggregated_metrics.avg_improvement": IMPROVEMENT,
	"aggregated_metrics.sessions_with_improvement": `event ${FL.started}`,
};

/** `GET /analytics/federated/training` */
export const federatedTrainingRead = read({
	path: "/analytics/federated/training",
	summary: "Federated training sessions: progress, participants, convergence, resources",
	description: "Sessions that started in the window (default: 30 days); what they did until as_of counts.",
	query: federatedQuery,
	answer: federatedTrainingAnswer,
	needs: NEEDS,
	ask: federatedTraining,
});

type Session = FederatedTrainingAnswer["training_sessions"][number];

async function federatedTraining(
	{ asker, now }: Asking,
	query: z.infer<typeof federatedQuery>,
): Promise<FederatedTrainingAnswer> {
	const window = resolveWindow(query, { timeframes: ["30d"], defaultTimeframe: "30d", now });
	const [sent, found] = await Promise.all([asker.ask(signals(window.as_of)), asker.ask(trainingSessions(window))]);
	const ids = found.map(({ session_id }) => session_id);
	const [reports, parts] =
		ids.length === 0
			? [[], []]
			: await Promise.all([asker.ask(roundReports(ids, window.as_of)), asker.ask(trainingParts(ids, window.as_of))]);
	const [reportsOf, partsOf] = [bySession(reports), bySession(parts)];
	const outcomes = found.map((session) =>
		outcomeOf(session, roundsOf(reportsOf.get(session.session_id) ?? []), partsOf.get(session.session_id) ?? [], {
			sent,
			as_of: window.as_of,
		}),
	);
	return withMeta(
		{
			training_sessions: outcomes.map(({ shown }) => shown),
			aggregated_metrics: aggregated(outcomes, sent),
		},
		{
			window,
			data_through: sent.dataThrough("event"),
			methods: {
				"training_sessions[].convergence.achieved":
					"target value reached, or the loss changed by less than 0.1 % over the last 5 rounds",
				"training_sessions[].convergence.final_accuracy": "central evaluation, else the federated mean by num_examples",
				"training_sessions[].resource_usage.total_compute_hours":
					"compute_seconds x devices, one device where none is named",
				"training_sessions[].status": "stalled after 6 median round times, at least an hour, without a round or an end",
			},
		},
		{ needs: NEEDS, sent },
	);
}

interface Outcome {
	readonly shown: Session;
	/** Not rounded. */
	readonly improvement: number | null;
	readonly duration_ms: number | null;
}

function outcomeOf(
	session: TrainingSession,
	rounds: readonly Round[],
	parts: readonly TrainingPart[],
	{ sent, as_of }: { sent: Signals; as_of: number },
): Outcome {
	const last = rounds.at(-1)?.round;
	const convergence = convergenceOf(session, rounds);
	const elapsed_ms = (session.ended ?? as_of) - session.started;
	const duration_ms = session.ended === null ? null : elapsed_ms;
	const bytes = sumOf(parts.map((part) => part.bytes));
	const compute_seconds = sumOf(parts.map((part) => part.compute_seconds));
	const moving = parts.filter((part) => part.bytes !== null);
	const updates = sent.hasEvent(FL.update);
	const shown: Session = {
		session_id: session.session_id,
		model: session.model || null,
		status: statusOf(session, rounds, as_of),
		started_at: new Date(session.started).toISOString(),
		completed_at: session.ended === null ? null : new Date(session.ended).toISOString(),
		duration_minutes: minutes(duration_ms),
		elapsed_minutes: minutes(elapsed_ms)!,
		participants: {
			total: updates ? parts.length : null,
			active:
				updates && sent.hasEvent(FL.round)
					? parts.filter(({ ok_rounds }) => last !== undefined && ok_rounds.includes(last)).length
					: null,
			dropped: updates ? parts.filter(({ dropped }) => dropped).length : null,
		},
		rounds: sent.hasEvent(FL.round) ? Math.max(0, last ?? 0) : null,
		convergence: {
			achieved: convergence.achieved,
			reason: convergence.reason,
			final_accuracy: ratio(convergence.final_accuracy),
			improvement: ratio(convergence.improvement),
		},
		resource_usage: {
			total_compute_hours: compute_seconds === null ? null : decimals(compute_seconds / 3_600, 3),
			avg_bandwidth_mbps:
				bytes === null || elapsed_ms <= 0
					? null
					: significant((8 * bytes) / moving.length / (elapsed_ms / 1_000) / 1e6),
			data_transferred_gb: bytes === null ? null : decimals(bytes / 2 ** 30, 4),
		},
	};
	return { shown, improvement: convergence.improvement, duration_ms };
}

function aggregated(outcomes: readonly Outcome[], sent: Signals): FederatedTrainingAnswer["aggregated_metrics"] {
	const ended = outcomes.filter(({ duration_ms }) => duration_ms !== null);
	const withStatus = (status: RegExp) => ended.filter(({ shown }) => status.test(shown.status)).length;
	const completed = withStatus(/^completed$/);
	const decided = completed + withStatus(/^(failed|cancell?ed)$/);
	const improvements = ended.flatMap(({ improvement }) => improvement ?? []);
	return {
		total_sessions: sent.hasEvent(FL.started) ? outcomes.length : null,
		avg_participants: decimals(meanOf(ended.flatMap(({ shown }) => shown.participants.total ?? [])), 2),
		avg_duration_hours: decimals(meanOf(ended.map(({ duration_ms }) => duration_ms! / 3_600_000)), 2),
		success_rate: decided === 0 ? null : ratio(completed / decided),
		avg_improvement: ratio(meanOf(improvements)),
		sessions_with_improvement: sent.hasEvent(FL.started) ? improvements.length : null,
	};
}

function bySession<T extends { readonly session_id: string }>(rows: readonly T[]): ReadonlyMap<string, readonly T[]> {
	const groups = new Map<string, T[]>();
	for (const row of rows) {
		const group = groups.get(row.session_id);
		if (group) group.push(row);
		else groups.set(row.session_id, [row]);
	}
	return groups;
}

/** Of those that are known; null when none is. */
function sumOf(values: readonly (number | null)[]): number | null {
	const known = values.filter((value) => value !== null);
	return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
}

const minutes = (ms: number | null) => (ms === null ? null : decimals(ms / 60_000, 1));
