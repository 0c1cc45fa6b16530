import type { Definition } from "../../../schema/definitions.ts";
import type { LoadTest, LoadTestAnswer } from "../../../schema/wire/index.ts";
import { compare, overall, type Phase } from "../../measures/load-tests/compare.ts";
import {
	K6_DURATION,
	K6_FAILED,
	K6_VUS,
	type LoadMark,
	type LoadSource,
	loadMarks,
	loadSamples,
	loadSources,
	type Sample,
	type SampledTraffic,
	virtualUsers,
} from "../../measures/load-tests/samples.ts";
import { type Step, stepsOf, usersByMarks } from "../../measures/load-tests/steps.ts";
import type { Scope } from "../../measures/scope.ts";
import { type Signals, signals } from "../../measures/signals.ts";
import { HTTP_NAMES, HTTP_RECORDS } from "../../measures/traffic.ts";
import { type Needs, withMeta } from "../../meta.ts";
import { milliseconds, percentOf, ratio, significant } from "../../rounding.ts";
import type { Asking } from "../../route.ts";

/** Parts of a window that are compared; at least a second long, at most a minute. */
const PARTS = 60;
const UNITS = { error_rate: "1", throughput: "1/s" } as const;

interface Span {
	readonly start: number;
	readonly end: number;
}

/** Where a load test stands at an instant. */
export async function loadTestReport(
	{ asker, now, reach }: Asking,
	{ as_of, timezone }: { readonly as_of: number; readonly timezone: string },
	{ id, body: test, created_at }: Definition<LoadTest>,
): Promise<LoadTestAnswer> {
	const planned_ms = test.duration_minutes * 60_000;
	const around = { start: test.starts_at - planned_ms, end: Math.min(as_of, test.starts_at + planned_ms) };
	const [sent, marks] = await Promise.all([
		asker.ask(signals(as_of)),
		around.end > around.start ? asker.ask(loadMarks(around, test.test_id)) : [],
	]);
	const window = windowOf(test, marks);
	const length = window.end - window.start;
	const spans = {
		baseline: { start: window.start - length, end: window.start },
		during: window,
		after: { start: window.end, end: window.end + length },
	};
	const part_ms = Math.min(Math.max(Math.floor(length / PARTS / 1_000), 1), 60) * 1_000;
	const scopeOf = ({ start, end }: Span): Scope => ({ start, end: Math.max(start, Math.min(end, as_of)), now, reach });
	const during = scopeOf(spans.during);
	const begun = during.end > during.start;
	const found = begun ? await asker.ask(loadSources(during, test.test_id)) : new Set<LoadSource>();
	const source: LoadSource | null = found.has("http") ? "http" : found.has("k6") ? "k6" : null;

	const phaseOf = async (span: Span, tagged: boolean): Promise<Phase> => {
		const scope = scopeOf(span);
		const elapsed_ms = scope.end - scope.start;
		const of: SampledTraffic = { source: tagged ? (source ?? "http") : "http", test_id: test.test_id, tagged };
		const ask = elapsed_ms > 0 && (!tagged || source !== null);
		const samples = ask ? await asker.ask(loadSamples(scope, of, { part_ms })) : new Map<number | null, Sample>();
		const parts = new Map([...samples].filter((entry): entry is [number, Sample] => entry[0] !== null));
		const instrumented = tagged ? source !== null : wasInstrumented(sent, span.start);
		return {
			...{ whole: samples.get(null), parts, partsOver: Math.floor(elapsed_ms / part_ms) },
			...{ part_s: part_ms / 1_000, elapsed_s: elapsed_ms / 1_000, instrumented },
		};
	};
	const phases = {
		baseline: await phaseOf(spans.baseline, false),
		during: await phaseOf(spans.during, true),
		after: await phaseOf(spans.after, false),
	};
	const metrics = test.target_metrics.map((metric) => {
		const { change, after_change, p_value, effect_size, baseline, during, after, reasons, ...rest } = compare(
			metric,
			phases,
			test.thresholds[metric],
		);
		const shown = (value: number | null) => roundedBy(metric, value);
		return {
			metric,
			unit: metric in UNITS ? UNITS[metric as keyof typeof UNITS] : ("ms" as const),
			...{ baseline: shown(baseline), during: shown(during), after: shown(after) },
			...{ change_percentage: percentOf(change), after_change_percentage: percentOf(after_change) },
			...{ effect_size: ratio(effect_size), p_value: significant(p_value), reasons: [...reasons] },
			...rest,
		};
	});
	const steps = source === null ? [] : await stepsFound(during, { test, source, part_ms, marks });
	const { whole } = phases.during;
	const time = (ms: number) => new Date(ms).toISOString();
	const shownSpan = ({ start, end }: Span) => ({ start: time(start), end: time(end) });
	const answer = {
		...{ load_test_id: id, test_id: test.test_id, name: test.name ?? null, duration_minutes: test.duration_minutes },
		...{ target_metrics: test.target_metrics, thresholds: test.thresholds, created_at: created_at.toISOString() },
		status: !begun ? ("scheduled" as const) : as_of < window.end ? ("running" as const) : ("completed" as const),
		progress: ratio(Math.min(1, Math.max(0, (as_of - window.start) / length)))!,
		verdict: begun ? overall(metrics.map(({ verdict }) => verdict)) : null,
		source,
		windows: {
			...{ baseline: shownSpan(spans.baseline), during: shownSpan(spans.during), after: shownSpan(spans.after) },
		},
		traffic: {
			first: whole ? time(whole.first) : null,
			last: whole ? time(whole.last) : null,
			requests: whole?.requests ?? null,
		},
		...{ metrics, steps },
	};
	const methods = {
		"metrics[].during": source === "k6" ? "as k6 measured at the client" : "requests with the tag testid",
		"metrics[].baseline": "requests without this testid, as the service measured them",
		"metrics[].p_value": `Mann–Whitney U over parts of ${part_ms / 1_000} s`,
		"metrics[].effect_size": `Cliff's delta over parts of ${part_ms / 1_000} s`,
	};
	const sketched = ["response_time_p50", "response_time_p95", "response_time_p99"].some((name) =>
		test.target_metrics.some((metric) => metric === name),
	);
	const parts = {
		window: { ...window, timezone },
		data_through: sent.dataThrough("metric"),
		methods,
		...{ sketched: sketched ? ["metrics[].during", "metrics[].baseline", "metrics[].after"] : [] },
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });

	async function stepsFound(
		scope: Scope,
		of: { test: LoadTest; source: LoadSource; part_ms: number; marks: readonly LoadMark[] },
	): Promise<LoadTestAnswer["steps"]> {
		const parts = Math.ceil((scope.end - scope.start) / of.part_ms);
		const byK6 = await asker.ask(virtualUsers(scope, of.test.test_id, of.part_ms));
		const users = byK6.size > 0 ? byK6 : usersByMarks(of.marks, { start: scope.start, part_ms: of.part_ms, parts });
		const levels = stepsOf(users);
		if (levels.length === 0) return [];
		const groups = Array.from({ length: parts }, (_, part) =>
			levels.findIndex(({ from, to }) => part >= from && part < to),
		);
		const which = { source: of.source, test_id: of.test.test_id, tagged: true };
		const samples = await asker.ask(loadSamples(scope, which, { part_ms: of.part_ms, groups }));
		return levels.map((step, index) => shownStep(step, samples.get(index), scope, of.part_ms));
	}
}

/** The planned one, or what the test says of itself. */
function windowOf(test: LoadTest, marks: readonly LoadMark[]): Span {
	const planned = { start: test.starts_at, end: test.starts_at + test.duration_minutes * 60_000 };
	const first = marks.find(({ event }) => event === "load_test.started");
	if (!test.follows_marks || !first) return planned;
	const start = first.ts;
	const ended = marks.findLast(({ event, ts }) => event === "load_test.ended" && ts > start);
	const isOver = ended !== undefined && marks.at(-1) === ended;
	return { start, end: isOver ? ended.ts : start + (planned.end - planned.start) };
}

function shownStep({ vus, from, to }: Step, sample: Sample | undefined, scope: Scope, part_ms: number) {
	const start = scope.start + from * part_ms;
	const end = Math.min(scope.end, scope.start + to * part_ms);
	const requests = sample?.requests ?? 0;
	return {
		...{ vus, start: new Date(start).toISOString(), end: new Date(end).toISOString(), requests },
		response_time: sample ? milliseconds(sample.sum_ms / requests) : null,
		response_time_p95: milliseconds(sample?.p95_ms ?? null),
		error_rate: sample && sample.failed !== null ? ratio(sample.failed / requests) : null,
		throughput: end > start ? significant((1_000 * requests) / (end - start)) : null,
	};
}

function roundedBy(metric: string, value: number | null): number | null {
	if (metric === "error_rate") return ratio(value);
	return metric === "throughput" ? significant(value) : milliseconds(value);
}

/** Whether requests were told of before: then none in the baseline is a throughput of 0. */
function wasInstrumented(sent: Signals, start: number): boolean {
	return HTTP_NAMES.some((name) => (sent.get("metric", name)?.first_seen ?? Number.POSITIVE_INFINITY) <= start);
}

const TESTED = { any: [...HTTP_RECORDS, `metric ${K6_DURATION}`], with: "testid" };
const NEEDS: Needs = {
	...{ source: TESTED, "traffic.first": TESTED, "traffic.last": TESTED, "traffic.requests": TESTED },
	"metrics[].during": TESTED,
	...{ "metrics[].effect_size": TESTED, "metrics[].effect": TESTED, "metrics[].p_value": TESTED },
	...{ "metrics[].baseline": HTTP_RECORDS, "metrics[].after": HTTP_RECORDS },
	...{ "metrics[].change_percentage": HTTP_RECORDS, "metrics[].after_change_percentage": HTTP_RECORDS },
	steps: { any: [`metric ${K6_VUS}`, "event load_test.started", `metric ${K6_FAILED}`], with: "vus" },
};
