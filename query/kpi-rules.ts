import type { Kpi, KpiValueAnswer } from "../schema/wire/index.ts";

/** How the words of a KPI follow from its numbers. */
export const KPI_RULES = {
	/** A value within this share of the one before is stable; a difference that is no more than the error of a sum is none. */
	stable_within: 0.01,
	/** Relative distance at which a value counts as its target. */
	same_within: 1e-9,
} as const;

export type KpiWords = Pick<KpiValueAnswer, "attainment" | "status" | "trend">;

/**
 * Attainment, status and trend of a value.
 * @param before the value of the window before; null when it is not known or not to be compared with
 */
export function judgeKpi(
	value: number | null,
	before: number | null,
	{ target_value: target, trend_direction }: Pick<Kpi, "target_value" | "trend_direction">,
): KpiWords {
	if (value === null) return { attainment: null, status: "no_data", trend: null };
	const sign = trend_direction === "higher_is_better" ? 1 : -1;
	const [part, whole] = sign === 1 ? [value, target] : [target, value];
	const slack = KPI_RULES.same_within * Math.max(Math.abs(value), Math.abs(target));
	return {
		attainment: whole === 0 ? null : part / whole,
		status: sign * (value - target) >= -slack ? "on_target" : "off_target",
		trend: before === null ? null : trendOf(sign * (value - before), Math.abs(before)),
	};
}

function trendOf(gain: number, base: number): KpiWords["trend"] {
	// From nothing every step is one.
	if (Math.abs(gain) <= KPI_RULES.stable_within * base * (1 + KPI_RULES.same_within)) return "stable";
	return gain > 0 ? "improving" : "declining";
}
