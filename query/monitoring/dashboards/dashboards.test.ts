import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { unavailable } from "../../../http/errors.ts";
import { AuditLog } from "../../../schema/audit.ts";
import { Definitions } from "../../../schema/definitions.ts";
import {
	businessAnswer,
	type Dashboard,
	dashboardAnswer,
	dashboardBody,
	dashboardDataAnswer,
	dashboardFile,
	dashboardsAnswer,
	kpiBody,
	type NewWidget,
	type WidgetData,
} from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { startProxy } from "../../../tests/support/proxy.ts";
import { randomFrom } from "../../../tests/support/random.ts";
import { type Reads, startReads } from "../../../tests/support/reads.ts";
import {
	insertEvents,
	insertLogs,
	insertSeries,
	type TestEvent,
	type TestLog,
} from "../../../tests/support/records.ts";
import { reachOf } from "../../measures/scope.ts";
import { Queries, type Run } from "../../run.ts";
import { Boards } from "./data.ts";

const HOUR = 3_600_000;
const NOW = Date.parse("2026-11-18T15:07:23.456Z");
const PATH = "/v1/monitoring/dashboards";
const HTTP = "http.server.request.duration";
const ODD = `odd "ü" /x' OR 1=1`;
/** The document's own example. */
const BODY = {
	name: "Custom Operations Dashboard",
	widgets: [
		{ type: "line_chart", title: "API Response Time", metric: "response_time", timeframe: "24h" },
		{ type: "gauge", title: "System Health Score", metric: "health_score", min_value: 0, max_value: 100 },
		{ type: "counter", title: "Total Requests Today", metric: "requests_count", timeframe: "1d" },
	] satisfies NewWidget[],
};

let database: TestDatabase;
let reads: Reads;
const u = randomFrom(11);
const requests: { ts: number; ms: number; component: string; route: string; status: number }[] = [];
const depths: { ts: number; value: number; host: string }[] = [];
const logs: TestLog[] = [];
const events: TestEvent[] = [];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["a", "b", "empty", "crud", "other", "moved", "short"];
	reads = await startReads(database.client, { projects, now: NOW, own: { short: { events: 7, logs: 7 } } });
	const at = () => Math.floor(NOW - 60 * HOUR + u() * 60 * HOUR);
	for (let i = 0; i < 900; i++) {
		const component = i % 3 === 0 ? "api" : ODD;
		requests.push({
			ts: at(),
			ms: 1 + Math.floor(u() * 900),
			component,
			route: `/r${i % 4}`,
			status: i % 9 === 0 ? 503 : 200,
		});
	}
	for (let i = 0; i < 300; i++) depths.push({ ts: at(), value: Math.round(u() * 100), host: `h${(i >> 2) % 3}` });
	for (let i = 0; i < 300; i++) {
		const level = ["info", "warning", "error"][i % 3]!;
		logs.push({ ts: at(), message: `line ${i} ${i % 2 ? "disk full" : "fine"}`, level, component: i % 4 ? "db" : ODD });
	}
	for (let i = 0; i < 300; i++)
		events.push({
			event: i % 4 ? "visit" : "order paid",
			ts: at(),
			user_id: `u${i % 20}`,
			properties: { plan: i % 2 ? "pro" : "free" },
		});
	for (const project of ["a", "other"]) {
		const part = project === "a" ? 1 : 3;
		const only = <T>(all: readonly T[]) => all.filter((_, i) => i % part === 0);
		const series = new Map<
			string,
			{ name: string; kind: "distribution"; tags: Record<string, string>; points: [number, number][] }
		>();
		for (const { ts, ms, component, route, status } of only(requests)) {
			const tags = { component, "http.route": route, "http.response.status_code": String(status) };
			const fresh = { name: HTTP, kind: "distribution" as const, tags, points: [] as [number, number][] };
			const one = series.get(JSON.stringify(tags)) ?? fresh;
			one.points.push([ts, ms / 1_000]);
			series.set(JSON.stringify(tags), one);
		}
		const hosts = ["h0", "h1", "h2"].map((host) => ({
			...{ name: "queue.depth", kind: "gauge" as const, tags: { "host.name": host } },
			points: only(depths)
				.filter((one) => one.host === host)
				.map(({ ts, value }) => [ts, value] as const),
		}));
		await insertSeries(database.client, project, [...series.values(), ...hosts]);
		await insertSeries(database.client, project, [
			{
				name: "system.cpu.utilization",
				tags: { "host.name": "h0" },
				points: [
					[NOW - 50_000, 0.5],
					[NOW - 90 * HOUR, 0.1],
				],
			},
		]);
		await insertLogs(database.client, project, only(logs));
		await insertEvents(database.client, project, only(events));
	}
}, 60_000);
afterAll(() => database?.stop());

async function create(project: string, body: object): Promise<string> {
	const answer = await reads.send(project, "POST", PATH, body);
	expect(answer.status, JSON.stringify(answer.body)).toBe(201);
	return dashboardAnswer.parse(answer.body).dashboard_id;
}
async function dataOf(project: string, id: string, parameters: Record<string, string | number> = {}) {
	const { status, body } = await reads.get(project, `${PATH}/${id}/data`, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return dashboardDataAnswer.parse(body);
}
/** A dashboard of some widgets is made, looked at, and gone. */
async function shown(
	project: string,
	widgets: readonly NewWidget[],
	parameters = {},
	more: object = {},
): Promise<WidgetData[]> {
	const id = await create(project, { name: "x", widgets, ...more });
	const { widgets: found } = await dataOf(project, id, parameters);
	await reads.send(project, "DELETE", `${PATH}/${id}`);
	for (const { error } of found) expect(error).toBeUndefined();
	return found;
}
// biome-ignore lint/suspicious/noExplicitAny: the test knows which type of widget it made.
const dataIn = (widget: WidgetData | undefined): any => widget?.data;

describe("a definition", () => {
	test("is stored, listed, read, changed and gone; each act is in the audit log", async () => {
		const id = await create("crud", BODY);
		const { body } = await reads.get("crud", `${PATH}/${id}`);
		expect(body).toMatchObject({ dashboard_id: id, name: BODY.name, timezone: "UTC", built_in: false });
		expect(body.widgets).toMatchObject(BODY.widgets.map((widget, i) => ({ ...widget, widget_id: `widget_${i + 1}` })));
		const listed = dashboardsAnswer.parse((await reads.get("crud", PATH)).body);
		expect(listed.dashboards.map(({ dashboard_id, widget_count }) => [dashboard_id, widget_count])).toEqual([
			["main_dashboard", 11],
			[id, 3],
		]);
		const next = await reads.get("crud", PATH, {
			limit: 1,
			cursor: (await reads.get("crud", PATH, { limit: 1 })).body.next_cursor,
		});
		expect(next.body).toMatchObject({ dashboards: [{ dashboard_id: id }], total: 2, next_cursor: null });
		const changed = await reads.send("crud", "PATCH", `${PATH}/${id}`, { name: "Other", timezone: "Asia/Kathmandu" });
		expect(changed.body).toMatchObject({ name: "Other", timezone: "Asia/Kathmandu", widgets: body.widgets });
		expect(changed.body.version).toBeGreaterThan(body.version);
		expect((await reads.send("crud", "DELETE", `${PATH}/${id}`)).status).toBe(204);
		for (const path of ["", "/data", "/export"])
			expect((await reads.get("crud", `${PATH}/${id}${path}`)).status).toBe(404);
		const log = await database.client.query({
			query: "SELECT action, target FROM audit_log WHERE project = 'crud' ORDER BY seq",
			format: "JSONEachRow",
		});
		expect(await log.json()).toEqual(
			["create", "update", "delete"].map((act) => ({ action: `dashboard.${act}`, target: id })),
		);
		expect(await new AuditLog(database.client).verify("crud")).toEqual({ rows: 3, broken_at: null });
	});

	test("of another project is not found, not shown, not changed and not deleted", async () => {
		const id = await create("a", BODY);
		for (const path of ["", "/data", "/export"])
			expect((await reads.get("b", `${PATH}/${id}${path}`)).status).toBe(404);
		for (const [method, path] of [
			["PATCH", ""],
			["DELETE", ""],
			["POST", "/reset"],
		] as const)
			expect((await reads.send("b", method, `${PATH}/${id}${path}`, method === "PATCH" ? {} : undefined)).status).toBe(
				404,
			);
		expect((await reads.get("b", PATH)).body.total).toBe(1);
		await reads.send("a", "PATCH", `${PATH}/main_dashboard`, { name: "Mine" });
		expect((await reads.get("b", `${PATH}/main_dashboard`)).body.name).toBe("Main dashboard");
		await reads.send("a", "POST", `${PATH}/main_dashboard/reset`);
		expect((await reads.send("a", "DELETE", `${PATH}/${id}`)).status).toBe(204);
	});

	test("needs an editor to be written and a viewer to be read", async () => {
		const viewer = "analytics_viewer";
		const main = `${PATH}/main_dashboard`;
		for (const path of [PATH, main, `${main}/data`, `${main}/export`])
			expect((await reads.get("b", path, {}, viewer)).status).toBe(200);
		for (const [method, path] of [
			["POST", PATH],
			["PATCH", main],
			["DELETE", main],
			["POST", `${main}/reset`],
			["POST", `${PATH}/import`],
		] as const)
			expect(await reads.send("b", method, path, {}, viewer)).toMatchObject({
				status: 403,
				body: { required_role: "analytics_editor" },
			});
		expect((await reads.get("b", `${main}/data`, { explain: "true" }, viewer)).status).toBe(403);
	});

	test("main_dashboard is there from the start, may be changed and reset, and not deleted", async () => {
		const main = `${PATH}/main_dashboard`;
		const first = (await reads.get("crud", main)).body;
		expect(first).toMatchObject({ built_in: true, version: 0, created_at: null });
		const widgets = [{ type: "counter", metric: "requests_count" }];
		expect((await reads.send("crud", "PATCH", main, { widgets })).body).toMatchObject({ built_in: true, widgets });
		expect((await reads.get("crud", main)).body.widgets).toHaveLength(1);
		expect(await reads.send("crud", "DELETE", main)).toMatchObject({ status: 409 });
		expect((await reads.send("crud", "POST", `${main}/reset`)).body).toEqual(first);
		expect((await reads.get("crud", main)).body).toEqual(first);
	});

	const widgetsWith = (widget: object) => ({ name: "x", widgets: [...BODY.widgets, widget] });
	test.each([
		[widgetsWith({ type: "pie_chart", metric: "error_rate" }), "widgets.3.type", "line_chart"],
		[widgetsWith({ type: "counter", metric: "queue.dept" }), "widgets.3.metric", "queue.depth"],
		[widgetsWith({ type: "counter", metric: "respons_time" }), "widgets.3.metric", "response_time"],
		[widgetsWith({ type: "counter", metric: "kpi:gone" }), "widgets.3.metric"],
		[widgetsWith({ type: "counter" }), "widgets.3.metric"],
		[widgetsWith({ type: "counter", metric: "events", event: "visits" }), "widgets.3.event", "visit"],
		[widgetsWith({ type: "counter", metric: "events" }), "widgets.3.event"],
		[widgetsWith({ type: "counter", metric: "response_time", aggregation: "sum" }), "widgets.3.aggregation", "p95"],
		[widgetsWith({ type: "gauge", metric: "error_rate", min_value: 5, max_value: 5 }), "widgets.3.min_value"],
		[
			widgetsWith({ type: "table", queries: [{ metric: "queue.depth" }, { metric: "nothing" }] }),
			"widgets.3.queries.1.metric",
		],
		[widgetsWith({ type: "table", metric: "error_rate", queries: [{ metric: "queue.depth" }] }), "widgets.3.queries"],
		[widgetsWith({ type: "line_chart", metric: "health_score", group_by: ["host.name"] }), "widgets.3.group_by"],
		[
			widgetsWith({ type: "line_chart", metric: "error_rate", timeframe: "30d", granularity: "1m" }),
			"widgets.3.granularity",
		],
		[widgetsWith({ type: "heatmap", metric: "error_rate" }), "widgets.3.group_by"],
		[widgetsWith({ type: "log_list", query: "level:(error" }), "widgets.3.query"],
		[widgetsWith({ type: "log_list", colour: "red" }), "widgets.3.colour"],
		[widgetsWith({ type: "counter", metric: "error_rate", filter: { component: "$host" } }), "widgets.3.filter"],
		[widgetsWith({ type: "log_list", query: "component:$host" }), "widgets.3.query"],
		[{ name: "x", widgets: Array.from({ length: 51 }, () => BODY.widgets[0]) }, "widgets"],
		[{ name: "x", widgets: ["a", "a"].map((widget_id) => ({ ...BODY.widgets[0], widget_id })) }, "widgets.1.widget_id"],
		[{ name: "x", timezone: "Mars/Olympus" }, "timezone"],
		[{ name: "x", variables: [{ name: "v", type: "values", values: ["a"], default: "b" }] }, "variables.0.default"],
		[{ name: "x", variables: [1, 2].map(() => ({ name: "v", type: "text" })) }, "variables.1.name"],
		[{ widgets: [] }, "name"],
	])("that is wrong is refused by its member, with what would do: %#", async (body, parameter, option?: string) => {
		const answer = await reads.send("a", "POST", PATH, body);
		expect(answer).toMatchObject({ status: 400, body: { details: { parameter } } });
		if (option !== undefined) expect(answer.body.details.valid_options).toContain(option);
	});

	test("that is changed to a window with too many points for a widget is refused", async () => {
		const widgets: NewWidget[] = [
			{ type: "counter", metric: "nothing.yet" },
			{ type: "line_chart", metric: "error_rate", granularity: "1m" },
		];
		const id = await create("crud", { name: "x", widgets, timeframe: "6h", allow_unknown: true });
		const change = (body: object) => reads.send("crud", "PATCH", `${PATH}/${id}`, body);
		expect(await change({ timeframe: "30d", allow_unknown: false })).toMatchObject({
			...{ status: 400, body: { details: { parameter: "widgets.1.granularity" } } },
		});
		expect((await change({ timeframe: "1h", allow_unknown: false })).status).toBe(200);
	});

	test("is not overwritten by who has not seen its last change", async () => {
		const id = await create("crud", BODY);
		const first = (await reads.get("crud", `${PATH}/${id}`)).body.version;
		const patch = (version: number) =>
			reads.send("crud", "PATCH", `${PATH}/${id}`, { name: "y" }, undefined, { "If-Match": `"${version}"` });
		expect((await patch(first)).status).toBe(200);
		expect(await patch(first)).toMatchObject({ status: 412, body: { code: 412 } });
		expect((await reads.send("crud", "PATCH", `${PATH}/${id}`, { name: "z" })).status).toBe(200);
	});
});

describe("two who change one dashboard at once", () => {
	test("and saw the same version: one succeeds and the other is told, on one server and on two", async () => {
		const other = await startReads(database.client, { projects: ["crud"], now: NOW });
		const id = await create("crud", BODY);
		for (let round = 0; round < 6; round++) {
			const { version } = (await reads.get("crud", `${PATH}/${id}`)).body;
			const patch = (through: Reads, name: string) =>
				through.send("crud", "PATCH", `${PATH}/${id}`, { name }, undefined, { "If-Match": `"${version}"` });
			const answers = await Promise.all([patch(reads, `a${round}`), patch(round % 2 ? other : reads, `b${round}`)]);
			expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
			const winner = answers.find(({ status }) => status === 200)!.body;
			expect((await reads.get("crud", `${PATH}/${id}`)).body).toEqual(winner);
		}
	});

	test("without asking for a version: no member that only one of them names is lost", async () => {
		const id = await create("crud", BODY);
		const other = await startReads(database.client, { projects: ["crud"], now: NOW });
		for (let round = 0; round < 4; round++) {
			const changes = [
				reads.send("crud", "PATCH", `${PATH}/${id}`, { name: `n${round}` }),
				other.send("crud", "PATCH", `${PATH}/${id}`, { description: `d${round}` }),
				reads.send("crud", "PATCH", `${PATH}/${id}`, { timezone: round % 2 ? "UTC" : "Asia/Kathmandu" }),
			];
			for (const { status } of await Promise.all(changes)) expect(status).toBe(200);
			expect((await reads.get("crud", `${PATH}/${id}`)).body).toMatchObject({
				...{ name: `n${round}`, description: `d${round}`, timezone: round % 2 ? "UTC" : "Asia/Kathmandu" },
			});
		}
	});

	test("one of whom deletes it: it is gone, and does not come back", async () => {
		for (let round = 0; round < 4; round++) {
			const id = await create("crud", BODY);
			const [changed, deleted] = await Promise.all([
				reads.send("crud", "PATCH", `${PATH}/${id}`, { name: "y" }),
				reads.send("crud", "DELETE", `${PATH}/${id}`),
			]);
			expect(deleted.status).toBe(204);
			expect([200, 404]).toContain(changed.status);
			expect((await reads.get("crud", `${PATH}/${id}`)).status).toBe(404);
		}
	});

	test("one of whom died between his claim and his row does not keep the other from it", async () => {
		const boards = new Definitions(database.client, "dashboard", dashboardBody);
		const { version, body } = await boards.put("crud", "claimed", dashboardBody.parse(BODY));
		await database.client.insert({
			table: "definitions",
			values: [{ project: "crud", kind: "elsewhere", id: "x", version: "1", deleted: 1 }],
			format: "JSONEachRow",
			clickhouse_settings: {
				...{ insert_deduplicate: 1 },
				insert_deduplication_token: JSON.stringify(["dashboard", "crud", "claimed", version, 0]),
			},
		});
		const changed = await boards.put("crud", "claimed", { ...body, name: "y" }, { expected: version });
		expect(await boards.get("crud", "claimed")).toEqual(changed);
		await expect(boards.put("crud", "claimed", body, { expected: version })).rejects.toThrow("was changed since");
		expect(await boards.delete("crud", "claimed")).toBe(true);
		// A place that was given up can be taken again.
		expect((await boards.put("crud", "claimed", body, { expected: 0 })).version).toBeGreaterThan(changed.version);
		expect(await boards.delete("crud", "claimed")).toBe(true);
	});
});

describe("the numbers of a widget", () => {
	test.each(["UTC", "Asia/Kathmandu"])("over time are those of /metrics, %s", async (timezone) => {
		const names = [
			"api_requests",
			"response_time_avg",
			"response_time_p95",
			"error_rate",
			"cpu_utilization",
			"active_users",
		];
		const custom = ["queue.depth", "queue.depth:max", "queue.depth:p90"];
		const parameters = { timeframe: "24h", granularity: "1h", timezone };
		const { body } = await reads.get("a", "/v1/monitoring/metrics", {
			...parameters,
			metrics: [...names, ...custom].join(","),
		});
		const queries = [...names, ...custom].map((metric) => ({ metric }));
		const [widget] = await shown("a", [{ type: "line_chart", queries, granularity: "1h" }], { timezone });
		expect(widget).toMatchObject({ granularity: "1h", window: body.meta.window, stale: false });
		for (const { label, points } of dataIn(widget).series) {
			const expected = body.data_points.map((point: Record<string, unknown>) => point[label]);
			expect(
				points.map((point: { value: unknown }) => point.value),
				label,
			).toEqual(expected);
			expect(expected.some((value: unknown) => typeof value === "number")).toBe(true);
		}
	});

	test("over a window are those of /health, /business and plain sums", async () => {
		const health = (await reads.get("a", "/v1/monitoring/health")).body;
		const business = businessAnswer.parse((await reads.get("a", "/v1/monitoring/business", { timeframe: "30d" })).body);
		const [count, rate, users, score, today, paid, full] = await shown("a", [
			{ type: "counter", metric: "requests_count" },
			{ type: "counter", metric: "error_rate" },
			{ type: "counter", metric: "active_users", timeframe: "30d" },
			{
				type: "gauge",
				metric: "health_score",
				min_value: 0,
				max_value: 100,
				thresholds: [
					{ value: 0, level: "bad" },
					{ value: 90, level: "good" },
				],
			},
			{ type: "counter", metric: "requests_count", timeframe: "1d" },
			{ type: "counter", metric: "events", event: "order paid", filter: { plan: "free" } },
			{ type: "counter", metric: "logs", query: '"disk full" AND level:error', aggregation: "per_minute" },
		]);
		expect(dataIn(count).value).toBe(health.total_requests_24h);
		expect(dataIn(rate).value).toBe(health.error_rate_24h);
		expect(dataIn(users).value).toBe(business.monthly_active_users!.value);
		expect(dataIn(score)).toMatchObject({ value: expect.any(Number), percentage: dataIn(score).value });
		expect(dataIn(score).level).toBe(dataIn(score).value >= 90 ? "good" : "bad");
		const midnight = Date.parse("2026-11-18T00:00:00Z");
		const between = (from: number, to: number) => requests.filter(({ ts }) => ts >= from && ts < to).length;
		const before = between(midnight - 24 * HOUR, NOW - 24 * HOUR);
		const now = between(midnight, NOW);
		expect(dataIn(today)).toMatchObject({
			...{ value: now, previous: before, unit: "count" },
			change_percentage: Number(((100 * (now - before)) / before).toFixed(1)),
		});
		const day = (one: { ts: number }) => one.ts >= NOW - 24 * HOUR && one.ts < NOW;
		expect(dataIn(paid).value).toBe(
			events.filter((one) => day(one) && one.event === "order paid" && one.properties?.plan === "free").length,
		);
		const matching = logs.filter(
			(one) => day(one) && one.level === "error" && one.message.includes("disk full"),
		).length;
		expect(dataIn(full)).toMatchObject({ value: Number((matching / 1_440).toPrecision(4)), unit: "count/min" });
	});

	test("by group are those of plain TypeScript, largest first, and a group without is 0 where others have some", async () => {
		const [table, bars, chart] = await shown("a", [
			{
				...{ type: "table", group_by: ["http.route", "component"], sort_by: "errors", order: "desc", limit: 5 },
				queries: [
					{ label: "n", metric: "api_requests" },
					{ label: "errors", metric: "error_rate" },
				],
			},
			{ type: "bar_chart", metric: "queue.depth:max", group_by: ["host.name"], limit: 2, unit: "jobs" },
			{ type: "area_chart", metric: "api_requests", group_by: ["component"], granularity: "15m" },
		]);
		const day = requests.filter(({ ts }) => ts >= NOW - 24 * HOUR && ts < NOW);
		const groups = new Map<string, typeof day>();
		for (const one of day) {
			const key = JSON.stringify([one.route, one.component]);
			groups.set(key, [...(groups.get(key) ?? []), one]);
		}
		const rows = [...groups].map(([key, all]) => {
			const failed = all.filter(({ status }) => status === 503).length;
			return [...(JSON.parse(key) as string[]), all.length, Number((failed / all.length).toFixed(4))] as [
				string,
				string,
				number,
				number,
			];
		});
		const errors = (row: readonly unknown[]) => row[3] as number;
		const { data } = table! as { data: { rows: (string | number)[][]; rows_total: number } };
		expect(data.rows_total).toBe(rows.length);
		expect(data.rows.map(errors)).toEqual(
			rows
				.map(errors)
				.sort((a, b) => b - a)
				.slice(0, 5),
		);
		for (const row of data.rows) expect(rows).toContainEqual(row);
		const top = ["h0", "h1", "h2"].map((host) =>
			Math.max(...depths.filter((one) => one.host === host && one.ts >= NOW - 24 * HOUR).map(({ value }) => value)),
		);
		expect(dataIn(bars)).toMatchObject({ bars_total: 3, bars: [{ unit: "jobs" }, { unit: "jobs" }] });
		expect(dataIn(bars).bars.map((bar: { value: number }) => bar.value)).toEqual(top.sort((a, b) => b - a).slice(0, 2));
		const { series } = dataIn(chart);
		expect(series).toHaveLength(2);
		for (const [i, { timestamp }] of series[0].points.entries()) {
			const from = Date.parse(timestamp);
			const inside = requests.filter(({ ts }) => ts >= from && ts < Math.min(from + HOUR / 4, NOW));
			if (inside.length === 0) continue;
			for (const one of series)
				expect(one.points[i].value).toBe(inside.filter(({ component }) => component === one.group.component).length);
		}
	});

	test("of a heatmap count every value once, in its range and bucket", async () => {
		const [heat, groups] = await shown("a", [
			{ type: "heatmap", metric: "response_time", granularity: "1h", filter: { component: "api" } },
			{ type: "heatmap", metric: "api_requests", granularity: "1h", group_by: ["http.route"] },
		]);
		const start = Date.parse(heat!.window!.start);
		const inside = requests.filter(({ ts, component }) => ts >= start && ts < NOW && component === "api");
		const { timestamps, rows } = dataIn(heat);
		let total = 0;
		for (const { lower, upper, values } of rows) {
			for (const [i, value] of values.entries()) {
				const from = Date.parse(timestamps[i]);
				const own = inside.filter(
					({ ts, ms }) => ts >= from && ts < from + HOUR && ms >= lower - 1e-9 && ms < upper - 1e-9,
				);
				expect(value ?? 0, `${lower} ${timestamps[i]}`).toBe(own.length);
				total += value ?? 0;
			}
		}
		expect(total).toBe(inside.length);
		expect(rows.length).toBeGreaterThan(5);
		expect(
			dataIn(groups)
				.rows.map((row: { label: string }) => row.label)
				.sort(),
		).toEqual(["/r0", "/r1", "/r2", "/r3"]);
	});

	test("of a KPI are those of its value and its history", async () => {
		const calculation = { numerator: "order paid", denominator: "visit", format: "percentage" };
		const kpi = (await reads.send("a", "POST", "/v1/monitoring/kpis", { name: "c", calculation, target_value: 0.5 }))
			.body.kpi_id;
		const value = (await reads.get("a", `/v1/monitoring/kpis/${kpi}/value`)).body;
		const history = (await reads.get("a", `/v1/monitoring/kpis/${kpi}/history`, { granularity: "1h" })).body;
		const [gauge, line, today] = await shown("a", [
			{ type: "gauge", metric: `kpi:${kpi}`, max_value: 1 },
			{ type: "line_chart", metric: `kpi:${kpi}`, granularity: "1h" },
			{ type: "counter", metric: `kpi:${kpi}`, timeframe: "today" },
		]);
		const yesterday = { start: "2026-11-17T00:00:00Z", end: new Date(NOW - 24 * HOUR).toISOString() };
		const before = (await reads.get("a", `/v1/monitoring/kpis/${kpi}/value`, yesterday)).body;
		expect(before.value).toEqual(expect.any(Number));
		expect(dataIn(today).previous).toBe(before.value);
		const { attainment, status, trend, display, target_value } = value;
		expect(dataIn(gauge)).toMatchObject({
			value: value.value,
			kpi: { kpi_id: kpi, attainment, status, trend, display, target_value },
		});
		expect(dataIn(line).series[0].target_value).toBe(0.5);
		const values = (points: { value: number | null }[]) => points.map((point) => point.value);
		expect(values(dataIn(line).series[0].points)).toEqual(values(history.points));
		await reads.send("a", "DELETE", `/v1/monitoring/kpis/${kpi}`);
	});

	test("of a project that keeps less are whole or refused, and not compared with what is left", async () => {
		// Deleted up to the last seven days, as the daily job does.
		const days = [...Array(7).keys()].map((i) => NOW - 1 - i * 24 * HOUR);
		const visits = days.map((ts) => ({ event: "visit", ts, user_id: "u" }));
		await insertEvents(database.client, "short", visits);
		await insertLogs(
			database.client,
			"short",
			[...days, NOW - 20 * 24 * HOUR].map((ts) => ({ ts, message: "m" })),
		);
		await insertSeries(database.client, "short", [{ name: "first", points: [[NOW - 90 * 24 * HOUR, 1]] }]);
		const calculation = { numerator: "first", denominator: "visit" };
		const kpi = await reads.send("short", "POST", "/v1/monitoring/kpis", { name: "k", calculation, target_value: 1 });
		const asked: NewWidget[] = [
			{ type: "counter", metric: "events", event: "visit" },
			{ type: "line_chart", metric: "events", event: "visit" },
			{ type: "counter", metric: "logs" },
			{ type: "counter", metric: "active_users" },
			{ type: "gauge", metric: `kpi:${kpi.body.kpi_id}` },
			{ type: "table", metric: `kpi:${kpi.body.kpi_id}`, group_by: ["plan"] },
		];
		const id = await create("short", { name: "x", widgets: asked });
		const long = await dataOf("short", id, { timeframe: "30d" });
		for (const { type, data, error } of long.widgets)
			expect([type, data, error!.code, error!.details], type).toMatchObject([
				...[type, null, 400, { reason: expect.stringMatching(/^(Events|Logs) are kept for 7 days$/) }],
			]);
		const [visited, , logged, users, share] = (await dataOf("short", id, { timeframe: "7d" })).widgets;
		expect(dataIn(visited)).toMatchObject({ value: 7, previous: null, change_percentage: null });
		expect(dataIn(logged)).toMatchObject({ value: 7, previous: null, change_percentage: null });
		expect(dataIn(users)).toMatchObject({ value: 1, previous: null });
		expect(dataIn(share).value).toBe(0);
		const list: NewWidget = { type: "log_list" };
		for (const [timeframe, isLess] of [
			["30d", true],
			["7d", false],
		] as const)
			expect(dataIn((await shown("short", [list], { timeframe }))[0]).total_is_lower_bound).toBe(isLess);
		const { body } = await reads.get("short", "/v1/monitoring/logs", { timeframe: "30d" });
		expect(body.total_is_lower_bound).toBe(true);
	});

	test("of another project never count", async () => {
		const widgets: NewWidget[] = [
			{ type: "counter", metric: "requests_count", compare: false },
			{ type: "counter", metric: "queue.depth:count", compare: false },
			{ type: "log_list", query: "level:error" },
			{ type: "heatmap", metric: "queue.depth" },
		];
		const [mine, theirs] = [await shown("a", widgets), await shown("other", widgets)];
		for (const [i, widget] of mine.entries()) expect(dataIn(widget)).not.toEqual(dataIn(theirs[i]));
		const day = (one: { ts: number }, i: number) => i % 3 === 0 && one.ts >= NOW - 24 * HOUR && one.ts < NOW;
		expect(dataIn(theirs[0]).value).toBe(requests.filter(day).length);
		expect(dataIn(theirs[1]).value).toBe(depths.filter(day).length);
		expect(dataIn(theirs[2]).total).toBe(logs.filter((one, i) => day(one, i) && one.level === "error").length);
	});
});

describe("a request for data", () => {
	test("asks for another window, and not of a widget that keeps its own; nothing at or after as_of counts", async () => {
		const as_of = NOW - 30 * HOUR;
		const widgets: NewWidget[] = [
			{ type: "counter", metric: "requests_count", timeframe: "1d" },
			{ type: "counter", metric: "requests_count", timeframe: "1h", keep_timeframe: true },
			{ type: "log_list" },
		];
		const found = await shown("a", widgets, { timeframe: "6h", as_of: new Date(as_of).toISOString() });
		const between = (all: readonly { ts: number }[], hours: number) =>
			all.filter(({ ts }) => ts >= as_of - hours * HOUR && ts < as_of).length;
		expect(found.map(({ timeframe }) => timeframe)).toEqual(["6h", "1h", "6h"]);
		expect(dataIn(found[0]).value).toBe(between(requests, 6));
		expect(dataIn(found[1]).value).toBe(between(requests, 1));
		expect(dataIn(found[2]).total).toBe(between(logs, 6));
		for (const { data_through } of found) expect(Date.parse(data_through!)).toBeLessThanOrEqual(as_of);
		const start = new Date(as_of - 2 * HOUR).toISOString();
		const own = await shown("a", widgets, { start, end: new Date(as_of).toISOString() });
		expect(dataIn(own[0]).value).toBe(between(requests, 2));
	});

	test.each([
		[{ timeframe: "2h" }, "timeframe"],
		[{ timezone: "Mars" }, "timezone"],
		[{ refresh_interval: -1 }, "refresh_interval"],
		[{ start: "2026-11-18T00:00:00Z", timeframe: "1d" }, "timeframe"],
		[{ as_of: "yesterday" }, "as_of"],
		[{ window: "1h" }, "window"],
		[{ "var-nothing": "x" }, "var-nothing"],
	])("that is wrong is refused by its parameter: %o", async (parameters, parameter) => {
		expect(await reads.get("a", `${PATH}/main_dashboard/data`, parameters)).toMatchObject({
			status: 400,
			body: { details: { parameter } },
		});
	});

	test("a widget that cannot be answered says why, and the others are answered", async () => {
		const kpi = (
			await reads.send("a", "POST", "/v1/monitoring/kpis", {
				...{ name: "gone", target_value: 1, calculation: { numerator: "visit", denominator: "visit" } },
			})
		).body.kpi_id;
		const widgets: NewWidget[] = [
			{ type: "counter", metric: `kpi:${kpi}` },
			{ type: "line_chart", metric: "health_score", timeframe: "7d" },
			{ type: "counter", metric: "requests_count" },
		];
		const id = await create("a", { name: "x", widgets });
		await reads.send("a", "DELETE", `/v1/monitoring/kpis/${kpi}`);
		const { widgets: found } = await dataOf("a", id);
		expect(found.map(({ status }) => status)).toEqual(["error", "error", "ok"]);
		expect(found[0]).toMatchObject({ data: null, error: { code: 422, message: expect.stringContaining(kpi) } });
		expect(found[1]!.error!.message).toContain("at most 60");
		// What it shows already may stay when something else is changed.
		expect((await reads.send("a", "PATCH", `${PATH}/${id}`, { name: "y" })).status).toBe(200);
		await reads.send("a", "DELETE", `${PATH}/${id}`);
	});

	test("of a project without records shows nothing, and every empty member says what to send", async () => {
		const widgets: NewWidget[] = [
			...BODY.widgets,
			{ type: "table", metric: "nobody.sent", group_by: ["x"] },
			{ type: "log_list" },
			{ type: "counter", metric: "events", event: "never" },
		];
		const id = await create("empty", { name: "x", widgets, allow_unknown: true });
		const answer = await dataOf("empty", id);
		expect(answer.widgets.map(({ status, data }) => [status, data])).toEqual(widgets.map(() => ["no_data", null]));
		expect(answer.widgets.map(({ missing }) => missing.find(({ field }) => field === "data")?.needs)).toEqual([
			`metric ${HTTP} or metric response_time`,
			"metric or event or log or error with component",
			`metric ${HTTP} or metric response_time`,
			...["metric nobody.sent", "log", "event never"],
		]);
		for (const { data_through, missing } of answer.widgets)
			if (data_through === null) expect(missing.map(({ field }) => field)).toContain("data_through");
		expect(answer.meta.missing).toContainEqual({ field: "widgets[].data", needs: "log" });
	});

	test("asks the same question once, and says with explain what it asked", async () => {
		const same: NewWidget = { type: "line_chart", metric: "response_time", granularity: "1h" };
		const id = await create("a", {
			name: "x",
			widgets: [same, { ...same, type: "area_chart" }, { ...same, metric: "error_rate" }],
		});
		const { explain, widgets } = await dataOf("a", id, { explain: "true" });
		const texts = explain!.queries.map(({ sql, params }) => sql + JSON.stringify(params));
		expect(new Set(texts).size).toBe(texts.length);
		expect(explain!.queries.filter(({ name }) => name === "traffic")).toHaveLength(1);
		expect(dataIn(widgets[0])).toEqual(dataIn(widgets[1]));
		await reads.send("a", "DELETE", `${PATH}/${id}`);
	});

	test("may be answered with what was computed before, for as long as it says", async () => {
		const id = await create("b", {
			name: "x",
			widgets: [{ type: "counter", metric: "events", event: "late" }],
			allow_unknown: true,
		});
		const value = async (refresh_interval: number) =>
			dataIn((await dataOf("b", id, { refresh_interval })).widgets[0])?.value ?? null;
		expect(await value(30)).toBeNull();
		await insertEvents(database.client, "b", [{ event: "late", ts: NOW - 1 }]);
		expect(await value(30)).toBeNull();
		expect(await value(0)).toBe(1);
		expect(await value(30)).toBe(1);
		await reads.send("b", "DELETE", `${PATH}/${id}`);
	});
});

describe("a source", () => {
	test("that is behind marks what was computed meanwhile, for as long as that is shown", async () => {
		let stored: number | undefined;
		const storedThrough = async () => stored;
		const behind = await startReads(database.client, { projects: ["a"], now: NOW, storedThrough });
		const widgets: NewWidget[] = [{ type: "counter", metric: "requests_count" }];
		const id = await create("a", { name: "x", widgets });
		const look = async (parameters: Record<string, string | number> = {}) => {
			const { body } = await behind.get("a", `${PATH}/${id}/data`, parameters);
			const { stale, stale_reason } = dashboardDataAnswer.parse(body).widgets[0]!;
			expect(body.stale).toBe(stale);
			return [stale, stale_reason];
		};
		expect(await look()).toEqual([false, undefined]);
		stored = NOW - 60_000;
		expect(await look()).toEqual([true, "behind"]);
		// A window that ended before is whole.
		expect(await look({ as_of: new Date(stored).toISOString() })).toEqual([false, undefined]);
		// What is shown again is of then, though the source has caught up since.
		stored = NOW;
		expect(await look({ refresh_interval: 30 })).toEqual([true, "behind"]);
		expect(await look()).toEqual([false, undefined]);
		// And the other way about.
		stored = NOW - 60_000;
		expect(await look({ refresh_interval: 30 })).toEqual([false, undefined]);
		await reads.send("a", "DELETE", `${PATH}/${id}`);
	});

	test("that is away leaves what was shown last, marked, and an error where nothing was", async () => {
		const proxy = await startProxy(database.port);
		const client = database.connectThrough(proxy.port);
		const far = await startReads(client, { projects: ["a"], now: NOW });
		const widgets: NewWidget[] = [{ type: "counter", metric: "requests_count" }, { type: "log_list" }];
		const [seen, unseen] = [await create("a", { name: "x", widgets }), await create("a", { name: "y", widgets })];
		const before = dashboardDataAnswer.parse((await far.get("a", `${PATH}/${seen}/data`)).body);
		expect(before.stale).toBe(false);
		await proxy.refuse();
		const { status, body } = await far.get("a", `${PATH}/${seen}/data`);
		expect(status, JSON.stringify(body)).toBe(200);
		const marked = before.widgets.map((widget) => ({ ...widget, stale: true, stale_reason: "unreachable" }));
		expect(dashboardDataAnswer.parse(body)).toMatchObject({ stale: true, widgets: marked });
		expect(await far.get("a", `${PATH}/${unseen}/data`)).toMatchObject({ status: 503 });
		// Of another window nothing was ever known.
		expect(await far.get("a", `${PATH}/${seen}/data`, { timeframe: "7d" })).toMatchObject({ status: 503 });
		await proxy.restore();
		expect(dashboardDataAnswer.parse((await far.get("a", `${PATH}/${seen}/data`)).body)).toMatchObject({
			...{ stale: false, widgets: before.widgets.map(({ data }) => ({ data, stale: false })) },
		});
		await client.close();
		await proxy.close();
		for (const id of [seen, unseen]) await reads.send("a", "DELETE", `${PATH}/${id}`);
	});
});

describe("a variable", () => {
	const variables: Dashboard["variables"] = [
		{ name: "component", type: "tag", tag: "component", metric: "response_time", multi: true, include_all: true },
		{ name: "plan", type: "values", values: ["free", "pro"], multi: false, include_all: false },
		{ name: "text", type: "text", default: "" },
	];
	const widgets: NewWidget[] = [
		{ type: "counter", metric: "requests_count", filter: { component: "$component" } },
		{ type: "counter", metric: "events", event: "visit", filter: { plan: "$" + "{plan}" } },
		{ type: "log_list", query: "component:$component AND NOT level:info $text", limit: 100 },
	];
	let id: string;
	beforeAll(async () => {
		id = await create("a", { name: "x", widgets, variables });
	});
	const look = (parameters: string) => reads.send("a", "GET", `${PATH}/${id}/data?${parameters}`);
	const day = (one: { ts: number }) => one.ts >= NOW - 24 * HOUR && one.ts < NOW;
	const requestsOf = (components: string[]) =>
		requests.filter((one) => day(one) && components.includes(one.component)).length;
	const logsOf = (components: string[], text: string) =>
		logs.filter(
			(one) => day(one) && components.includes(one.component!) && one.level !== "info" && one.message.includes(text),
		).length;

	test("has the options that were sent, and all or the first where none is chosen", async () => {
		const { body } = await look("");
		expect(body.variables).toEqual([
			{ name: "component", type: "tag", values: ["*"], options: ["api", ODD] },
			{ name: "plan", type: "values", values: ["free"], options: ["free", "pro"] },
			{ name: "text", type: "text", values: ["*"] },
		]);
		expect(dataIn(body.widgets[0]).value).toBe(requestsOf(["api", ODD]));
		expect(dataIn(body.widgets[2]).total).toBe(logsOf(["db", ODD], ""));
	});

	test("takes the place of what refers to it, whatever stands in its value", async () => {
		const chosen = new URLSearchParams([
			["var-component", ODD],
			["var-plan", "pro"],
			["var-text", "disk full"],
		]);
		const { body } = await look(String(chosen));
		expect(dataIn(body.widgets[0]).value).toBe(requestsOf([ODD]));
		expect(dataIn(body.widgets[1]).value).toBe(
			events.filter((one) => day(one) && one.event === "visit" && one.properties?.plan === "pro").length,
		);
		expect(dataIn(body.widgets[2]).total).toBe(logsOf([ODD], "disk full"));
		const several = new URLSearchParams([
			["var-component", ODD],
			["var-component", "api"],
			["var-component", "nobody"],
		]);
		expect(dataIn((await look(String(several))).body.widgets[0]).value).toBe(requestsOf(["api", ODD]));
		for (const attack of ["x' OR '1'='1", "db OR level:error", '") OR (level:error', "*) OR (*", "\\"]) {
			const { body: none } = await look(
				String(
					new URLSearchParams([
						["var-component", attack],
						["var-text", attack],
					]),
				),
			);
			expect(dataIn(none.widgets[0]).value).toBe(0);
			expect(dataIn(none.widgets[2])).toMatchObject({ logs: [], total: 0 });
		}
	});

	test("without any option chooses nothing, in filters and in log queries", async () => {
		const none: Dashboard["variables"] = [
			{ name: "none", type: "tag", tag: "never.sent", metric: "response_time", multi: false, include_all: false },
		];
		const lists = [
			"component:$none",
			"NOT component:$none",
			"level:error AND component:$none",
			"level:error OR component:$none",
		];
		const [counted, ...logged] = await shown(
			"a",
			[
				{ type: "counter", metric: "events", event: "visit", filter: { plan: "$none" } },
				...lists.map((query) => ({ type: "log_list", query }) as const),
			],
			{},
			{ variables: none },
		);
		expect(dataIn(counted).value).toBe(0);
		const all = logs.filter(day).length;
		const errors = logs.filter((one) => day(one) && one.level === "error").length;
		expect(logged.map((widget) => dataIn(widget).total)).toEqual([0, all, 0, errors]);
	});

	test("whose options cannot be read now is not taken for one without any", async () => {
		class Overloaded extends Queries {
			override of(project: string, signal?: AbortSignal, through: (run: Run) => Run = (run) => run) {
				const refuse = (run: Run) =>
					through((question) =>
						question.name === "tag_values" ? Promise.reject(unavailable("clickhouse", "is overloaded")) : run(question),
					);
				return super.of(project, signal, refuse);
			}
		}
		const { client } = database;
		const queries = new Overloaded({ client, secondLock: false });
		const kpis = new Definitions(client, "kpi", kpiBody);
		const boards = new Boards({ queries, kpis, reach: reachOf(NO_EXPIRY), now: () => NOW });
		const show = (include_all: boolean, values: string[]) => {
			const variable = { name: "c", type: "tag", tag: "component", multi: false, include_all } as const;
			const widget: NewWidget = { type: "counter", metric: "requests_count", filter: { component: "$c" } };
			const body = dashboardBody.parse({ name: "x", variables: [variable], widgets: [widget] });
			const given = new Map(values.length > 0 ? [["c", values]] : []);
			return boards.show("a", { id: "x", body }, { refresh_interval: 0, asked: {}, given });
		};
		await expect(show(false, [])).rejects.toMatchObject({ status: 503 });
		expect(dataIn((await show(false, ["api"])).answer.widgets[0]).value).toBe(requestsOf(["api"]));
		expect(dataIn((await show(true, [])).answer.widgets[0]).value).toBe(requestsOf(["api", ODD]));
	});

	test.each([
		["var-plan=gold", "var-plan", ["free", "pro"]],
		["var-plan=*", "var-plan", ["free", "pro"]],
		["var-text=a&var-text=b", "var-text", []],
		["var-else=1", "var-else", ["var-component", "var-plan", "var-text"]],
	])("refuses %s", async (parameters, parameter, valid_options) => {
		expect(await look(parameters)).toMatchObject({ status: 400, body: { details: { parameter, valid_options } } });
	});
});

describe("a file", () => {
	test("brings a dashboard with its KPIs into another project, under new ids, and comes back the same", async () => {
		const kpi = { name: "c", calculation: { numerator: "visit", denominator: "order paid" }, target_value: 3 };
		const { kpi_id } = (await reads.send("a", "POST", "/v1/monitoring/kpis", kpi)).body;
		const widgets: NewWidget[] = [{ type: "table", queries: [{ metric: `kpi:${kpi_id}` }, { metric: "queue.depth" }] }];
		const id = await create("a", { name: "x", widgets, timeframe: "7d" });
		const file = dashboardFile.parse((await reads.get("a", `${PATH}/${id}/export`)).body);
		expect(file).toMatchObject({
			format: "tidemark.dashboard",
			version: 1,
			dashboard: { dashboard_id: id, timeframe: "7d" },
			kpis: { [kpi_id]: kpi },
		});
		const first = await reads.send("moved", "POST", `${PATH}/import`, file);
		expect(first, JSON.stringify(first.body)).toMatchObject({
			status: 201,
			body: { kpis: [{ from: kpi_id, created: true }] },
		});
		const made = first.body.kpis[0].kpi_id;
		expect(made).not.toBe(kpi_id);
		expect(first.body.dashboard_id).not.toBe(id);
		expect(first.body.widgets[0].queries[0].metric).toBe(`kpi:${made}`);
		expect((await reads.get("moved", `/v1/monitoring/kpis/${made}`)).body).toMatchObject(kpi);
		// A second time the KPI is there already.
		const kept = await reads.send("moved", "POST", `${PATH}/import?ids=keep`, file);
		expect(kept.body).toMatchObject({ dashboard_id: id, kpis: [{ kpi_id: made, created: false }] });
		expect((await reads.send("moved", "POST", `${PATH}/import?ids=keep`, file)).status).toBe(409);
		expect((await reads.send("moved", "POST", `${PATH}/import?ids=keep&replace=true`, file)).status).toBe(201);
		const back = (await reads.get("moved", `${PATH}/${id}/export`)).body;
		expect(back.dashboard).toEqual({
			...file.dashboard,
			widgets: [{ ...file.dashboard.widgets[0], queries: [{ metric: `kpi:${made}` }, { metric: "queue.depth" }] }],
		});
		await reads.send("a", "DELETE", `${PATH}/${id}`);
	});

	test.each([
		[{ dashboard: { name: "x", widgets: [...BODY.widgets, { type: "pie" }] } }, "dashboard.widgets.3.type"],
		[{ version: 2 }, "version"],
		[{ format: "grafana" }, "format"],
		[{ dashboard: { name: "x", widgets: [{ type: "counter", metric: "kpi:gone" }] } }, "kpis.gone"],
	])("that is wrong is refused by its member: %#", async (changed, parameter) => {
		const file = { format: "tidemark.dashboard", version: 1, dashboard: { name: "x" }, ...changed };
		expect(await reads.send("moved", "POST", `${PATH}/import`, file)).toMatchObject({
			status: 400,
			body: { details: { parameter } },
		});
	});
});
