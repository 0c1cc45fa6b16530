/** Load tests against a truth computed here. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadTestAnswer, loadTestsAnswer } from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { type Reads, startReads } from "../../../tests/support/reads.ts";
import { insertEvents, insertSeries } from "../../../tests/support/records.ts";
import { overall, verdictOf } from "../../measures/load-tests/compare.ts";
import { stepsOf, usersByMarks } from "../../measures/load-tests/steps.ts";

const START = Date.UTC(2026, 4, 10, 12);
const MINUTE = 60_000;
const NOW = START + 3 * 60 * MINUTE;
const PATH = "/v1/monitoring/load-tests";
const ID = "load_test_123";

let database: TestDatabase;
let reads: Reads;

/** Requests `every` ms in `[from, to)`, each answered in what `seconds` says. */
function requests(from: number, to: number, every: number, seconds: (i: number) => number) {
	const points: [number, number][] = [];
	for (let ts = from, i = 0; ts < to; ts += every, i++) points.push([ts, seconds(i)]);
	return points;
}
const HTTP = "http.server.request.duration";
const dist = { kind: "distribution" } as const;
const usual = requests(START - 30 * MINUTE, START, 2_000, (i) => 0.1 + (i % 10) / 1_000);
const tested = requests(START, START + 30 * MINUTE, 500, (i) => 0.3 + (i % 20) / 1_000);
const broken = requests(START + 10 * MINUTE, START + 20 * MINUTE, 5_000, () => 1);
const later = requests(START + 30 * MINUTE, START + 60 * MINUTE, 2_000, () => 0.11);

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	reads = await startReads(database.client, {
		projects: ["loaded", "k6", "marked", "empty", "listed", "other"],
		now: NOW,
	});
	const status = (code: string, testid?: string) => ({
		"http.response.status_code": code,
		...(testid === undefined ? {} : { testid }),
	});
	await insertSeries(database.client, "loaded", [
		{ name: HTTP, ...dist, tags: status("200"), points: [...usual, ...later] },
		{ name: HTTP, ...dist, tags: status("200", ID), points: tested },
		{ name: HTTP, ...dist, tags: status("500", ID), points: broken },
		// Of another test at the same time: to this one it is other traffic.
		{ name: HTTP, ...dist, tags: status("200", "another's"), points: [[START + MINUTE, 9]] },
	]);
	await insertSeries(database.client, "other", [
		{ name: HTTP, ...dist, tags: status("200", ID), points: [[START + MINUTE, 99]] },
	]);
	const k6 = { testid: "k6 run 'ü'/1" };
	await insertSeries(database.client, "k6", [
		{ name: "http_req_duration", ...dist, tags: k6, points: requests(START, START + 10 * MINUTE, 1_000, () => 250) },
		{
			name: "http_req_failed",
			tags: k6,
			points: requests(START, START + 10 * MINUTE, 1_000, (i) => (i % 10 === 0 ? 1 : 0)),
		},
		{
			name: "vus",
			tags: k6,
			points: requests(START, START + 10 * MINUTE, 10_000, (i) => (i < 30 ? 5 : 20)),
		},
	]);
	await insertSeries(database.client, "marked", [
		{ name: HTTP, ...dist, tags: status("200", ID), points: requests(START, START + 8 * MINUTE, 1_000, () => 0.2) },
	]);
	await insertEvents(database.client, "marked", [
		{ event: "load_test.started", ts: START, properties: { test_id: ID, vus: 10 } },
		{ event: "load_test.started", ts: START + 4 * MINUTE, properties: { test_id: ID, vus: 50 } },
		{ event: "load_test.ended", ts: START + 8 * MINUTE, properties: { test_id: ID } },
		{ event: "load_test.started", ts: START + 2 * MINUTE, properties: { test_id: "another", vus: 1 } },
	]);
}, 120_000);
afterAll(() => database.stop());

const watch = async (project: string, body: object) => {
	const { status, body: answer } = await reads.send(project, "POST", PATH, body);
	expect(status, JSON.stringify(answer)).toBe(201);
	return loadTestAnswer.parse(answer);
};
const START_TEXT = new Date(START).toISOString();

test("the document's body is watched from now on, and knows nothing before anything comes", async () => {
	const body = { test_id: ID, duration_minutes: 30, target_metrics: ["response_time", "error_rate", "throughput"] };
	const answer = await watch("empty", body);
	expect(answer).toMatchObject({ status: "scheduled", verdict: null, source: null, progress: 0, steps: [] });
	expect(answer.metrics.map(({ metric, during, verdict }) => [metric, during, verdict])).toEqual([
		["response_time", null, "no_data"],
		["error_rate", null, "no_data"],
		["throughput", null, "no_data"],
	]);
	const { body: later } = await reads.get("empty", `${PATH}/${answer.load_test_id}`, { as_of: NOW + 60 * MINUTE });
	expect(later).toMatchObject({ status: "completed", verdict: "no_data", progress: 1, traffic: { requests: null } });
	const missed = later.meta.missing.map(({ field }: { field: string }) => field);
	for (const field of ["source", "traffic.requests", "metrics[].during", "metrics[].baseline", "steps"])
		expect(missed).toContain(field);
});

test("before, during and after are those of the requests, and the other project's are its own", async () => {
	const all = ["response_time", "response_time_p95", "error_rate", "throughput"];
	const made = await watch("loaded", { test_id: ID, duration_minutes: 30, start: START_TEXT, target_metrics: all });
	const byName = Object.fromEntries(made.metrics.map((metric) => [metric.metric, metric]));
	const during = [...tested, ...broken].map(([, value]) => value * 1_000);
	const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
	const before = mean(usual.map(([, value]) => value * 1_000));
	expect(byName.response_time).toMatchObject({
		baseline: Math.round(before),
		during: Math.round(mean(during)),
		after: 110,
		change_percentage: Number((100 * (mean(during) / before - 1)).toFixed(1)),
		effect: "large",
		effect_size: 1,
		verdict: "failed",
	});
	expect(byName.response_time!.p_value).toBeLessThan(1e-6);
	const p95 = [...during].sort((a, b) => a - b)[Math.floor(0.95 * during.length)]!;
	expect(Math.abs(byName.response_time_p95!.during! - p95) / p95).toBeLessThan(0.015);
	expect(byName.error_rate).toMatchObject({ baseline: 0, during: Number((broken.length / during.length).toFixed(4)) });
	expect(byName.throughput).toMatchObject({
		baseline: 0.5,
		during: Number((during.length / 1_800).toPrecision(4)),
		after: 0.5,
		verdict: "passed",
	});
	expect(made).toMatchObject({
		status: "completed",
		verdict: "failed",
		source: "http",
		traffic: { requests: during.length },
	});
	expect(made.windows.baseline).toEqual({ start: new Date(START - 30 * MINUTE).toISOString(), end: START_TEXT });
});

test("while it runs the numbers are those of what is over, and nothing later counts", async () => {
	const { load_test_id } = await watch("loaded", { test_id: ID, duration_minutes: 30, start: START_TEXT });
	const as_of = START + 9 * MINUTE;
	const { body } = await reads.get("loaded", `${PATH}/${load_test_id}`, { as_of });
	const answer = loadTestAnswer.parse(body);
	expect(answer).toMatchObject({ status: "running", progress: 0.3, traffic: { requests: 1_080 } });
	const byName = Object.fromEntries(answer.metrics.map((metric) => [metric.metric, metric]));
	expect(byName.error_rate).toMatchObject({ during: 0, after: null, after_change_percentage: null });
	expect(byName.throughput).toMatchObject({ during: 2, after: null });
	// By the name that the tester gave, too: the newest of that name.
	expect((await reads.get("loaded", `${PATH}/${ID}`, { as_of })).body.load_test_id).toBe(load_test_id);
	expect((await reads.get("other", `${PATH}/${load_test_id}`)).status).toBe(404);
});

test("thresholds decide where there are any", async () => {
	const answer = await watch("loaded", {
		...{ test_id: ID, duration_minutes: 30, start: START_TEXT },
		thresholds: {
			response_time: { max: 400 },
			error_rate: { max: 0.01 },
			throughput: { min: 2, max_change_percentage: 10 },
		},
	});
	expect(answer.metrics.map(({ metric, verdict, reasons }) => [metric, verdict, reasons])).toEqual([
		["response_time", "passed", []],
		["error_rate", "failed", ["over the threshold of 0.01"]],
		["throughput", "passed", []],
	]);
});

test("a k6 run is found by its testid, with its failures and the steps of its users", async () => {
	const answer = await watch("k6", { test_id: "k6 run 'ü'/1", duration_minutes: 10, start: START_TEXT });
	expect(answer).toMatchObject({ source: "k6", traffic: { requests: 600 } });
	expect(answer.metrics.map(({ metric, baseline, during, verdict }) => [metric, baseline, during, verdict])).toEqual([
		["response_time", null, 250, "inconclusive"],
		["error_rate", null, 0.1, "inconclusive"],
		["throughput", null, 1, "inconclusive"],
	]);
	expect(answer.steps).toMatchObject([
		{ vus: 5, requests: 300, response_time: 250, error_rate: 0.1, throughput: 1, start: START_TEXT },
		{ vus: 20, requests: 300, end: new Date(START + 10 * MINUTE).toISOString() },
	]);
});

test("a test that says when it starts and ends is watched then", async () => {
	const late = await startReads(database.client, { projects: ["marked"], now: START + MINUTE });
	const { body } = await late.send("marked", "POST", PATH, { test_id: ID, duration_minutes: 30 });
	expect(body.windows.during).toEqual({ start: START_TEXT, end: new Date(START + 30 * MINUTE).toISOString() });
	const { body: done } = await reads.get("marked", `${PATH}/${body.load_test_id}`);
	const answer = loadTestAnswer.parse(done);
	expect(answer.windows.during.end).toBe(new Date(START + 8 * MINUTE).toISOString());
	expect(answer.steps.map(({ vus, requests: n }) => [vus, n])).toEqual([
		[10, 240],
		[50, 240],
	]);
});

test.each<[object, string]>([
	[{ duration_minutes: 30 }, "test_id"],
	[{ test_id: "a", duration_minutes: 0 }, "duration_minutes"],
	[{ test_id: "a", duration_minutes: 1, target_metrics: ["cpu"] }, "target_metrics.0"],
	[{ test_id: "a", duration_minutes: 1, target_metrics: ["throughput", "throughput"] }, "target_metrics"],
	[{ test_id: "a", duration_minutes: 1, thresholds: { error_rate: { max: "1" } } }, "thresholds.error_rate.max"],
	[{ test_id: "a", duration_minutes: 1, start: "soon" }, "start"],
	[{ test_id: "a", duration_minutes: 1, vus: 3 }, "vus"],
])("a bad body is refused by its member: %j", async (body, parameter) => {
	const { status, body: answer } = await reads.send("empty", "POST", PATH, body);
	expect(status).toBe(400);
	expect(answer.details.parameter).toBe(parameter);
});

describe("verdicts", () => {
	const found = {
		...{ baseline: 100, during: 120, after: null, change: 0.2, after_change: null },
		...{ effect_size: 0.5, effect: "large" as const, p_value: 0.001 },
	};
	test.each([
		["worse, clear and sure", "response_time", found, undefined, "failed"],
		["not sure", "response_time", { ...found, p_value: 0.2 }, undefined, "passed"],
		["not clear", "response_time", { ...found, effect_size: 0.2 }, undefined, "passed"],
		["not worth it", "response_time", { ...found, during: 105, change: 0.05 }, undefined, "passed"],
		["more throughput is not worse", "throughput", found, undefined, "passed"],
		["less is", "throughput", { ...found, during: 80, change: -0.2, effect_size: -0.5 }, undefined, "failed"],
		[
			"errors where there were none",
			"error_rate",
			{ ...found, baseline: 0, during: 0.2, change: null },
			undefined,
			"failed",
		],
		[
			"nothing to compare with",
			"error_rate",
			{ ...found, baseline: null, change: null, effect_size: null, p_value: null },
			undefined,
			"inconclusive",
		],
		["no traffic", "error_rate", { ...found, during: null }, { max: 1 }, "no_data"],
		["at the threshold", "response_time", found, { max: 120 }, "passed"],
		["a change is enough", "response_time", found, { max_change_percentage: 19 }, "failed"],
		[
			"a change that cannot be known",
			"response_time",
			{ ...found, baseline: null, change: null },
			{ max_change_percentage: 19 },
			"inconclusive",
		],
	] as const)("%s", (_what, metric, given, threshold, verdict) => {
		expect(verdictOf(metric, given, threshold).verdict).toBe(verdict);
	});
	test.each([
		[["passed", "failed", "no_data"], "failed"],
		[["passed", "inconclusive"], "inconclusive"],
		[["passed", "passed"], "passed"],
		[["no_data", "no_data"], "no_data"],
		[["passed", "no_data"], "no_data"],
	] as const)("of %j it is %s", (verdicts, verdict) => {
		expect(overall(verdicts)).toBe(verdict);
	});
});

test("a ramp of many levels is told in tenths of the highest; a gap ends a step", () => {
	const ramp = new Map(Array.from({ length: 50 }, (_, part): [number, number] => [part, part + 1]));
	expect(stepsOf(ramp).map(({ vus }) => vus)).toEqual([5, 10, 15, 20, 25, 30, 35, 40, 45, 50]);
	expect(
		stepsOf(
			new Map([
				[0, 5],
				[1, 5.2],
				[3, 5],
			]),
		),
	).toEqual([
		{ vus: 5, from: 0, to: 2 },
		{ vus: 5, from: 3, to: 4 },
	]);
	expect(stepsOf(new Map())).toEqual([]);
	const marks = [
		{ event: "load_test.started", ts: 1_000, vus: 3 },
		{ event: "load_test.ended", ts: 3_000, vus: null },
	] as const;
	expect([...usersByMarks(marks, { start: 0, part_ms: 1_000, parts: 5 })]).toEqual([
		[1, 3],
		[2, 3],
	]);
});

test("load tests are listed newest first, page by page, and forgotten by their id, each in its own project", async () => {
	const made: string[] = [];
	for (const test_id of ["one", "two", "two"]) {
		const { body } = await reads.send("listed", "POST", PATH, { test_id, duration_minutes: 1, name: test_id });
		made.unshift(body.load_test_id);
	}
	const ids = (body: { load_tests: { load_test_id: string }[] }) => body.load_tests.map((one) => one.load_test_id);
	const { body } = await reads.get("listed", PATH, {}, "analytics_viewer");
	expect(loadTestsAnswer.parse(body)).toMatchObject({ total: 3, next_cursor: null });
	expect(ids(body).sort()).toEqual([...made].sort());
	const first = (await reads.get("listed", PATH, { limit: 2 })).body;
	const second = (await reads.get("listed", PATH, { limit: 2, cursor: first.next_cursor })).body;
	expect([...ids(first), ...ids(second)]).toEqual(ids(body));
	const path = `${PATH}/${made[0]}`;
	expect((await reads.send("other", "DELETE", path)).status).toBe(404);
	expect((await reads.send("listed", "DELETE", path, undefined, "analytics_viewer")).status).toBe(403);
	expect((await reads.send("listed", "DELETE", `${PATH}/two`)).status).toBe(404);
	expect((await reads.send("listed", "DELETE", path)).status).toBe(204);
	expect((await reads.get("listed", path)).status).toBe(404);
	expect((await reads.get("listed", PATH)).body.total).toBe(2);
	expect((await reads.get("other", PATH)).body.total).toBe(0);
});

test("a threshold is of a metric that is looked at: one that is not is refused, and without a list it joins the usual", async () => {
	const of = (over: object) => ({
		test_id: "t",
		duration_minutes: 1,
		thresholds: { response_time_p95: { max: 1 } },
		...over,
	});
	const refused = await reads.send("listed", "POST", PATH, of({ target_metrics: ["error_rate"] }));
	expect(refused).toMatchObject({
		status: 400,
		body: { details: { parameter: "thresholds.response_time_p95", valid_options: ["error_rate"] } },
	});
	expect((await reads.send("listed", "POST", PATH, of({}))).body.target_metrics).toEqual([
		...["response_time", "error_rate", "throughput", "response_time_p95"],
	]);
});
