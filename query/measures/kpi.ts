/**
 * What a KPI says: the ratio of two sums, never a mean of ratios. Its value over a window with attainment, status and trend, and its
 * two sums by bucket and label set. Routes, rules, dashboards and reports ask here.
 */
import type { Kpi } from "../../schema/wire/index.ts";
import { growth } from "../growth.ts";
import { judgeKpi, type KpiWords } from "../kpi-rules.ts";
import { RetentionError } from "../plan/plan.ts";
import { quotient } from "../quotient.ts";
import { decimals, percentOf, significant } from "../rounding.ts";
import type { Question } from "../sql.ts";
import { precedingSpan, type Span } from "../time/period.ts";
import type { Among, Grouped } from "./among.ts";
import { eventCounts } from "./counts.ts";
import { customMetric } from "./custom.ts";
import { wholeOfEvents } from "./kept.ts";
import { eventOccurrences } from "./occurrences.ts";
import { over, type Scope, secondsOf } from "./scope.ts";
import type { Signals } from "./signals.ts";
import { metricSum, recordNamed } from "./sums.ts";

interface Asks {
	ask<T>(question: Question<T>): Promise<T>;
}

/** As computed; {@link roundedKpi} is for the edge. */
export interface KpiStanding extends KpiWords {
	readonly value: number | null;
	/** Sum of the metric or count of the event; null when nobody ever sent the name. */
	readonly numerator: number | null;
	readonly denominator: number | null;
	/** Of the window before; null when it is not known, or begins before the project's first record. */
	readonly previous: number | null;
	/** (value - previous) / previous, a ratio. */
	readonly change: number | null;
}

/**
 * Value of a KPI over `[scope.start, scope.end)`, against its target and the window before.
 * @param sent what was sent before `as_of`
 * @param before what it is compared with: the window of the same length before, or the calendar's to the same time
 * @throws RetentionError, and as `ask`
 */
export async function kpiStanding(
	asker: Asks,
	scope: Scope,
	sent: Signals,
	kpi: Kpi,
	before: Span = precedingSpan(scope),
): Promise<KpiStanding> {
	const { numerator, denominator } = kpi.calculation;
	const window = over(scope, scope.start, scope.end);
	const windowBefore = over(scope, before.start, before.end);
	const [above, below, aboveBefore, belowBefore] = await Promise.all([
		sumOf(asker, sent, window, numerator),
		sumOf(asker, sent, window, denominator),
		ifKept(sumOf(asker, sent, windowBefore, numerator)),
		ifKept(sumOf(asker, sent, windowBefore, denominator)),
	]);
	const first = sent.comparableFrom();
	const value = quotient(above, below);
	const previous = first !== null && first <= before.start ? quotient(aboveBefore, belowBefore) : null;
	return {
		...{ value, numerator: above, denominator: below, previous },
		change: growth(value, previous, { sent, previousStart: before.start }),
		...judgeKpi(value, previous, kpi),
	};
}

/** The two sums of a KPI; null of a name that nobody ever sent. */
export interface KpiSums {
	readonly numerator: number | null;
	readonly denominator: number | null;
}

/** Sums of a window without any record of either. */
export function silentSums(sent: Signals, { calculation: { numerator, denominator } }: Kpi): KpiSums {
	const silent = (name: string) => (recordNamed(sent, name) === null ? null : 0);
	return { numerator: silent(numerator), denominator: silent(denominator) };
}

/**
 * Sums over the windows of a scope, wherever there is a record of one of the two.
 * @param sent what was sent before `as_of`
 * @throws RetentionError, and as `ask`
 */
export async function kpiParts(
	asker: Asks,
	scope: Scope,
	among: Among,
	sent: Signals,
	kpi: Kpi,
): Promise<Grouped<KpiSums>[]> {
	const { calculation } = kpi;
	const isOfEvents = [calculation.numerator, calculation.denominator].some(
		(name) => recordNamed(sent, name) === "event",
	);
	const isWhole = isOfEvents ? wholeOfEvents(scope) : () => true;
	const [above, below] = await Promise.all([
		sumsAmong(asker, sent, scope, among, calculation.numerator),
		sumsAmong(asker, sent, scope, among, calculation.denominator),
	]);
	const key = ({ group, t }: Grouped<unknown>) => JSON.stringify([group, t]);
	const silent = silentSums(sent, kpi);
	const parts = new Map<string, Grouped<KpiSums>>();
	const add = (sum: Grouped<unknown>, found: Partial<KpiSums>) =>
		parts.set(key(sum), { group: sum.group, t: sum.t, ...silent, ...parts.get(key(sum)), ...found });
	for (const sum of above) add(sum, { numerator: sum.value });
	for (const sum of below) add(sum, { denominator: sum.value });
	return [...parts.values()].filter(({ t }) => isWhole(t));
}

async function sumsAmong(
	asker: Asks,
	sent: Signals,
	scope: Scope,
	among: Among,
	name: string,
): Promise<readonly Grouped<{ readonly value: number }>[]> {
	const record = recordNamed(sent, name);
	if (record === null) return [];
	if (record === "event")
		return (await asker.ask(eventOccurrences(scope, name, among))).map(({ group, t, n }) => ({ group, t, value: n }));
	const sum = { metric: name, aggregation: "sum", kinds: [], seconds: secondsOf(scope), ...among } as const;
	return (await asker.ask(customMetric(scope, sum))).map(({ group, t, value }) => ({ group, t, value: value ?? 0 }));
}

/** Null when nobody ever sent the name. */
async function sumOf(asker: Asks, sent: Signals, scope: Scope, name: string): Promise<number | null> {
	const record = recordNamed(sent, name);
	if (record === null) return null;
	if (record === "metric") return asker.ask(metricSum(scope, name));
	wholeOfEvents(scope);
	return (await asker.ask(eventCounts(scope, [name]))).get(name) ?? 0;
}

/** A window to compare with may reach further back than what is kept. */
function ifKept(sum: Promise<number | null>): Promise<number | null> {
	return sum.catch((error: unknown) => {
		if (error instanceof RetentionError) return null;
		throw error;
	});
}

type Format = Kpi["calculation"]["format"];

/** Numbers of any size keep four digits: a price of one call is as good a KPI as a share. */
export function roundedKpi(value: number | null, format: Format): number | null {
	return format !== "number" || (value !== null && Math.abs(value) >= 1) ? decimals(value, 4) : significant(value);
}

/** The value as people read it. */
export function displayOfKpi(value: number | null, format: Format): string | null {
	return value === null ? null : format === "percentage" ? `${percentOf(value)}%` : String(roundedKpi(value, format));
}

/** Records that a name may stand for, as `meta.missing` names them. */
export function recordsNamed(name: string): readonly string[] {
	return [`metric ${name}`, `event ${name}`];
}
