import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { isActive, knownAt, peopleEvents } from "../../tests/support/people.ts";
import { insertEvents } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { bucketsOver } from "../time/buckets.ts";
import { identification } from "./identification.ts";
import { activeUsers, distinctUsers } from "./users.ts";

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"] as const;
/** Both changes of the clock lie inside. */
const FROM = Date.parse("2026-09-25T00:00:00Z");
const TO = Date.parse("2026-11-05T00:00:00Z");
const all = peopleEvents({ from: FROM, to: TO, visits: 1_500, users: 120, sessions: true, seed: 5 });

let database: TestDatabase;
let asker: Asker;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	// Late and in no order.
	for (const part of [2, 0, 1]) {
		const some = all.filter((_, i) => i % 3 === part);
		await insertEvents(database.client, "p", some);
	}
	const others = all.slice(0, 300).map((event) => ({ ...event, properties: { anonymous_id: "anon 1.0" } }));
	await insertEvents(database.client, "other", others);
	asker = new Queries({ client: database.client, secondLock: false }).of("p");
});
afterAll(() => database?.stop());

const instant = fc.integer({ min: FROM, max: TO }).map((ms) => (ms % 3 === 0 ? ms - (ms % 900_000) : ms));
const windows = fc.tuple(instant, instant, instant).map((instants) => {
	const [start, end, as_of] = instants.sort((a, b) => a - b) as [number, number, number];
	return { start, end, as_of };
});

test("users of any window are those of its events, by what is known of their anonymous ids at as_of", async () => {
	await fc.assert(
		fc.asyncProperty(windows, async ({ start, end, as_of }) => {
			const users = new Set(
				knownAt(all, as_of)
					.filter((event) => isActive(event) && event.ts >= start && event.ts < end)
					.map(({ user }) => user),
			);
			expect(await asker.ask(distinctUsers({ start, end, as_of }))).toBe(users.size);
		}),
		{ numRuns: 60, seed: 1 },
	);
});

test("users of every bucket, in every zone, are those of its events", async () => {
	await fc.assert(
		fc.asyncProperty(
			windows,
			fc.constantFrom(...ZONES),
			fc.constantFrom("5m", "15m", "1h", "1d"),
			async ({ start, end, as_of }, zone, granularity) => {
				if (start === end) return;
				const from = granularity === "5m" ? Math.max(start, end - 86_400_000) : start;
				const buckets = bucketsOver(from, end, granularity, zone);
				const expected = new Map<number, Set<string>>();
				for (const event of knownAt(all, as_of)) {
					if (!isActive(event) || event.ts < from || event.ts >= end) continue;
					const t = buckets.starts.findLast((at) => at * 1_000 <= event.ts)!;
					expected.set(t, (expected.get(t) ?? new Set()).add(event.user!));
				}
				const found = await asker.ask(activeUsers({ start: from, end, as_of, buckets }));
				expect([...found].sort()).toEqual([...expected].map(([t, users]) => [t, users.size]).sort());
			},
		),
		{ numRuns: 40, seed: 2 },
	);
});

test("the first link by event time wins, whenever it arrives, and one at as_of does not exist yet", async () => {
	const project = new Queries({ client: database.client, secondLock: false }).of("links");
	const at = FROM + 1_000;
	const link = (ts: number, user_id: string) => ({ event: "login", ts, user_id, properties: { anonymous_id: "a" } });
	const users = (as_of: number) => project.ask(distinctUsers({ start: FROM, end: as_of, as_of }));
	await insertEvents(database.client, "links", [{ event: "view", ts: FROM, properties: { anonymous_id: "a" } }]);
	expect(await users(at)).toBe(0);
	await insertEvents(database.client, "links", [link(at + 2, "second"), { event: "x", ts: FROM, user_id: "a" }]);
	// As user_id the same text is a user, until it turns out to be somebody else.
	expect(await users(at + 2)).toBe(1);
	expect(await users(at + 3)).toBe(1);
	await insertEvents(database.client, "links", [link(at + 1, "first")]);
	expect(await users(at + 3)).toBe(2);
	expect(await project.ask(distinctUsers({ start: FROM, end: FROM + 1, as_of: at + 3 }))).toBe(1);
	// A number is an id too, and an id that is linked to itself is no link.
	await insertEvents(database.client, "links", [
		{ event: "view", ts: at, properties: { anonymous_id: 7 } },
		{ event: "login", ts: at, user_id: "7", properties: { anonymous_id: "7" } },
		{ event: "login", ts: at + 1, user_id: "first", properties: { anonymous_id: 7 } },
	]);
	expect(await users(at + 3)).toBe(2);
});

test("where nothing was linked yet, users are the same without the join; afterwards it is known that they are not", async () => {
	await fc.assert(
		fc.asyncProperty(windows, async ({ start, end }) => {
			const { unlinked } = await asker.ask(identification(end));
			const window = { start, end, as_of: end };
			const joined = await asker.ask(distinctUsers(window));
			if (unlinked) expect(await asker.ask(distinctUsers({ ...window, unlinked }))).toBe(joined);
		}),
		{ numRuns: 20, seed: 4 },
	);
	const project = new Queries({ client: database.client, secondLock: false }).of("one link");
	const events = [
		{ event: "view", ts: FROM, user_id: "u", session_id: "s" },
		{ event: "view", ts: FROM + 1, properties: { anonymous_id: "a" } },
		{ event: "login", ts: FROM + 1_000, user_id: "u", properties: { anonymous_id: "a" } },
	];
	await insertEvents(database.client, "one link", events);
	const known = async (as_of: number) => await project.ask(identification(as_of));
	expect(await known(FROM)).toEqual({ sessions: "inactivity", unlinked: true });
	expect(await known(FROM + 1_000)).toEqual({ sessions: "client", unlinked: true });
	expect(await known(FROM + 1_001)).toEqual({ sessions: "client", unlinked: false });
	const window = { start: FROM, end: FROM + 1_000, as_of: FROM + 1_000 };
	const both = [
		await project.ask(distinctUsers(window)),
		await project.ask(distinctUsers({ ...window, unlinked: true })),
	];
	expect(both).toEqual([1, 1]);
});
