import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../../schema/migrate.ts";
import { render } from "../../schema/render.ts";
import { retentionDays } from "../../schema/retention.ts";
import { errorAnalysisAnswer } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { type Reads, startReads } from "../../tests/support/reads.ts";
import { insertErrors, insertEvents, insertSeries, type TestError } from "../../tests/support/records.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const HOUR = 3_600_000;
const PATH = "/v1/monitoring/errors/analysis";

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["random", "twin", "empty", "small", "users", "linked", "old"];
	reads = await startReads(database.client, { projects, now: NOW });
});
afterAll(() => database?.stop());

const ask = async (project: string, parameters: Record<string, string | number> = {}) => {
	const { status, body } = await reads.get(project, PATH, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return errorAnalysisAnswer.parse(body);
};

/** The definitions over a list. */
function truth(errors: readonly TestError[], keys: readonly string[], span: number, end: number, first: number) {
	const start = end - span;
	const within = (from: number, to: number) => errors.filter(({ ts }) => ts >= from && ts < to);
	const keyOf = (error: TestError) =>
		JSON.stringify(
			keys.map((key) =>
				key.startsWith("context.")
					? (error.context?.[key.slice(8)] ?? null)
					: (error as unknown as Record<string, string>)[key] || null,
			),
		);
	const usersOf = (some: readonly TestError[]) => new Set(some.flatMap(({ user_id }) => user_id || [])).size;
	const inWindow = within(start, end);
	const groups = [...new Set(inWindow.map(keyOf))].map((key) => {
		const of = (some: readonly TestError[]) => some.filter((error) => keyOf(error) === key);
		const now = of(inWindow);
		const before = of(within(start - span, start)).length;
		const times = now.map(({ ts }) => ts);
		return {
			...Object.fromEntries((JSON.parse(key) as unknown[]).map((value, i) => [keys[i]!, value])),
			count: now.length,
			exact_percentage: (100 * now.length) / inWindow.length,
			affected_users: usersOf(now),
			first_seen: new Date(Math.min(...of(within(0, end)).map(({ ts }) => ts))).toISOString(),
			last_seen: new Date(Math.max(...times)).toISOString(),
			trend_percentage:
				before === 0 || first > start - span ? null : Math.round((1_000 * (now.length - before)) / before) / 10,
		};
	});
	return { total_errors: inWindow.length, affected_users: usersOf(inWindow), groups };
}

describe("groups of random errors, late and shuffled", () => {
	const text = fc.constantFrom("api", "größe/x", 'a "b" \\', "it's", "");
	const error: fc.Arbitrary<TestError> = fc.record({
		ts: fc.integer({ min: NOW - 80 * 24 * HOUR, max: NOW + HOUR }),
		error_type: fc.constantFrom("TimeoutError", "Value Error", "E'\"😀"),
		component: text,
		severity: fc.constantFrom("error", "critical"),
		issue_id: fc.constantFrom("1", "18446744073709551615", "81985529216486895"),
		user_id: fc.constantFrom("", "u1", "u2", "u3"),
		context: fc.record({ "a.b": text, n: fc.constantFrom(1, 2.5, "1", true) }, { requiredKeys: [] }),
	});
	const [errors] = fc.sample(fc.array(error, { minLength: 600, maxLength: 600 }), { seed: 7, numRuns: 1 });
	const near = errors!.map((each, i) => (i % 3 === 0 ? { ...each, ts: NOW - ((i * 97_003) % (3 * HOUR)) } : each));
	beforeAll(async () => {
		const half = near.length / 2;
		await insertErrors(database.client, "random", near.slice(half), { firstId: half });
		await insertErrors(
			database.client,
			"twin",
			near.map((each) => ({ ...each, error_type: "secret", user_id: "s" })),
		);
		await insertErrors(database.client, "random", near.slice(0, half));
	});

	const first = Math.min(...near.map(({ ts }) => ts));
	test.each([
		["1h", "error_type", NOW],
		["24h", "component", NOW],
		["7d", "error_type,component", NOW],
		["30d", "severity,error_type,component", NOW],
		["30d", "context.a.b", NOW],
		["30d", "context.n,component", NOW],
		["1h", "error_type,component", NOW - HOUR / 2 + 1],
		["30d", "error_type", NOW - 45 * 24 * HOUR],
	])("over %s by %s", async (timeframe, group_by, end) => {
		const span = { "1h": 1, "24h": 24, "7d": 168, "30d": 720 }[timeframe]! * HOUR;
		const answer = await ask("random", { timeframe, group_by, as_of: new Date(end).toISOString(), limit: 1_000 });
		const expected = truth(near, group_by.split(","), span, end, first);
		expect(answer.total_errors).toBe(expected.total_errors);
		expect(answer.affected_users).toBe(expected.affected_users);
		const byKey = (groups: readonly object[]) => groups.map((group) => JSON.stringify(group)).sort();
		const shown = answer.groups.map(({ percentage, rate_per_1k_requests, sample, ...group }) => {
			const wanted = expected.groups.find(
				({ count, last_seen }) => count === group.count && last_seen === group.last_seen,
			);
			expect(Math.abs(percentage! - wanted!.exact_percentage)).toBeLessThan(0.1);
			expect(rate_per_1k_requests).toBeNull();
			expect(sample).toMatchObject({ timestamp: group.last_seen });
			return { ...group, ...Object.fromEntries(group_by.split(",").map((key) => [key, group[key]])) };
		});
		expect(byKey(shown.map(sorted))).toEqual(byKey(expected.groups.map(({ exact_percentage: _, ...g }) => sorted(g))));
		const counts = answer.groups.map(({ count }) => count);
		expect(counts).toEqual([...counts].sort((a, b) => b - a));
		expect(answer.groups.reduce((sum, { percentage }) => sum + percentage!, 0)).toBeCloseTo(100, 6);
		expect(JSON.stringify(answer)).not.toContain("secret");
	});

	test("issue ids are those that reporting answers, and fingerprint is another name of them", async () => {
		const { groups } = await ask("random", { timeframe: "30d", group_by: "issue_id" });
		expect(groups.map((group) => group.issue_id).sort()).toEqual([
			"0000000000000001",
			"0123456789abcdef",
			"ffffffffffffffff",
		]);
		for (const group of groups) expect(group.sample!.issue_id).toBe(group.issue_id);
		const again = await ask("random", { timeframe: "30d", group_by: "fingerprint" });
		expect(again.groups.map(({ fingerprint }) => fingerprint)).toEqual(groups.map(({ issue_id }) => issue_id));
	});

	test("pages follow each other, and are of one instant", async () => {
		const whole = await ask("random", { timeframe: "30d", group_by: "error_type,component", limit: 1_000 });
		const seen: unknown[] = [];
		let cursor: string | null = null;
		do {
			const page = await ask("random", {
				...{ timeframe: "30d", group_by: "error_type,component", limit: 4 },
				...(cursor === null ? {} : { cursor }),
			});
			expect(page.meta.window).toEqual(whole.meta.window);
			expect(page.total_groups).toBe(whole.groups.length);
			seen.push(...page.groups);
			cursor = page.next_cursor;
		} while (cursor !== null);
		expect(seen).toEqual(whole.groups);
	});
});

const sorted = (group: object) => Object.fromEntries(Object.entries(group).sort(([a], [b]) => (a < b ? -1 : 1)));

test("a project that sent nothing knows nothing; one without errors in the window has none", async () => {
	const empty = await ask("empty");
	expect(empty).toMatchObject({ total_errors: null, affected_users: null, total_groups: null, groups: [] });
	expect(empty.meta.missing.map(({ field }) => field)).toEqual(
		expect.arrayContaining(["total_errors", "affected_users", "total_groups", "groups"]),
	);
	await insertErrors(database.client, "small", [{ ts: NOW - 50 * HOUR, error_type: "Old", user_id: "u" }]);
	expect(await ask("small", { timeframe: "1h" })).toMatchObject({
		...{ total_errors: 0, affected_users: 0, total_groups: 0, groups: [], next_cursor: null },
	});
	const before = await ask("small", { as_of: new Date(NOW - 50 * HOUR).toISOString() });
	expect(before.total_errors).toBeNull();
});

test("errors that name nobody say nothing about users; the rate is per 1,000 requests of the window", async () => {
	await insertErrors(database.client, "users", [
		{ ts: NOW - 1, error_type: "A" },
		{ ts: NOW - 2, error_type: "A" },
		{ ts: NOW - 3, error_type: "B" },
	]);
	const requests = Array.from({ length: 400 }, (_, i) => [NOW - 1 - i * 8_000, 0.1] as const);
	await insertSeries(database.client, "users", [
		{ name: "http.server.request.duration", kind: "distribution", points: requests },
	]);
	const answer = await ask("users", { timeframe: "1h" });
	expect(answer).toMatchObject({
		total_errors: 3,
		affected_users: null,
		groups: [
			{ error_type: "A", count: 2, percentage: 66.7, affected_users: null, rate_per_1k_requests: 5 },
			{ error_type: "B", count: 1, percentage: 33.3, rate_per_1k_requests: 2.5 },
		],
	});
	expect(answer.meta.missing).toContainEqual({ field: "affected_users", needs: "error with user_id" });
});

test("an anonymous id is the user it was linked to, also before, but only once that is known", async () => {
	await insertErrors(database.client, "linked", [
		{ ts: NOW - 3 * HOUR, error_type: "A", user_id: "anon 1" },
		{ ts: NOW - 2, error_type: "A", user_id: "ünï" },
		{ ts: NOW - 1, error_type: "B", user_id: "other" },
	]);
	const linked = { event: "user.linked", ts: NOW - HOUR, user_id: "ünï", properties: { anonymous_id: "anon 1" } };
	await insertEvents(database.client, "linked", [linked]);
	expect(await ask("linked")).toMatchObject({
		affected_users: 2,
		groups: [{ count: 2, affected_users: 1 }, { count: 1 }],
	});
	const before = new Date(NOW - HOUR).toISOString();
	expect(await ask("linked", { as_of: before })).toMatchObject({ affected_users: 1, groups: [{ affected_users: 1 }] });
});

test("what is no longer kept is refused where there was something, and compares with nothing", async () => {
	const options = { projects: ["old", "young"], now: NOW, retention: { ...NO_EXPIRY, logs_days: 40 } };
	const short = await startReads(database.client, options);
	const DAY = 24 * HOUR;
	const both = [
		{ ts: NOW - 39 * DAY, error_type: "A" },
		{ ts: NOW - DAY, error_type: "A" },
	];
	await insertErrors(database.client, "young", both);
	await insertErrors(database.client, "old", [...both, { ts: NOW - 100 * DAY, error_type: "A" }]);
	const start = new Date(NOW - 50 * DAY).toISOString();
	expect(await short.get("old", PATH, { start })).toMatchObject({
		status: 400,
		body: { details: { parameter: "start", provided: start, reason: expect.stringContaining("40 days") } },
	});
	expect((await short.get("young", PATH, { start })).body.total_errors).toBe(2);
	const compared = { timeframe: "30d" };
	expect((await short.get("old", PATH, compared)).body.groups).toMatchObject([{ count: 1, trend_percentage: null }]);
	expect((await ask("old", compared)).groups).toMatchObject([{ count: 1, trend_percentage: 0 }]);
});

test("errors that were there before the table of first times are in it, and however often it is filled", async () => {
	const { client } = database;
	const template = migrations().find(({ name }) => name === "error_first_seen")!.text;
	const [, , fill] = render(template, { database: "tidemark", days: retentionDays(NO_EXPIRY) });
	const content = async () => {
		const query = `SELECT project, error_type, component, severity, issue_id, min(first_seen) AS first FROM error_first_seen
			GROUP BY ALL ORDER BY ALL`;
		return (await client.query({ query, format: "JSONEachRow" })).json();
	};
	const before = await content();
	await client.command({ query: "TRUNCATE TABLE error_first_seen" });
	for (let again = 0; again < 2; again++) {
		await client.command({ query: fill! });
		expect(await content()).toEqual(before);
	}
});

test("what is grouped by must be something that errors have", async () => {
	for (const group_by of ["user", "context.", "error_type,colour"]) {
		const { status, body } = await reads.get("small", PATH, { group_by });
		expect(status).toBe(400);
		expect(body.details).toMatchObject({ parameter: "group_by", valid_options: expect.arrayContaining(["severity"]) });
	}
	expect((await reads.get("small", PATH, { cursor: "xx" })).status).toBe(400);
	expect((await reads.get("small", PATH, { limit: 0 })).status).toBe(400);
});
