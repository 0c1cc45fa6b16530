import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AuditLog } from "../../../schema/audit.ts";
import { Definitions } from "../../../schema/definitions.ts";
import {
	type IssueBody,
	type IssueChange,
	type IssuesAnswer,
	issueAnswer,
	issueBody,
	issuesAnswer,
} from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { type Reads, startReads } from "../../../tests/support/reads.ts";
import { insertErrors, insertEvents, type TestError } from "../../../tests/support/records.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const PATH = "/v1/monitoring/issues";
const iso = (ms: number) => new Date(ms).toISOString();
const hex = (issue: string) => BigInt(issue).toString(16).padStart(16, "0");

let database: TestDatabase;
let reads: Reads;
let definitions: Definitions<IssueBody>;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["random", "twin", "empty", "small", "flow", "other", "linked", "nobody", "old", "late"];
	reads = await startReads(database.client, { projects, now: NOW });
	definitions = new Definitions<IssueBody>(database.client, "issue", issueBody);
});
afterAll(() => database?.stop());

type Parameters = Record<string, string | number>;
const ask = async (project: string, parameters: Parameters = {}) => {
	const { status, body } = await reads.get(project, PATH, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return issuesAnswer.strict().parse(body);
};
const askOne = async (project: string, issue: string, parameters: Parameters = {}) => {
	const { status, body } = await reads.get(project, `${PATH}/${issue}`, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return issueAnswer.strict().parse(body);
};

describe("issues of random errors, late and shuffled", () => {
	const text = fc.constantFrom("api", "größe/x", "it's", "");
	const error: fc.Arbitrary<TestError> = fc.record({
		ts: fc.integer({ min: NOW - 80 * DAY, max: NOW + HOUR }),
		error_type: fc.constantFrom("TimeoutError", "Value Error", "E'\"😀"),
		component: text,
		severity: fc.constantFrom("error", "critical"),
		message: fc.constantFrom("one\ntwo", "größer ALS", "%_x"),
		issue_id: fc.constantFrom("0", "1", "18446744073709551615", "81985529216486895", "5", "6", "7"),
		user_id: fc.constantFrom("", "u1", "u2", "anon 1"),
	});
	const [errors] = fc.sample(fc.array(error, { minLength: 500, maxLength: 500 }), { seed: 9, numRuns: 1 });
	const all = errors!.map((each, i) => ({
		...each,
		id: i + 1,
		...(i % 3 === 0 ? { ts: NOW - ((i * 97_003) % (3 * HOUR)) } : {}),
	}));
	const change = (status: IssueChange["status"], at: number): IssueChange => ({
		status,
		at: iso(at),
		by: "k",
		note: null,
	});
	/** By issue: what somebody made of it, before and after the errors. */
	const changes: Record<string, IssueChange[]> = {
		"1": [change("resolved", NOW - 40 * DAY), change("open", NOW - 20 * DAY), change("resolved", NOW - 10 * DAY)],
		"18446744073709551615": [change("ignored", NOW - 5 * DAY)],
		"81985529216486895": [change("resolved", NOW - 1)],
		"5": [change("ignored", NOW - 60 * DAY), change("open", NOW - 2 * DAY)],
		"6": [change("resolved", Math.max(...all.filter((e) => e.issue_id === "6" && e.ts < NOW).map((e) => e.ts)))],
	};
	const linked = { event: "user.linked", ts: NOW - 3 * DAY, user_id: "u2", properties: { anonymous_id: "anon 1" } };
	beforeAll(async () => {
		const half = all.length / 2;
		const of = (list: typeof all) => list.map(({ id: _, ...each }) => each);
		await insertErrors(database.client, "random", of(all.slice(half)), { firstId: half + 1 });
		const other = of(all).map((each) => ({ ...each, error_type: "secret", user_id: "s", component: "secret" }));
		await insertErrors(database.client, "twin", other);
		await insertErrors(database.client, "random", of(all.slice(0, half)));
		for (const project of ["random", "twin"]) await insertEvents(database.client, project, [linked]);
		for (const [id, list] of Object.entries(changes)) await definitions.put("random", hex(id), { changes: list });
		await definitions.put("twin", hex("7"), { changes: [change("ignored", 0)] });
	});

	/** The definitions over a list. */
	function truth(start: number, end: number, as_of: number) {
		const known = all.filter(({ ts }) => ts < as_of);
		const first = Math.min(...known.map(({ ts }) => ts));
		const userOf = (id: string | undefined) => (id === "anon 1" ? (as_of > linked.ts ? "u2" : id) : id);
		return [...new Set(known.map((e) => e.issue_id!))].flatMap((issue) => {
			const own = known.filter((e) => e.issue_id === issue).sort((a, b) => a.ts - b.ts || a.id - b.id);
			const within = own.filter(({ ts }) => ts >= start && ts < end);
			if (within.length === 0) return [];
			const before = own.filter(({ ts }) => ts >= start - (end - start) && ts < start).length;
			const last = own.at(-1)!;
			const made = (changes[issue] ?? []).filter(({ at }) => Date.parse(at) <= as_of).at(-1);
			const status =
				made?.status === "resolved"
					? last.ts > Date.parse(made.at)
						? "regressed"
						: "resolved"
					: (made?.status ?? "open");
			return [
				{
					issue_id: hex(issue),
					type: last.error_type,
					title: `${last.error_type}: ${last.message!.split("\n")[0]}`,
					component: last.component || null,
					severity: last.severity,
					status,
					first_seen: iso(own[0]!.ts),
					last_seen: iso(last.ts),
					count: within.length,
					count_ever: own.length,
					affected_users: new Set(within.flatMap((e) => userOf(e.user_id) || [])).size,
					trend_percentage:
						before === 0 || first > start - (end - start)
							? null
							: Math.round((1_000 * (within.length - before)) / before) / 10,
					errors: within,
				},
			];
		});
	}
	const shown = ({ issues }: IssuesAnswer) => issues.map(({ sample: _, culprit: __, ...rest }) => rest);
	const withoutErrors = (list: ReturnType<typeof truth>) => list.map(({ errors: _, ...rest }) => rest);
	const latest = (a: { last_seen: string; issue_id: string }, b: { last_seen: string; issue_id: string }) =>
		a.last_seen === b.last_seen ? (a.issue_id < b.issue_id ? -1 : 1) : a.last_seen < b.last_seen ? 1 : -1;

	test.each([
		[{ timeframe: "1h" }, NOW - HOUR, NOW, NOW],
		[{ timeframe: "24h" }, NOW - DAY, NOW, NOW],
		[{ timeframe: "7d" }, NOW - 7 * DAY, NOW, NOW],
		[{ timeframe: "30d" }, NOW - 30 * DAY, NOW, NOW],
		[{ timeframe: "30d", as_of: iso(NOW - 15 * DAY) }, NOW - 45 * DAY, NOW - 15 * DAY, NOW - 15 * DAY],
		[{ timeframe: "24h", as_of: iso(NOW - HOUR + 1) }, NOW - HOUR + 1 - DAY, NOW - HOUR + 1, NOW - HOUR + 1],
		[{ start: iso(NOW - 12 * DAY), end: iso(NOW - 8 * DAY) }, NOW - 12 * DAY, NOW - 8 * DAY, NOW],
	])("over %j", async (parameters, start, end, as_of) => {
		const expected = truth(start, end, as_of);
		const answer = await ask("random", { ...parameters, limit: 1_000 });
		expect(shown(answer)).toEqual(withoutErrors(expected.toSorted(latest)));
		expect(answer.total_issues).toBe(expected.length);
		for (const { sample, last_seen, issue_id } of answer.issues) {
			expect(sample).toMatchObject({ timestamp: last_seen, issue_id });
		}
		expect(JSON.stringify(answer)).not.toContain("secret");
		for (const status of ["open", "resolved", "regressed", "ignored", "open,regressed"]) {
			const only = await ask("random", { ...parameters, status });
			const wanted = expected.filter((issue) => status.split(",").includes(issue.status));
			expect(shown(only)).toEqual(withoutErrors(wanted.toSorted(latest)));
			expect(only.total_issues).toBe(wanted.length);
		}
		// One by one they say the same.
		for (const { errors: own, ...issue } of expected) {
			const one = await askOne("random", issue.issue_id, parameters);
			expect(one).toMatchObject(issue);
			expect(one.occurrences.map(({ timestamp }) => timestamp)).toEqual(
				own
					.map(({ ts }) => iso(ts))
					.reverse()
					.slice(0, 10),
			);
			expect(one.counts.reduce((sum, each) => sum + each.count, 0)).toBe(own.length);
		}
	});

	test("by component and by text, of errors in the window", async () => {
		const expected = truth(NOW - DAY, NOW, NOW);
		for (const component of ["api", "größe/x", "it's", "none"]) {
			const wanted = expected.filter(({ errors: own }) => own.some((e) => e.component === component));
			expect(shown(await ask("random", { component }))).toEqual(withoutErrors(wanted.toSorted(latest)));
		}
		for (const query of ["timeout", "E'\"😀", "GRÖSSER", "größer als", "%_X", "two", "it's", hex("7"), hex("1")]) {
			const wanted = expected.filter(
				({ errors: own, issue_id }) =>
					issue_id === query.toLowerCase() ||
					own.some((e) =>
						[e.error_type, e.message, e.component].some((t) => t!.toLowerCase().includes(query.toLowerCase())),
					),
			);
			expect(shown(await ask("random", { query })), query).toEqual(withoutErrors(wanted.toSorted(latest)));
		}
	});

	test("in other orders, page by page, all of one instant", async () => {
		for (const sort of ["last_seen", "first_seen", "count", "affected_users"] as const) {
			const whole = await ask("random", { sort, timeframe: "30d" });
			const keys = whole.issues.map((issue) => issue[sort]!);
			expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? 1 : a > b ? -1 : 0)));
			const pages: unknown[] = [];
			let cursor: string | null = null;
			do {
				const page = await ask("random", { sort, timeframe: "30d", limit: 2, ...(cursor === null ? {} : { cursor }) });
				expect(page.total_issues).toBe(whole.issues.length);
				expect(page.meta.window).toEqual(whole.meta.window);
				pages.push(...page.issues);
				cursor = page.next_cursor;
			} while (cursor !== null);
			expect(pages).toEqual(whole.issues);
		}
		const beyond = Buffer.from(`500.${NOW}`).toString("base64url");
		expect(await ask("random", { timeframe: "30d", cursor: beyond })).toMatchObject({ total_issues: 7, issues: [] });
	});

	test.each(["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"])(
		"counts by day follow the calendar of %s, over its clock changes",
		async (timezone) => {
			const start = NOW - 75 * DAY;
			const one = await askOne("random", hex("1"), { start: iso(start), timezone, granularity: "1d" });
			const dayOf = new Intl.DateTimeFormat("en-CA", { timeZone: timezone });
			const expected = new Map<string, number>();
			for (const { ts, issue_id } of all) {
				if (issue_id !== "1" || ts < start || ts >= NOW) continue;
				expected.set(dayOf.format(ts), (expected.get(dayOf.format(ts)) ?? 0) + 1);
			}
			expect(one.counts.map(({ partial }) => partial ?? false)).toEqual(
				one.counts.map((_, i) => i === 0 || i === one.counts.length - 1),
			);
			const days = one.counts.map(({ timestamp, count }) => [dayOf.format(Date.parse(timestamp)), count] as const);
			expect(new Set(days.map(([day]) => day)).size).toBe(days.length);
			expect(days.filter(([, count]) => count > 0)).toEqual([...expected].sort());
			expect(days.length).toBeGreaterThanOrEqual(75);
		},
	);

	test("the samples of errors/analysis say the status of their issue", async () => {
		const { status, body } = await reads.get("random", "/v1/monitoring/errors/analysis", {
			timeframe: "30d",
			group_by: "issue_id",
		});
		expect(status).toBe(200);
		const expected = new Map(truth(NOW - 30 * DAY, NOW, NOW).map(({ issue_id, status }) => [issue_id, status]));
		const found = new Map(
			body.groups.map((group: { issue_id: string; sample: { status: string } }) => [
				group.issue_id,
				group.sample.status,
			]),
		);
		expect(found).toEqual(expected);
		expect(new Set(found.values()).size).toBe(4);
	});
});

describe("a person", () => {
	const T = NOW - 10_000;
	const error = (ts: number, stack = ""): TestError => ({ ts, error_type: "E", message: "m", issue_id: "11", stack });
	const patch = (
		body: unknown,
		project = "flow",
		issue = hex("11"),
		role: "analytics_viewer" | "analytics_editor" = "analytics_editor",
	) => reads.send(project, "PATCH", `${PATH}/${issue}`, body, role);

	test("resolves an issue, and an error after that, not one of before that comes late, makes it regressed", async () => {
		const { client } = database;
		await insertErrors(client, "flow", [error(T)]);
		await insertErrors(client, "other", [error(T)]);
		expect((await ask("flow")).issues).toMatchObject([{ status: "open" }]);
		const done = await patch({ status: "resolved", note: " fixed in 1.2 " });
		expect(done).toMatchObject({ status: 200, body: { status: "resolved", issue_id: hex("11"), count: 1 } });
		expect(issueAnswer.strict().parse(done.body).changes).toMatchObject([
			{ status: "resolved", at: iso(NOW), note: "fixed in 1.2" },
		]);
		const later = { as_of: iso(NOW + HOUR) };
		expect((await ask("flow", later)).issues).toMatchObject([{ status: "resolved" }]);
		await insertErrors(client, "flow", [error(NOW - 1), error(NOW)], { firstId: 2 });
		expect((await ask("flow", later)).issues).toMatchObject([{ status: "resolved", count: 3 }]);
		await insertErrors(client, "flow", [error(NOW + 1)], { firstId: 4 });
		expect((await ask("flow", later)).issues).toMatchObject([{ status: "regressed", count: 4 }]);
		expect(await askOne("flow", hex("11"), later)).toMatchObject({ status: "regressed" });
		// As of before all that it was open, and the other project's still is.
		expect((await ask("flow", { as_of: iso(NOW - 1) })).issues).toMatchObject([
			{ status: "open", count: 1, count_ever: 1 },
		]);
		expect((await ask("other", later)).issues).toMatchObject([{ status: "open" }]);
	});

	test("ignores and opens it again; every change is in the audit log, which holds together", async () => {
		expect((await patch({ status: "ignored" })).body.status).toBe("ignored");
		expect((await ask("flow", { as_of: iso(NOW + HOUR) })).issues).toMatchObject([{ status: "ignored" }]);
		const opened = await patch({ status: "open", note: "after all" });
		expect(opened.body.status).toBe("open");
		expect(opened.body.changes.map((change: IssueChange) => change.status)).toEqual(["resolved", "ignored", "open"]);
		const query = `SELECT action, target, detail, actor FROM audit_log WHERE project = 'flow' AND action = 'issue.update' ORDER BY seq`;
		const rows = await (await database.client.query({ query, format: "JSONEachRow" })).json<Record<string, string>>();
		expect(rows.map(({ action, target, detail }) => [action, target, JSON.parse(detail!)])).toEqual([
			["issue.update", hex("11"), { status: "resolved", note: "fixed in 1.2" }],
			["issue.update", hex("11"), { status: "ignored" }],
			["issue.update", hex("11"), { status: "open", note: "after all" }],
		]);
		expect(opened.body.changes.map(({ by }: IssueChange) => by)).toEqual(rows.map(({ actor }) => actor));
		expect(await new AuditLog(database.client).verify("flow")).toMatchObject({ broken_at: null });
	});

	test("who changes it at the same time as others, on this server or on another, loses no change", async () => {
		await insertErrors(database.client, "late", [error(T)]);
		const other = await startReads(database.client, { projects: ["late"], now: NOW });
		const statuses = ["resolved", "open", "ignored", "open", "resolved"];
		const answers = await Promise.all(
			statuses.map((status, i) => (i % 2 ? other : reads).send("late", "PATCH", `${PATH}/${hex("11")}`, { status })),
		);
		expect(answers.map(({ status }) => status)).toEqual(statuses.map(() => 200));
		expect((await askOne("late", hex("11"))).changes.map(({ status }) => status).sort()).toEqual([...statuses].sort());
	});

	test("finds no issue of another project, none that never was, and may not change one to read only", async () => {
		for (const issue of ["ffffffffffffffff", "xyz", "11", `${hex("11")}0`, hex("11").toUpperCase().replace("B", "Z")]) {
			expect((await patch({ status: "open" }, "flow", issue)).status, issue).toBe(404);
			expect((await reads.get("flow", `${PATH}/${issue}`)).status, issue).toBe(404);
		}
		expect((await patch({ status: "open" }, "empty")).status).toBe(404);
		expect((await reads.get("empty", `${PATH}/${hex("11")}`)).status).toBe(404);
		expect((await reads.get("flow", `${PATH}/${hex("11")}`, { as_of: iso(T) })).status).toBe(404);
		expect((await patch({ status: "open" }, "flow", hex("11"), "analytics_viewer")).status).toBe(403);
		expect((await reads.get("flow", `${PATH}/${hex("11")}`, {}, "analytics_viewer")).status).toBe(200);
		expect(await patch({ status: "regressed" })).toMatchObject({
			status: 400,
			body: { details: { parameter: "status", provided: "regressed", valid_options: ["open", "resolved", "ignored"] } },
		});
		for (const body of [{}, { status: "open", colour: 1 }, { status: "open", note: "" }, []]) {
			expect((await patch(body)).status).toBe(400);
		}
	});
});

test("an issue shows its chain of causes and its top call, also of errors stored before culprits were", async () => {
	const stack =
		"RangeError: far\n    at run (/app/src/job.js:3:1)\n    at main (/app/node_modules/x/y.js:1:1)\nCaused by: TypeError: near\n    at <anonymous>:1:1\n    at load (file:///app/src/db.mjs:9:9)";
	await insertErrors(database.client, "small", [
		{ ts: NOW - 5, error_type: "RangeError", message: "far\noff", issue_id: "12", stack, component: "api" },
	]);
	const one = await askOne("small", hex("12"));
	expect(one).toMatchObject({ title: "RangeError: far", culprit: "run (job)", affected_users: null, component: "api" });
	expect(one.chain).toEqual([
		{
			...{ type: "RangeError", message: "far" },
			frames: [
				{ module: "job", function: "run", in_app: true },
				{ module: "y", function: "main", in_app: false },
			],
		},
		{
			...{ type: "TypeError", message: "near" },
			frames: [
				{ module: "<anonymous>", function: null, in_app: false },
				{ module: "db", function: "load", in_app: true },
			],
		},
	]);
	expect(one.meta.missing).toContainEqual({ field: "affected_users", needs: "error with user_id" });
	expect((await ask("small")).issues).toMatchObject([{ culprit: "run (job)" }]);
});

test("a project that sent nothing knows nothing; one without errors in the window has none", async () => {
	const empty = await ask("empty");
	expect(empty).toMatchObject({ total_issues: null, issues: [], next_cursor: null });
	expect(empty.meta.missing.map(({ field }) => field)).toEqual(expect.arrayContaining(["total_issues", "issues"]));
	expect(await ask("small", { as_of: iso(NOW + 9 * DAY), timeframe: "1h" })).toMatchObject({
		total_issues: 0,
		issues: [],
	});
	const quiet = await askOne("small", hex("12"), { as_of: iso(NOW + 9 * DAY), timeframe: "1h" });
	expect(quiet).toMatchObject({
		count: 0,
		count_ever: 1,
		last_seen: iso(NOW - 5),
		occurrences: [],
		sample: { message: "far\noff" },
	});
});

test("an issue is known after its errors are gone", async () => {
	await insertErrors(database.client, "old", [
		{ ts: NOW - 50 * DAY, error_type: "Old", message: "gone", issue_id: "13", component: "api" },
		{ ts: NOW - DAY / 2, error_type: "New", issue_id: "14" },
	]);
	await database.client.command({
		query: "ALTER TABLE errors DELETE WHERE project = 'old' AND issue_id = 13",
		clickhouse_settings: { mutations_sync: "2" },
	});
	expect(await askOne("old", hex("13"))).toMatchObject({
		...{ title: "Old: gone", component: "api", severity: null, status: "open", count: 0, count_ever: 1 },
		...{ first_seen: iso(NOW - 50 * DAY), last_seen: iso(NOW - 50 * DAY), sample: null, chain: [], occurrences: [] },
	});
	const short = await startReads(database.client, {
		...{ projects: ["old"], now: NOW },
		retention: { ...NO_EXPIRY, logs_days: 20 },
	});
	const start = iso(NOW - 30 * DAY);
	for (const path of [PATH, `${PATH}/${hex("14")}`]) {
		expect(await short.get("old", path, { start }), path).toMatchObject({
			status: 400,
			body: { details: { parameter: "start" } },
		});
	}
});

test("what an issue is asked by must be something that there is", async () => {
	expect((await reads.get("small", PATH, { status: "closed" })).body.details).toMatchObject({
		...{ parameter: "status", provided: "closed", valid_options: ["open", "resolved", "regressed", "ignored"] },
	});
	for (const wrong of [
		{ sort: "age" },
		{ limit: 0 },
		{ cursor: "x" },
		{ query: "" },
		{ colour: "red" },
		{ timeframe: "2h" },
	]) {
		expect((await reads.get("small", PATH, wrong)).status, JSON.stringify(wrong)).toBe(400);
	}
	expect((await reads.get("small", `${PATH}/${hex("12")}`, { granularity: "2m" })).status).toBe(400);
});
