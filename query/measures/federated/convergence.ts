/** What the rounds of a training session say: its metric, whether it has converged, and whether it still runs. */

import { median } from "../statistics.ts";
import type { RoundReport, TrainingSession } from "./training.ts";

/** When a training has converged, and when one without an end no longer runs. */
export const TRAINING_RULES = {
	/** Rounds over which a loss that changes by less than `plateau_change` (relative) is a plateau. */
	plateau_rounds: 5,
	plateau_change: 0.001,
	/** A session without an end is stalled after so many of its median round times, and not before so many minutes. */
	stalled_rounds: 6,
	stalled_minutes: 60,
} as const;

export interface Round {
	readonly round: number;
	/** Milliseconds since the epoch. */
	readonly at: number;
	readonly value: (metric: string) => number | null;
}

/** Completed rounds in their order, of the reports of one session. */
export function roundsOf(reports: readonly RoundReport[]): Round[] {
	const byRound = new Map<number, RoundReport[]>();
	for (const report of reports) byRound.set(report.round, [...(byRound.get(report.round) ?? []), report]);
	return [...byRound.entries()]
		.sort(([a], [b]) => a - b)
		.map(([round, of]) => ({
			round,
			at: Math.max(...of.map(({ at }) => at)),
			value: (metric) => meanValue(of, metric),
		}));
}

/** Central evaluation before the mean of the federated ones, weighted by their examples. */
function meanValue(reports: readonly RoundReport[], metric: string): number | null {
	const saying = reports.filter(({ numbers }) => numbers[metric] !== undefined);
	const central = saying.filter((report) => report.central).at(-1);
	if (central) return central.numbers[metric]!;
	const weight = ({ numbers }: RoundReport) => numbers.num_examples ?? 1;
	const weights = saying.reduce((sum, report) => sum + weight(report), 0);
	if (!(weights > 0)) return saying.at(-1)?.numbers[metric] ?? null;
	return saying.reduce((sum, report) => sum + weight(report) * report.numbers[metric]!, 0) / weights;
}

export interface Convergence {
	/** Null when there is nothing to tell it by. */
	readonly achieved: boolean | null;
	readonly reason: "target_reached" | "plateau" | "not_yet" | null;
	/** Accuracy of the last round that reports it. */
	readonly final_accuracy: number | null;
	/** How much better the target metric is than before the first round, in absolute points. */
	readonly improvement: number | null;
}

export function convergenceOf(session: TrainingSession, rounds: readonly Round[]): Convergence {
	const final = lastOf(rounds, session.target_metric);
	const baseline =
		session.baseline_value ?? rounds.find(({ round }) => round === 0)?.value(session.target_metric) ?? null;
	// Of a loss less is better.
	const better = session.target_metric === "loss" ? -1 : 1;
	const losses = rounds.flatMap((round) => round.value("loss") ?? []);
	const { target_value } = session;
	const reached = final !== null && target_value !== null && better * final >= better * target_value;
	const known = target_value === null ? final !== null || losses.length > 0 : final !== null;
	const plateau = isPlateau(losses);
	return {
		achieved: reached || plateau ? true : known ? false : null,
		reason: reached ? "target_reached" : plateau ? "plateau" : known ? "not_yet" : null,
		final_accuracy: lastOf(rounds, "accuracy"),
		improvement: final === null || baseline === null ? null : better * (final - baseline),
	};
}

function lastOf(rounds: readonly Round[], metric: string): number | null {
	return rounds.findLast((round) => round.value(metric) !== null)?.value(metric) ?? null;
}

function isPlateau(losses: readonly number[]): boolean {
	const last = losses.slice(-TRAINING_RULES.plateau_rounds);
	if (last.length < TRAINING_RULES.plateau_rounds) return false;
	const range = Math.max(...last) - Math.min(...last);
	return range === 0 || range < TRAINING_RULES.plateau_change * Math.abs(last[0]!);
}

/** `running`, `stalled`, or what its end says. */
export function statusOf(session: TrainingSession, rounds: readonly Round[], as_of: number): string {
	if (session.ended !== null) return session.end_status || "ended";
	const times = [session.started, ...rounds.map(({ at }) => at)];
	const last = Math.max(...times);
	const lengths = times.slice(1).map((at, i) => Math.max(0, at - times[i]!));
	const timeout = Math.max(
		60_000 * TRAINING_RULES.stalled_minutes,
		TRAINING_RULES.stalled_rounds * (lengths.length > 0 ? median(lengths) : 0),
	);
	return as_of - last < timeout ? "running" : "stalled";
}
