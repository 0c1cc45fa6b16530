/** Whether response times and throughput changed from one week to the next. */
import { mannWhitneyP } from "./statistics.ts";

/** When a change of a week against the week before has a direction. */
export const TREND_RULES = {
	days: 7,
	/** Change from which on there is one, percent. */
	change_percentage: 5,
	/** Highest p of the Mann–Whitney test on hourly values. */
	p_value: 0.05,
	/** Requests that each week needs. */
	minimum_requests: 100,
	directions: {
		response_time: { down: "improving", up: "degrading", even: "stable" },
		throughput: { down: "decreasing", up: "increasing", even: "stable" },
	},
} as const;

export interface Week {
	readonly requests: number;
	/** Of the whole week. */
	readonly value: number | null;
	readonly hourly: readonly number[];
}

export interface Change {
	readonly direction: string;
	/** Percent. */
	readonly change_percentage: number;
	readonly p_value: number;
}

/** The change between two weeks; null when one is too thin, or there is nothing to compare with. */
export function changeOf(name: keyof typeof TREND_RULES.directions, before: Week, now: Week): Change | null {
	const { minimum_requests, change_percentage: bound, directions } = TREND_RULES;
	if (before.requests < minimum_requests || now.requests < minimum_requests) return null;
	if (now.value === null || before.value === null || before.value === 0) return null;
	const change_percentage = (100 * (now.value - before.value)) / before.value;
	const p_value = mannWhitneyP(before.hourly, now.hourly);
	const words = directions[name];
	const shown = p_value < TREND_RULES.p_value && Math.abs(change_percentage) >= bound;
	return {
		direction: shown ? (change_percentage < 0 ? words.down : words.up) : words.even,
		change_percentage,
		p_value,
	};
}
