import type { z } from "zod";
import type { Definition } from "../../schema/definitions.ts";
import {
	KPI_TIMEFRAMES,
	type Kpi,
	type KpiHistoryAnswer,
	type KpiValueAnswer,
	type kpiHistoryQuery,
	type kpiValueQuery,
} from "../../schema/wire/index.ts";
import { judgeKpi, KPI_RULES } from "../kpi-rules.ts";
import { ALL } from "../measures/among.ts";
import { displayOfKpi, kpiParts, kpiStanding, recordsNamed, roundedKpi, silentSums } from "../measures/kpi.ts";
import type { Scope } from "../measures/scope.ts";
import { type Signals, signals } from "../measures/signals.ts";
import { recordNamed } from "../measures/sums.ts";
import { type Needs, withMeta } from "../meta.ts";
import { coverageOf, framesOf } from "../points.ts";
import { quotient } from "../quotient.ts";
import { decimals, percentOf, ratio } from "../rounding.ts";
import type { Asking } from "../route.ts";
import { RULES_VERSION } from "../rules.ts";
import { resolveGrid, resolveWindow } from "../time/window.ts";

const DEFAULT = { timeframes: KPI_TIMEFRAMES, defaultTimeframe: "24h" } as const;
const RATIO = "sum of the numerator / sum of the denominator";
const STATUS = `rules, version ${RULES_VERSION}`;

/** The value of a KPI over the window of a request, and how it stands. */
export async function kpiValue(
	asking: Asking,
	query: z.infer<typeof kpiValueQuery>,
	{ id, body: kpi }: Definition<Kpi>,
): Promise<KpiValueAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { ...DEFAULT, now });
	const sent = await asker.ask(signals(window.as_of));
	const scope: Scope = { start: window.start, end: window.end, newest: sent.newestPoint(), now, reach };
	const { numerator, denominator, format } = kpi.calculation;
	const found = await kpiStanding(asker, scope, sent, kpi);
	const answer = {
		kpi_id: id,
		name: kpi.name,
		timeframe: window.timeframe,
		value: roundedKpi(found.value, format),
		display: displayOfKpi(found.value, format),
		target_value: kpi.target_value,
		attainment: ratio(found.attainment),
		...{ status: found.status, trend: found.trend, trend_direction: kpi.trend_direction },
		previous_value: roundedKpi(found.previous, format),
		change_percentage: percentOf(found.change),
		numerator: { name: numerator, record: recordNamed(sent, numerator), value: decimals(found.numerator, 4) },
		denominator: { name: denominator, record: recordNamed(sent, denominator), value: decimals(found.denominator, 4) },
	};
	const methods = {
		value: RATIO,
		status: STATUS,
		trend: `rules, version ${RULES_VERSION}: stable within ${100 * KPI_RULES.stable_within} %`,
	};
	const evidence = { needs: needsOf(sent, kpi), sent };
	return withMeta(answer, { window, data_through: sent.dataThrough("metric", "event"), methods }, evidence);
}

/** Its values by bucket: each is the ratio of the sums of its bucket, against the target as it is now. */
export async function kpiHistory(
	asking: Asking,
	query: z.infer<typeof kpiHistoryQuery>,
	{ id, body: kpi }: Definition<Kpi>,
): Promise<KpiHistoryAnswer> {
	const { asker, now, reach } = asking;
	const grid = resolveGrid(query, { ...DEFAULT, now });
	const { numerator, denominator, format } = kpi.calculation;
	const sent = await asker.ask(signals(grid.as_of));
	const scope: Scope = { ...grid, newest: sent.newestPoint(), now, reach };
	const byBucket = new Map((await kpiParts(asker, scope, ALL, sent, kpi)).map((part) => [part.t, part]));
	const silent = silentSums(sent, kpi);
	const points = framesOf(grid).map((frame) => {
		const sums = byBucket.get(frame.t) ?? silent;
		const value = quotient(sums.numerator, sums.denominator);
		const { attainment, status } = judgeKpi(value, null, kpi);
		return {
			timestamp: frame.timestamp,
			...{ value: roundedKpi(value, format), attainment: ratio(attainment), status },
			numerator: decimals(sums.numerator, 4),
			denominator: decimals(sums.denominator, 4),
			...(frame.partial ? { partial: true as const } : {}),
		};
	});
	const needs = unsentOf(sent, kpi);
	const answer = {
		...{ kpi_id: id, name: kpi.name, timeframe: grid.timeframe, granularity: grid.buckets.granularity },
		...{ target_value: kpi.target_value, trend_direction: kpi.trend_direction },
		points,
	};
	return withMeta(
		answer,
		{
			window: grid,
			data_through: sent.dataThrough("metric", "event"),
			coverage: coverageOf(points.map(({ value }) => ({ value }))),
			methods: { "points[].value": RATIO, "points[].status": STATUS },
		},
		{
			needs: {
				...Object.fromEntries(["value", "attainment"].map((field) => [`points[].${field}`, needs])),
				"points[].numerator": recordsNamed(numerator),
				"points[].denominator": recordsNamed(denominator),
			},
			sent,
		},
	);
}

/** What the value needs is the first of its two records that nobody sent. */
function unsentOf(sent: Signals, { calculation: { numerator, denominator } }: Kpi): readonly string[] {
	return recordsNamed(recordNamed(sent, numerator) === null ? numerator : denominator);
}

function needsOf(sent: Signals, kpi: Kpi): Needs {
	const { numerator, denominator } = kpi.calculation;
	const derived = ["value", "display", "attainment", "trend", "previous_value", "change_percentage"];
	return {
		...Object.fromEntries(derived.map((field) => [field, unsentOf(sent, kpi)])),
		...{ "numerator.record": recordsNamed(numerator), "numerator.value": recordsNamed(numerator) },
		...{ "denominator.record": recordsNamed(denominator), "denominator.value": recordsNamed(denominator) },
	};
}
