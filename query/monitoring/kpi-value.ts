import type { z } from "zod";
import type { Definition } from "../../schema/definitions.ts";
import { KPI_TIMEFRAMES, type Kpi, type KpiValueAnswer, type kpiValueQuery } from "../../schema/wire/index.ts";
import { growth } from "../growth.ts";
import { judgeKpi, KPI_RULES } from "../kpi-rules.ts";
import { eventCounts } from "../measures/counts.ts";
import { over, type Scope } from "../measures/scope.ts";
import { type Signals, signals } from "../measures/signals.ts";
import { metricSum, recordNamed } from "../measures/sums.ts";
import { type Needs, withMeta } from "../meta.ts";
import { RetentionError } from "../plan/plan.ts";
import { quotient } from "../quotient.ts";
import { decimals, percentOf, ratio, significant } from "../rounding.ts";
import type { Asking } from "../route.ts";
import { RULES_VERSION } from "../rules.ts";
import { precedingSpan } from "../time/period.ts";
import { resolveWindow } from "../time/window.ts";

/** The value of a KPI over the window of a request, and how it stands. */
export async function kpiValue(
	asking: Asking,
	query: z.infer<typeof kpiValueQuery>,
	{ id, body: kpi }: Definition<Kpi>,
): Promise<KpiValueAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: KPI_TIMEFRAMES, defaultTimeframe: "24h", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const sent = await asker.ask(signals(window.as_of));
	const { numerator, denominator, format } = kpi.calculation;
	const previous = precedingSpan(window);
	const [above, below, aboveBefore, belowBefore] = await Promise.all([
		sumOf(asking, sent, scope, numerator),
		sumOf(asking, sent, scope, denominator),
		...[numerator, denominator].map((name) =>
			ifKept(sumOf(asking, sent, over(scope, previous.start, previous.end), name)),
		),
	]);
	const first = sent.firstRecord();
	const value = quotient(above, below);
	const before = first !== null && first <= previous.start ? quotient(aboveBefore, belowBefore) : null;
	const { attainment, status, trend } = judgeKpi(value, before, kpi);
	const answer = {
		kpi_id: id,
		name: kpi.name,
		timeframe: window.timeframe,
		value: rounded(value, format),
		display: display(value, format),
		target_value: kpi.target_value,
		attainment: ratio(attainment),
		...{ status, trend, trend_direction: kpi.trend_direction },
		previous_value: rounded(before, format),
		change_percentage: percentOf(growth(value, before, { sent, previousStart: previous.start })),
		numerator: { name: numerator, record: recordNamed(sent, numerator), value: decimals(above, 4) },
		denominator: { name: denominator, record: recordNamed(sent, denominator), value: decimals(below, 4) },
	};
	const methods = {
		value: "sum of the numerator / sum of the denominator",
		status: `rules, version ${RULES_VERSION}`,
		trend: `rules, version ${RULES_VERSION}: stable within ${100 * KPI_RULES.stable_within} %`,
	};
	const evidence = { needs: needsOf(sent, numerator, denominator), sent };
	return withMeta(answer, { window, data_through: sent.dataThrough("metric", "event"), methods }, evidence);
}

/** Null when nobody ever sent the name. */
async function sumOf({ asker }: Asking, sent: Signals, scope: Scope, name: string): Promise<number | null> {
	const record = recordNamed(sent, name);
	if (record === null) return null;
	if (record === "metric") return asker.ask(metricSum(scope, name));
	return (await asker.ask(eventCounts(scope, [name]))).get(name) ?? 0;
}

/** A window to compare with may reach further back than what is kept. */
function ifKept(sum: Promise<number | null>): Promise<number | null> {
	return sum.catch((error: unknown) => {
		if (error instanceof RetentionError) return null;
		throw error;
	});
}

/** Numbers of any size keep four digits: a price of one call is as good a KPI as a share. */
function rounded(value: number | null, format: Kpi["calculation"]["format"]): number | null {
	return format !== "number" || (value !== null && Math.abs(value) >= 1) ? decimals(value, 4) : significant(value);
}

function display(value: number | null, format: Kpi["calculation"]["format"]): string | null {
	return value === null ? null : format === "percentage" ? `${percentOf(value)}%` : String(rounded(value, format));
}

/** What the value needs is the first of its two records that nobody sent. */
function needsOf(sent: Signals, numerator: string, denominator: string): Needs {
	const recordsOf = (name: string) => [`metric ${name}`, `event ${name}`];
	const unsent = recordNamed(sent, numerator) === null ? numerator : denominator;
	const derived = ["value", "display", "attainment", "trend", "previous_value", "change_percentage"];
	return {
		...Object.fromEntries(derived.map((field) => [field, recordsOf(unsent)])),
		...{ "numerator.record": recordsOf(numerator), "numerator.value": recordsOf(numerator) },
		...{ "denominator.record": recordsOf(denominator), "denominator.value": recordsOf(denominator) },
	};
}
