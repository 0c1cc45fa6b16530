/** Calls of language models: how many, how they ended, how long they took and what they used. */
import { tierOf } from "../../schema/granularity.ts";
import type { LivePart } from "../../schema/live/frames.ts";
import type { Source } from "../plan/plan.ts";
import { between, bucketOf, QUANTILES, SKETCH, sketchable, unbiased } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import type { Scope } from "./scope.ts";

export const MODEL_EVENT = "model_inference_completed";
/** What a call without the name of its model is listed under. */
const UNKNOWN_MODEL = "unknown";
/** SQL: the name that answers call a model by. */
export const nameOfModel = (column: string) => `if(${column} = '', '${UNKNOWN_MODEL}', ${column})`;

/** What `model_hours` and `model_days` count, of the rows of `model_calls`; the views that fill them say the same. */
const COUNTS = {
	requests: "count()",
	cancelled: "countIf(outcome = 'cancelled')",
	timeouts: "countIf(outcome = 'timeout')",
	failed: "countIf(outcome = 'error')",
	timed: "count(timed_ms)",
	measured: "count(response_chars)",
	metered: "count(tokens)",
	memory_samples: "count(memory_mb)",
	cpu_samples: "count(cpu_percent)",
} as const;
/** And what they sum up. */
const SUMS = {
	latency_ms: "ifNull(sum(timed_ms), 0)",
	response_chars: "ifNull(sum(response_chars), 0)",
	tokens: "ifNull(sum(tokens), 0)",
	memory_mb: "ifNull(sum(memory_mb), 0)",
	cpu_percent: "ifNull(sum(cpu_percent), 0)",
} as const;
/** Both as arrays in this order: as such they are two expressions, and the time of a long query is that of reading it. */
const ARRAYS = { counts: COUNTS, sums: SUMS } as const;

/** A scope of which only one model may be asked for. */
export interface ModelScope extends Scope {
	/** As the answer names it; absent for all. */
	readonly model?: string | undefined;
	/** Only calls of these accounts; absent for all. Rollups know none: of the source `calls` only. */
	readonly accounts?: readonly string[] | undefined;
}

/** Counts and sums of calls; means are sums by their counts. */
export interface ModelCalls {
	/** Cancelled ones too. */
	readonly requests: number;
	readonly cancelled: number;
	readonly timeouts: number;
	/** Ended by any other error. */
	readonly failed: number;
	/** Calls whose time is known, without timeouts and cancelled ones. */
	readonly timed: number;
	/** Of those, in all. */
	readonly latency_ms: number;
	/** Calls that say how long their answer is, and its characters in all. */
	readonly measured: number;
	readonly response_chars: number;
	/** Calls that say how many tokens they used, and those in all. */
	readonly metered: number;
	readonly tokens: number;
	readonly memory_samples: number;
	readonly memory_mb: number;
	readonly cpu_samples: number;
	readonly cpu_percent: number;
}

/** How calls ended and how long they took, of parts that have just become durable; `model_calls` says the same of stored ones. */
export function modelCallsOf(
	parts: readonly LivePart[],
): Pick<ModelCalls, "requests" | "cancelled" | "timeouts" | "failed" | "timed" | "latency_ms"> {
	const calls = { requests: 0, cancelled: 0, timeouts: 0, failed: 0, timed: 0, latency_ms: 0 };
	for (const { tags, n, sum } of parts) {
		calls.requests += n;
		if (tags.error_type === "timeout") calls.timeouts += n;
		else if (tags.error_type === "cancelled") calls.cancelled += n;
		else {
			if (tags.error_type || tags.success === "false") calls.failed += n;
			if (tags.latency_ms !== "known") continue;
			calls.timed += n;
			calls.latency_ms += sum;
		}
	}
	return calls;
}

export interface Model extends ModelCalls {
	readonly name: string;
	/** Of the calls that were timed, milliseconds; null without one. Relative error: that of a sketch. */
	readonly p95_ms: number | null;
	readonly p99_ms: number | null;
	/** By start of the bucket; one without a call is absent. */
	readonly buckets: ReadonlyMap<number, ModelCalls>;
}

/**
 * Every model that was called within the scope, the most called first.
 * @param source each call, or the rollups of whole hours and days with the calls of the rest: the same, but for windows of millions
 */
export function modelCalls(scope: ModelScope, source: "calls" | "rollups"): Question<Model[]> {
	const params = new Params();
	return {
		name: "model_calls",
		params,
		// Buckets, and all of a model under the time 0, in one pass over the rows. Nothing has no name: that is all models together.
		sql: `SELECT ${modelSums(params, scope, source)}\nGROUP BY name, t WITH ROLLUP HAVING name != ''`,
		read: (rows) => modelsOf(rows as unknown as readonly ModelRow[], scope.buckets === undefined),
	};
}

interface ModelRow {
	readonly name: string;
	readonly t: number;
	readonly counts: readonly number[];
	readonly sums: readonly number[];
	readonly quantiles: readonly number[];
}

/** @param unbucketed that all calls are of one bucket, 0 */
function modelsOf(rows: readonly ModelRow[], unbucketed: boolean): Model[] {
	const models = new Map<string, Model & { readonly buckets: Map<number, ModelCalls> }>();
	for (const { name, t, quantiles, ...row } of rows) {
		const calls = t === 0 ? toCalls(row) : undefined;
		if (calls === undefined) continue;
		const quantile = (level: 0.95 | 0.99) => (calls.timed > 0 ? unbiased(quantiles[QUANTILES.indexOf(level)]!) : null);
		const buckets = new Map(unbucketed ? [[0, calls]] : []);
		models.set(name, { ...calls, name, p95_ms: quantile(0.95), p99_ms: quantile(0.99), buckets });
	}
	for (const { name, t, ...row } of rows) {
		const calls = t === 0 ? undefined : toCalls(row);
		if (calls !== undefined) models.get(name)!.buckets.set(t, calls);
	}
	return [...models.values()].sort((a, b) => b.requests - a.requests || (a.name < b.name ? -1 : 1));
}

/** Undefined where there are sketches alone: those that know no bucket are under 0 too. */
function toCalls(row: Pick<ModelRow, keyof typeof ARRAYS>): ModelCalls | undefined {
	if (row.counts.length === 0) return undefined;
	const values = (of: keyof typeof ARRAYS) => Object.keys(ARRAYS[of]).map((column, i) => [column, row[of][i]]);
	return Object.fromEntries([...values("counts"), ...values("sums")]) as unknown as ModelCalls;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const DAY_S = DAY_MS / 1_000;
/** From that length on a window is made of days, the calls of its ends are then a small part of it; shorter ones of hours. */
const OF_DAYS_MS = 7 * DAY_MS;

/** Which stretches of a window come from where, in milliseconds since the epoch. */
export interface ModelCover {
	/** Whole hours or days UTC; absent where there is none. */
	readonly whole: Span | undefined;
	/** What they are of. */
	readonly step: "hour" | "day";
	/** Whether a bucket begins within a day: sums then come from hours. Sketches are not told apart by bucket. */
	readonly dividesDays: boolean;
	/** Starts of hours that a bucket divides: their sums come from the calls. */
	readonly divided: readonly number[];
}

/** @see ModelCover */
export function modelCover({ start, end, buckets }: Pick<Scope, "start" | "end" | "buckets">): ModelCover {
	const step = end - start < OF_DAYS_MS ? "hour" : "day";
	const whole = wholeSteps({ start, end }, step === "hour" ? HOUR_MS : DAY_MS);
	const inside = (buckets?.starts ?? []).map((t) => t * 1_000).filter((t) => whole && t > whole.start && t < whole.end);
	return {
		whole,
		step,
		dividesDays: inside.some((t) => t % DAY_MS !== 0),
		divided: inside.filter((t) => t % HOUR_MS !== 0).map((t) => t - (t % HOUR_MS)),
	};
}

/** The rollup that most of a window is made of. */
export function modelSource(window: Pick<Scope, "start" | "end" | "buckets">): Source {
	const { whole, step, dividesDays } = modelCover(window);
	if (whole === undefined) return "raw";
	return tierOf(step === "day" && !dividesDays ? "1d" : "1h");
}

function wholeSteps({ start, end }: Span, step: number): Span | undefined {
	const whole = { start: Math.ceil(start / step) * step, end: Math.floor(end / step) * step };
	return whole.start < whole.end ? whole : undefined;
}

/** The columns `counts`, `sums` and `quantiles`, and the rows that they are of, which have `name` and `t`. */
function modelSums(params: Params, scope: ModelScope, source: "calls" | "rollups"): string {
	if (scope.accounts !== undefined && source !== "calls") throw new TypeError("rollups of models know no accounts");
	const cover = modelCover(scope);
	if (source === "calls" || cover.whole === undefined) {
		const where = `${between(params, "ts", scope.start, scope.end)}${ofModel(params, scope)}${ofAccounts(params, scope)}`;
		return `${arraysOf((_, of) => of)}, ${sketchOf("", "timed_ms IS NOT NULL")} AS quantiles,
	${NAME}, ${bucketOf(params, scope.buckets, "ts")} AS t\n${from("model_calls", where)}`;
	}
	const rows = rollupRows(params, scope, { ...cover, whole: cover.whole }).join("\nUNION ALL\n");
	return `name, t, sumForEach(known.counts) AS counts, sumForEach(known.sums) AS sums,
	quantilesDDMerge${SKETCH}(latencies) AS quantiles\nFROM (${rows}) AS known`;
}

/** The columns `counts` and `sums`. @param value of a column of rollups, by what it is of calls */
const arraysOf = (value: (column: string, ofCalls: string) => string, array = (items: string) => items) =>
	Object.entries(ARRAYS)
		.map(([name, columns]) => {
			const items = Object.entries(columns).map(([column, ofCalls]) => value(column, ofCalls));
			return `${array(`[${items.join(", ")}]`)} AS ${name}`;
		})
		.join(", ");

const sketchOf = (state: "State" | "", timed: string) =>
	`quantilesDD${state}If${SKETCH}(${sketchable("assumeNotNull(timed_ms)")}, ${timed})`;

const NAME = `${nameOfModel("model")} AS name`;

const ofModel = (params: Params, { model }: ModelScope) =>
	model === undefined ? "" : ` AND ${nameOfModel("model")} = ${params.add("String", model)}`;

/** Only the event knows whose call it is. */
function ofAccounts(params: Params, { accounts, start, end }: ModelScope): string {
	if (accounts === undefined) return "";
	const where = `event = '${MODEL_EVENT}' AND account_id IN ${params.add("Array(String)", accounts)} AND ${between(params, "ts", start, end)}`;
	return ` AND (ts, id) IN (SELECT ts, id ${from("events", where)})`;
}

/**
 * Subqueries with `name`, `t`, `counts`, `sums` and the sketch `latencies`, of which a row may lack some: sums are told apart by bucket, so where
 * buckets divide days they come by hour, and where they divide hours by call.
 */
function rollupRows(
	params: Params,
	scope: ModelScope,
	{ whole, step, dividesDays, divided }: ModelCover & { readonly whole: Span },
): string[] {
	const model = ofModel(params, scope);
	const second = (ms: number) => `toDateTime(${params.add("UInt32", ms / 1_000)}, 'UTC')`;
	// By its number: a text or a time would be read in the zone of the server.
	const day = (ms: number) => `toDate(${params.add("UInt16", ms / DAY_MS)})`;
	const hours = `hour >= ${second(whole.start)} AND hour < ${second(whole.end)}${model}`;
	const days = `day >= ${day(whole.start)} AND day < ${day(whole.end)}${model}`;
	const isDivided = (hour: string) =>
		`toUnixTimestamp(${hour}) IN ${params.add(
			"Array(UInt32)",
			divided.map((ms) => ms / 1_000),
		)}`;
	const sketches = `SELECT ${NAME}, toUInt32(0) AS t, emptyArrayUInt64() AS counts, emptyArrayFloat64() AS sums, latencies`;
	const ofRollups = arraysOf((column) => column);
	const ofCalls = arraysOf((_, of) => of);
	const parts: string[] = [];
	if (step === "day" && !dividesDays) {
		// Where buckets are days, each is its own.
		const runs = scope.buckets?.runs ?? [];
		const isBucket = runs.length > 0 && runs.every((run) => run.step === DAY_S && run.start % DAY_S === 0);
		const midnight = "toDateTime(day, 'UTC')";
		const t = isBucket ? `toUnixTimestamp(${midnight})` : bucketOf(params, scope.buckets, midnight);
		parts.push(`SELECT ${NAME}, ${t} AS t, ${ofRollups}, latencies ${from("model_days", days)}`);
	} else {
		const undivided = (array: string) => `if(${isDivided("hour")}, [], ${array})`;
		const arrays = divided.length === 0 ? ofRollups : arraysOf((column) => column, undivided);
		const latencies = step === "hour" ? "latencies" : `${NO_SKETCH} AS latencies`;
		const t = bucketOf(params, scope.buckets, "hour");
		parts.push(`SELECT ${NAME}, ${t} AS t, ${arrays}, ${latencies} ${from("model_hours", hours)}`);
		if (step === "day") parts.push(`${sketches} ${from("model_days", days)}`);
	}
	const ends = [
		{ start: scope.start, end: whole.start },
		{ start: whole.end, end: scope.end },
	].filter((span) => span.start < span.end);
	if (ends.length > 0 || divided.length > 0) {
		const atEnds = ends.map((span) => `(${between(params, "ts", span.start, span.end)})`).join(" OR ") || "0";
		const dividedHours = `${between(params, "ts", scope.start, scope.end)} AND ${isDivided("toStartOfHour(toDateTime(ts, 'UTC'), 'UTC')")}`;
		const where = `(${atEnds}${divided.length > 0 ? ` OR (${dividedHours})` : ""})${model}`;
		const timed = divided.length > 0 ? `timed_ms IS NOT NULL AND (${atEnds})` : "timed_ms IS NOT NULL";
		parts.push(
			`SELECT ${NAME}, ${bucketOf(params, scope.buckets, "ts")} AS t, ${ofCalls}, ${sketchOf("State", timed)} AS latencies
${from("model_calls", where)} GROUP BY name, t`,
		);
	}
	return parts;
}

const NO_SKETCH = `arrayReduce('quantilesDDState${SKETCH}', emptyArrayFloat64())`;
