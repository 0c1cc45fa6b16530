/** One number for how well the system does, and what it is made of. */

import { APDEX_T_MS } from "../../schema/wire/index.ts";

/** Weights and bounds of the performance score. */
export const SCORE_RULES = {
	weights: { latency: 0.4, errors: 0.3, availability: 0.2, saturation: 0.1 },
	/** T of Apdex, milliseconds: satisfied up to T, tolerating up to 4 T. */
	apdex_t_ms: APDEX_T_MS,
	/** Error rate of no points. */
	error_rate_worst: 0.05,
	/** Availability of no points. */
	availability_worst: 0.99,
	/** Utilisation up to which all points are given; at 1 there are none. */
	utilization_best: 0.7,
	minimum_parts: 2,
	minimum_requests: 100,
} as const;

/** What the parts are made of; null is what is not known. All are ratios. */
export interface ScoreEvidence {
	readonly requests: number;
	readonly apdex: number | null;
	readonly error_rate: number | null;
	readonly availability: number | null;
	/** 0.95 quantile of the busiest resource. */
	readonly utilization: number | null;
}

export type ScorePart = keyof typeof SCORE_RULES.weights;
export interface ScoredPart {
	/** Published weight. */
	readonly weight: number;
	/** What the part is made of, and its points from 0 to 1. */
	readonly value: number | null;
	readonly score: number | null;
}

export interface Score {
	/** From 0 to 100; null of too few parts or requests. */
	readonly score: number | null;
	readonly parts: Readonly<Record<ScorePart, ScoredPart>>;
}

/** Apdex: tolerating requests count half, failed ones not at all. Null without a request. */
export function apdexScore(counts: { requests: number; satisfied: number; tolerating: number }): number | null {
	return counts.requests === 0 ? null : (counts.satisfied + counts.tolerating / 2) / counts.requests;
}

/** Mean of the parts that are known, by their weights. */
export function performanceScore(evidence: ScoreEvidence): Score {
	const { weights, error_rate_worst, availability_worst, utilization_best } = SCORE_RULES;
	const part = (name: ScorePart, value: number | null, points: (value: number) => number): ScoredPart => ({
		weight: weights[name],
		value,
		score: value === null ? null : Math.min(1, Math.max(0, points(value))),
	});
	const parts = {
		latency: part("latency", evidence.apdex, (apdex) => apdex),
		errors: part("errors", evidence.error_rate, (rate) => 1 - rate / error_rate_worst),
		availability: part(
			"availability",
			evidence.availability,
			(share) => (share - availability_worst) / (1 - availability_worst),
		),
		saturation: part(
			"saturation",
			evidence.utilization,
			(used) => 1 - Math.max(0, (used - utilization_best) / (1 - utilization_best)),
		),
	};
	const known = Object.values(parts).filter(({ score }) => score !== null);
	const enough = known.length >= SCORE_RULES.minimum_parts && evidence.requests >= SCORE_RULES.minimum_requests;
	const sum = known.reduce((total, { weight, score }) => total + weight * score!, 0);
	const weight = known.reduce((total, found) => total + found.weight, 0);
	return { score: enough ? (100 * sum) / weight : null, parts };
}
