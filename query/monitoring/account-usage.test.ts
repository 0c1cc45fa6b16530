import { Hono } from "hono";
import { Temporal } from "temporal-polyfill";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createAuth } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import { errorHandler } from "../../http/errors.ts";
import { KeyStore } from "../../http/keys.ts";
import { LocalRateLimiter } from "../../http/rate-limit.ts";
import { type AccountUsageAnswer, accountUsageAnswer } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertErrors, insertEvents, insertLogs, insertProfiles, insertSeries } from "../../tests/support/records.ts";
import { reachOf } from "../measures/scope.ts";
import { Queries } from "../run.ts";
import { accountRoutes } from "./account-usage.ts";

const PATH = "/v1/monitoring/account/usage";
/** Both clocks change in these weeks: Lord Howe by half an hour on 4 October, New York on 1 November. */
const FROM = Date.parse("2026-09-28T00:00:00Z");
const TO = Date.parse("2026-11-04T00:00:00Z");
const NAMES = ["metrics", "events", "logs", "errors", "profiles"] as const;
let seed = 7;
const random = () => {
	seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
	return seed / 2 ** 31;
};
/** In no order; every fourth at a whole quarter of an hour, some twice. */
const times = (n: number) =>
	Array.from({ length: n }, (_, i) => {
		const at = FROM + Math.floor(random() * (TO - FROM));
		return i % 4 === 0 ? at - (at % 900_000) : at;
	}).flatMap((at, i) => (i % 9 === 0 ? [at, at] : [at]));
const all = Object.fromEntries(NAMES.map((name, i) => [name, times(150 + 40 * i)])) as Record<
	(typeof NAMES)[number],
	number[]
>;
const series = all.metrics.map((ts, i) => ({ name: `m ${i % 3}`, tags: { host: `h'${i % 5}` }, ts }));
const events = all.events.map((ts, i) => ({
	event: `é ${i % 4}`,
	ts,
	...(i % 3 === 0 ? { user_id: `u${i % 7}` } : {}),
}));

let db: TestDatabase;
let ask: (
	project: string,
	query?: Record<string, string>,
	role?: string,
	// biome-ignore lint/suspicious/noExplicitAny: bodies of refusals are compared by member
) => Promise<{ status: number; body: any }>;

beforeAll(async () => {
	db = await startDatabase(NO_EXPIRY);
	const { client } = db;
	for (const [project, share] of [
		["p", 1],
		["other", 3],
	] as const) {
		const some = <T>(rows: readonly T[]) => rows.filter((_, i) => i % share === 0);
		await insertSeries(
			client,
			project,
			some(series).map(({ name, tags, ts }) => ({ name, tags, points: [[ts, 1]] })),
		);
		// Late.
		const late = some(events);
		await insertEvents(client, project, late.slice(100));
		await insertEvents(client, project, late.slice(0, 100));
		const lines = some(all.logs).map((ts, i) => ({ ts, message: `m ${i}`, level: i % 2 ? "info" : "error" }));
		await insertLogs(client, project, lines);
		await insertErrors(
			client,
			project,
			some(all.errors).map((ts) => ({ ts, error_type: "E" })),
		);
		await insertProfiles(
			client,
			project,
			some(all.profiles).map((ts) => ({ ts, operation: "o", wall_ns: 1 })),
		);
	}
	await insertLogs(client, "only logs", [{ ts: FROM, message: "m" }]);
	const keys = new KeyStore({ client });
	const requireRole = createAuth({ keys, limiter: new LocalRateLimiter() });
	const app = new Hono<AppEnv>().onError(errorHandler((error) => console.error(error)));
	const queries = new Queries({ client, secondLock: false });
	app.route("/", accountRoutes({ queries, reach: reachOf(NO_EXPIRY), requireRole, now: () => TO }));
	const secrets = new Map<string, string>();
	for (const project of ["p", "other", "only logs", "empty"]) {
		for (const role of ["admin", "analytics_editor"] as const)
			secrets.set(`${project} ${role}`, (await keys.create({ project, name: role, roles: [role] })).secret);
	}
	ask = async (project, query = {}, role = "admin") => {
		const response = await app.request(`${PATH}?${new URLSearchParams(query)}`, {
			headers: { "X-API-Key": secrets.get(`${project} ${role}`)! },
		});
		return { status: response.status, body: await response.json() };
	};
});
afterAll(() => db?.stop());

async function usage(project: string, query: Record<string, string> = {}): Promise<AccountUsageAnswer> {
	const { status, body } = await ask(project, query);
	expect(status, JSON.stringify(body)).toBe(200);
	expect(accountUsageAnswer.parse(body)).toEqual(body);
	return body;
}

/** Midnight of the zone before an instant, as the answer writes it. */
const dayOf = (ts: number, zone: string) =>
	new Date(
		Temporal.Instant.fromEpochMilliseconds(ts).toZonedDateTimeISO(zone).startOfDay().epochMilliseconds,
	).toISOString();

test.each([
	["UTC", FROM, TO],
	["UTC", FROM + 3_600_001, TO - 7_200_003],
	["Asia/Kathmandu", FROM + 12_345_678, TO - 99_999],
	["America/New_York", FROM, TO],
	["Australia/Lord_Howe", FROM + 1, TO - 900_000],
])("records of each day in %s are those that were sent, of this project alone", async (timezone, start, end) => {
	const query = { timezone, start: String(start), end: String(end) };
	const answer = await usage("p", query);
	const inside = (ts: number) => ts >= start && ts < end;
	for (const name of NAMES) {
		const expected = new Map<string, number>();
		for (const ts of all[name].filter(inside)) {
			const day = dayOf(ts, timezone);
			expected.set(day, (expected.get(day) ?? 0) + 1);
		}
		const found = answer.days.flatMap(({ timestamp, records }) =>
			records[name] === 0 ? [] : [[timestamp, records[name]]],
		);
		expect(found, name).toEqual([...expected].sort());
		expect(answer.totals.records[name], name).toBe(all[name].filter(inside).length);
	}
	expect(answer.totals.records.total).toBe(NAMES.reduce((n, name) => n + all[name].filter(inside).length, 0));
	expect(answer.users).toBe(new Set(events.filter(({ ts }) => inside(ts)).flatMap((e) => e.user_id ?? [])).size);
	expect(answer.event_names).toBe(new Set(events.filter(({ ts }) => inside(ts)).map(({ event }) => event)).size);
	const active = series.filter(({ ts }) => ts >= end - 3_600_000 && ts < end);
	expect(answer.active_series).toBe(new Set(active.map(({ name, tags }) => name + tags.host)).size);
	expect(answer.days.every(({ timestamp }) => timestamp === dayOf(Date.parse(timestamp), timezone))).toBe(true);
});

test("bytes are records times what a row of their table takes, and the days are the total", async () => {
	const answer = await usage("p");
	for (const [name, table] of [
		["metrics", "points"],
		["logs", "logs"],
	] as const) {
		const result = await db.client.query({
			query: `SELECT sum(bytes_on_disk) / sum(rows) AS mean FROM system.parts WHERE active AND table = '${table}' AND database = currentDatabase()`,
			format: "JSONEachRow",
		});
		const [row] = await result.json<{ mean: number }>();
		const { [name]: records } = answer.totals.records;
		expect(Math.abs(answer.totals.bytes[name]! / (records! * row!.mean) - 1), name).toBeLessThan(0.02);
	}
	expect(answer.totals.bytes.total).toBe(answer.days.reduce((sum, { bytes }) => sum + bytes.total!, 0));
	expect(answer.meta.methods.bytes).toMatch(/estimate/);
});

test("nothing at or after as_of counts", async () => {
	const as_of = Date.parse("2026-10-10T10:10:10.123Z");
	const answer = await usage("p", { as_of: String(as_of), timeframe: "7d" });
	expect(answer.days.map(({ partial }) => partial === true)).toEqual([...Array(7).fill(false), true]);
	const start = Date.parse("2026-10-03T00:00:00Z");
	for (const name of NAMES)
		expect(answer.totals.records[name]).toBe(all[name].filter((ts) => ts >= start && ts < as_of).length);
	const early = await usage("p", { as_of: String(FROM - 1), timeframe: "24h" });
	expect(early.totals.records.total).toBeNull();
});

test("what was never sent is null and listed, what was not sent in the window is 0", async () => {
	const empty = await usage("empty");
	const missing = empty.meta.missing.map(({ field }) => field);
	for (const what of ["records", "bytes"])
		for (const name of [...NAMES, "total"])
			expect(missing).toEqual(expect.arrayContaining([`totals.${what}.${name}`, `days[].${what}.${name}`]));
	expect(missing).toEqual(expect.arrayContaining(["active_series", "event_names", "users"]));
	expect([empty.totals.records.total, empty.totals.bytes.total, empty.users, empty.active_series]).toEqual(
		Array(4).fill(null),
	);
	const logs = await usage("only logs", { timeframe: "24h" });
	expect(logs.totals.records).toEqual({ metrics: null, events: null, logs: 0, errors: null, profiles: null, total: 0 });
	expect(logs.totals.bytes).toMatchObject({ logs: 0, total: 0, events: null });
});

test("only an admin asks, and a mistake is answered with what could be", async () => {
	expect(await ask("p", {}, "analytics_editor")).toMatchObject({ status: 403, body: { required_role: "admin" } });
	expect(await ask("p", { timeframe: "1y" })).toMatchObject({
		status: 400,
		body: { details: { parameter: "timeframe" } },
	});
	expect((await ask("p", { project: "other" })).status).toBe(400);
});
