import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuditLog } from "../../schema/audit.ts";
import { kpiAnswer, kpiHistoryAnswer, kpiValueAnswer } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { type Reads, startReads } from "../../tests/support/reads.ts";
import { insertEvents, insertSeries } from "../../tests/support/records.ts";

const NOW = Date.parse("2026-11-18T15:07:23.456Z");
const HOUR = 3_600_000;
const PATH = "/v1/monitoring/kpis";
const BODY = {
	name: "Model Accuracy Rate",
	description: "Percentage of accurate model predictions",
	calculation: { numerator: "accurate_predictions", denominator: "total_predictions", format: "percentage" },
	target_value: 0.95,
	trend_direction: "higher_is_better",
};

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["a", "b", "empty", "mixed", "pages", "short"];
	reads = await startReads(database.client, { projects, now: NOW, own: { short: { events: 7 } } });
});
afterAll(() => database?.stop());

async function create(project: string, body: object): Promise<string> {
	const answer = await reads.send(project, "POST", PATH, body);
	expect(answer.status, JSON.stringify(answer.body)).toBe(201);
	return kpiAnswer.parse(answer.body).kpi_id;
}
async function kpiValueOf(project: string, id: string, parameters: Record<string, string> = {}) {
	const { status, body } = await reads.get(project, `${PATH}/${id}/value`, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return kpiValueAnswer.parse(body);
}
const hourly = (count: number, value: (i: number) => number, offset = 1) =>
	Array.from({ length: count }, (_, i) => [NOW - offset - i * HOUR, value(i)] as const);

describe("a definition", () => {
	test("is stored, listed, read, and gone when it is deleted; each act is in the audit log", async () => {
		const id = await create("a", BODY);
		expect(id).toMatch(/^kpi_/);
		const { body } = await reads.get("a", `${PATH}/${id}`);
		expect(body).toMatchObject({ kpi_id: id, ...BODY });
		expect((await reads.get("a", PATH)).body).toMatchObject({ kpis: [body], total: 1, next_cursor: null });
		expect((await reads.send("a", "DELETE", `${PATH}/${id}`)).status).toBe(204);
		for (const path of [`${PATH}/${id}`, `${PATH}/${id}/value`, `${PATH}/nothing`]) {
			expect(await reads.get("a", path)).toMatchObject({ status: 404, body: { code: 404 } });
		}
		expect((await reads.send("a", "DELETE", `${PATH}/${id}`)).status).toBe(404);
		const log = await database.client.query({
			query: "SELECT action, target FROM audit_log WHERE project = 'a' ORDER BY seq",
			format: "JSONEachRow",
		});
		expect(await log.json()).toEqual([
			{ action: "kpi.create", target: id },
			{ action: "kpi.delete", target: id },
		]);
		expect(await new AuditLog(database.client).verify("a")).toEqual({ rows: 2, broken_at: null });
	});

	test("that is changed keeps what is not named", async () => {
		const id = await create("a", BODY);
		const calculation = { numerator: "n", denominator: "d" };
		const changed = await reads.send("a", "PATCH", `${PATH}/${id}`, { target_value: 0.5, calculation });
		expect(changed).toMatchObject({
			status: 200,
			body: { ...BODY, kpi_id: id, target_value: 0.5, calculation: { ...calculation, format: "number" } },
		});
		expect((await reads.get("a", `${PATH}/${id}`)).body).toEqual(changed.body);
		expect(await reads.send("a", "PATCH", `${PATH}/${id}`, { target: 1 })).toMatchObject({
			...{ status: 400, body: { details: { parameter: "target" } } },
		});
		expect((await reads.send("a", "PATCH", `${PATH}/${id}`, {}, "analytics_viewer")).status).toBe(403);
		await reads.send("a", "DELETE", `${PATH}/${id}`);
	});

	test("of another project is not found, and neither changed nor deleted", async () => {
		const id = await create("a", BODY);
		for (const path of [`${PATH}/${id}`, `${PATH}/${id}/value`, `${PATH}/${id}/history`])
			expect((await reads.get("b", path)).status).toBe(404);
		expect((await reads.send("b", "PATCH", `${PATH}/${id}`, { name: "theirs" })).status).toBe(404);
		expect((await reads.send("b", "DELETE", `${PATH}/${id}`)).status).toBe(404);
		expect((await reads.get("b", PATH)).body.kpis).toEqual([]);
		expect((await reads.get("a", `${PATH}/${id}`)).status).toBe(200);
	});

	test("needs an editor to be written and a viewer to be read", async () => {
		const id = await create("a", BODY);
		const viewer = "analytics_viewer";
		expect(await reads.send("a", "POST", PATH, BODY, viewer)).toMatchObject({
			status: 403,
			body: { required_role: "analytics_editor", current_permissions: [viewer] },
		});
		expect((await reads.send("a", "DELETE", `${PATH}/${id}`, undefined, viewer)).status).toBe(403);
		for (const path of [PATH, `${PATH}/${id}`, `${PATH}/${id}/value`]) {
			expect((await reads.get("a", path, {}, viewer)).status).toBe(200);
		}
	});

	test.each([
		[{ ...BODY, target_value: "high" }, "target_value"],
		[{ ...BODY, colour: "red" }, "colour"],
		[{ ...BODY, name: "" }, "name"],
		[{ ...BODY, trend_direction: "up" }, "trend_direction"],
		[{ ...BODY, calculation: { ...BODY.calculation, format: "roman" } }, "calculation.format"],
		[{ ...BODY, calculation: { numerator: "n" } }, "calculation.denominator"],
	])("that is wrong is refused by its member: %#", async (body, parameter) => {
		expect(await reads.send("a", "POST", PATH, body)).toMatchObject({ status: 400, body: { details: { parameter } } });
	});

	test("lists come in pages", async () => {
		const ids: string[] = [];
		for (let i = 0; i < 5; i++) ids.push(await create("pages", { ...BODY, name: `${i}` }));
		const seen: string[] = [];
		let cursor: string | null = null;
		do {
			const page = await reads.get("pages", PATH, { limit: 2, ...(cursor === null ? {} : { cursor }) });
			expect(page.body.total).toBe(5);
			seen.push(...page.body.kpis.map((kpi: { kpi_id: string }) => kpi.kpi_id));
			cursor = page.body.next_cursor;
		} while (cursor !== null);
		// All of one instant here: the id decides.
		expect(seen).toEqual(ids.sort());
	});
});

describe("a value", () => {
	test("is the ratio of the sums, not a mean of ratios; the window before decides the trend", async () => {
		const id = await create("b", BODY);
		// A day of two hours each: 90 of 100 and 1 of 10, then half of everything the day before.
		await insertSeries(database.client, "b", [
			{
				name: "total_predictions",
				kind: "counter",
				tags: { model: "m" },
				points: hourly(48, (i) => (i < 24 ? 100 : 50)),
			},
			{
				name: "accurate_predictions",
				kind: "counter",
				tags: { model: "m" },
				points: hourly(48, (i) => (i < 24 ? 90 : 40)),
			},
			{ name: "accurate_predictions", kind: "gauge", tags: { model: "n" }, points: hourly(2, () => 5) },
			{ name: "first", points: [[NOW - 100 * HOUR, 1]] },
		]);
		expect(await kpiValueOf("b", id, { timeframe: "24h" })).toMatchObject({
			value: 0.9042,
			display: "90.4%",
			attainment: 0.9518,
			status: "off_target",
			trend: "improving",
			previous_value: 0.8,
			change_percentage: 13,
			numerator: { name: "accurate_predictions", record: "metric", value: 2_170 },
			denominator: { value: 2_400 },
			meta: { missing: [] },
		});
		const earlier = { timeframe: "1h", as_of: new Date(NOW - 24 * HOUR).toISOString() };
		expect(await kpiValueOf("b", id, earlier)).toMatchObject({ value: 0.8, trend: "stable" });
		// Nobody knows of what was before the project's first record.
		expect(await kpiValueOf("b", id, { timeframe: "7d" })).toMatchObject({ trend: null, change_percentage: null });
	});

	test("counts events, and a metric comes before an event of its name", async () => {
		const strange = `a "b" größe/x`;
		await insertEvents(database.client, "mixed", [
			...hourly(3, () => 0, 0).map(([ts]) => ({ event: strange, ts })),
			...hourly(5, () => 0).map(([ts]) => ({ event: "visits", ts })),
			...hourly(5, () => 0).map(([ts]) => ({ event: "both", ts })),
		]);
		await insertSeries(database.client, "mixed", [{ name: "both", points: [[NOW - 1, 12]] }]);
		const calculation = { numerator: strange, denominator: "visits" };
		const id = await create("mixed", { name: "x", calculation, target_value: 0.3, trend_direction: "lower_is_better" });
		// The one at `as_of` itself does not count.
		expect(await kpiValueOf("mixed", id, { timeframe: "24h" })).toMatchObject({
			...{ value: 0.4, display: "0.4", attainment: 0.75, status: "off_target", trend: null },
			numerator: { name: strange, record: "event", value: 2 },
			denominator: { record: "event", value: 5 },
		});
		const other = await create("mixed", {
			name: "y",
			calculation: { numerator: "both", denominator: "visits" },
			target_value: 1,
		});
		expect(await kpiValueOf("mixed", other, { timeframe: "24h" })).toMatchObject({
			value: 2.4,
			numerator: { record: "metric" },
		});
		// Sent, but none of it in the window: 0 of 0 is not known, and nothing is missing.
		const quiet = { start: new Date(NOW - 80 * HOUR).toISOString(), end: new Date(NOW - 50 * HOUR).toISOString() };
		expect(await kpiValueOf("mixed", id, quiet)).toMatchObject({
			...{ value: null, status: "no_data", attainment: null, numerator: { value: 0 }, denominator: { value: 0 } },
			meta: { missing: [] },
		});
	});

	test("of records that nobody sent is null, and says which", async () => {
		const id = await create("empty", { ...BODY, calculation: { numerator: "n o n e", denominator: "d" } });
		const value = await kpiValueOf("empty", id);
		expect(value).toMatchObject({ value: null, status: "no_data", trend: null, attainment: null, target_value: 0.95 });
		const nulls = ["value", "display", "attainment", "trend", "previous_value", "change_percentage"];
		expect(value.meta.missing).toEqual([
			...nulls.map((field) => ({ field, needs: "metric n o n e or event n o n e" })),
			...["numerator.record", "numerator.value"].map((field) => ({ field, needs: "metric n o n e or event n o n e" })),
			...["denominator.record", "denominator.value"].map((field) => ({ field, needs: "metric d or event d" })),
		]);
	});

	test("over time is that of each bucket, and its sums are those of the whole", async () => {
		const id = await create("b", BODY);
		const parameters = { timeframe: "24h", granularity: "1h", timezone: "Asia/Kathmandu" };
		const { status, body } = await reads.get("b", `${PATH}/${id}/history`, parameters);
		expect(status, JSON.stringify(body)).toBe(200);
		const history = kpiHistoryAnswer.parse(body);
		expect(history).toMatchObject({ kpi_id: id, granularity: "1h", target_value: 0.95, meta: { missing: [] } });
		const { start, end } = history.meta.window;
		const whole = await kpiValueOf("b", id, { start, end });
		for (const part of ["numerator", "denominator"] as const)
			expect(history.points.reduce((sum, point) => sum + (point[part] ?? 0), 0)).toBe(whole[part].value);
		for (const [i, point] of history.points.entries()) {
			const from = Math.max(Date.parse(point.timestamp), Date.parse(start));
			const to = Date.parse(history.points[i + 1]?.timestamp ?? end);
			const parts = { start: new Date(from).toISOString(), end: new Date(to).toISOString() };
			const { value, attainment, status } = await kpiValueOf("b", id, parts);
			expect(point).toMatchObject({ value, attainment, status });
		}
		const nobody = await create("empty", BODY);
		const { body: none } = await reads.get("empty", `${PATH}/${nobody}/history`, { timeframe: "1h" });
		expect(none.meta.missing.map(({ field }: { field: string }) => field)).toEqual(
			["value", "attainment", "numerator", "denominator"].map((field) => `points[].${field}`),
		);
		expect(none.points[0]).toMatchObject({ value: null, status: "no_data", numerator: null, denominator: null });
	});

	test("of a bucket without a denominator, or without anything, has the sums that its value has", async () => {
		await insertEvents(database.client, "mixed", [
			...hourly(5, () => 0).map(([ts]) => ({ event: "begun", ts })),
			...hourly(3, () => 0).map(([ts]) => ({ event: "ended", ts })),
		]);
		const calculation = { numerator: "begun", denominator: "ended" };
		const id = await create("mixed", { ...BODY, calculation });
		const hour = Math.floor(NOW / HOUR) * HOUR;
		const window = { start: new Date(hour - 7 * HOUR).toISOString(), end: new Date(hour).toISOString() };
		const { body } = await reads.get("mixed", `${PATH}/${id}/history`, { ...window, granularity: "1h" });
		const { points, meta } = kpiHistoryAnswer.parse(body);
		const wholes = [];
		for (const { timestamp } of points) {
			const end = new Date(Date.parse(timestamp) + HOUR).toISOString();
			const whole = await kpiValueOf("mixed", id, { start: timestamp, end });
			wholes.push([whole.value, whole.numerator.value, whole.denominator.value]);
		}
		expect(points.map((point) => [point.value, point.numerator, point.denominator])).toEqual(wholes);
		expect(wholes.map(([, ...sums]) => sums.join("/"))).toEqual(["0/0", "0/0", "0/0", "1/0", "1/0", "1/1", "1/1"]);
		expect(meta.missing).toEqual([]);
		// What was sent after the window, before as_of, was sent.
		const before = { start: new Date(hour - 9 * HOUR).toISOString(), end: new Date(hour - 8 * HOUR).toISOString() };
		const { body: early } = await reads.get("mixed", `${PATH}/${id}/history`, { ...before, granularity: "1h" });
		expect(early.points).toMatchObject([{ value: null, numerator: 0, denominator: 0 }]);
	});

	test("of a project that keeps less is not made of what is left, nor compared with it", async () => {
		const DAY = 24 * HOUR;
		const days = Array.from({ length: 20 }, (_, i) => NOW - 1 - i * DAY);
		// Deleted up to the last seven days, as the daily job does.
		await insertEvents(
			database.client,
			"short",
			days.slice(0, 7).map((ts) => ({ event: "asked", ts })),
		);
		await insertSeries(database.client, "short", [
			{ name: "answered", kind: "counter", points: days.map((ts) => [ts, 2]) },
			{ name: "first", points: [[NOW - 90 * DAY, 1]] },
		]);
		const id = await create("short", { ...BODY, calculation: { numerator: "answered", denominator: "asked" } });
		for (const path of ["value", "history"])
			expect(await reads.get("short", `${PATH}/${id}/${path}`, { timeframe: "30d" })).toMatchObject({
				...{ status: 400, body: { details: { parameter: "timeframe", reason: "Events are kept for 7 days" } } },
			});
		const week = await kpiValueOf("short", id, { timeframe: "7d" });
		expect(week).toMatchObject({ value: 2, previous_value: null, change_percentage: null, trend: null });
	});

	test("refuses what it does not know, and explains itself to an editor", async () => {
		const id = await create("b", BODY);
		expect(await reads.get("b", `${PATH}/${id}/value`, { timeframe: "2h" })).toMatchObject({
			status: 400,
			body: { details: { parameter: "timeframe", valid_options: ["1h", "24h", "7d", "30d"] } },
		});
		expect((await reads.get("b", `${PATH}/${id}/value`, { window: "1h" })).status).toBe(400);
		expect(
			(await reads.get("b", `${PATH}/${id}/value`, { explain: "true" })).body.explain.queries.length,
		).toBeGreaterThan(3);
		expect((await reads.get("b", `${PATH}/${id}/value`, { explain: "true" }, "analytics_viewer")).status).toBe(403);
	});
});
