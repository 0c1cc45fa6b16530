import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { isActive, type Known, knownAt, peopleEvents } from "../../tests/support/people.ts";
import { insertEvents, type TestEvent } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { identification } from "./identification.ts";
import type { PeopleScope } from "./people.ts";
import { type SessionTotals, sessionTotals, sessionTotalsIn } from "./sessions.ts";

const FROM = Date.parse("2026-10-20T00:00:00Z");
const TO = Date.parse("2026-11-05T00:00:00Z");
const options = { from: FROM, to: TO, visits: 700, users: 40 };
const withIds: TestEvent[] = [
	...peopleEvents({ ...options, sessions: true, seed: 1 }),
	// One session over a week, one with messages of an assistant that has no user.
	...[0, 3, 7].map((days) => ({ ...event("view", FROM + days * 86_400_000), user_id: "u", session_id: "long" })),
	{ ...event("chat.message.sent", FROM + 5_000), user_id: "u", session_id: "talk" },
	{ ...event("chat.message.sent", FROM + 9_000), session_id: "talk" },
	{ ...event("chat.message.sent", FROM + 9_000), session_id: "nobody's" },
];
const without = [
	...peopleEvents({ ...options, sessions: false, seed: 2 }),
	// A pause of exactly half an hour does not end a session; one that is longer does; midnight does not.
	...[0, 1_800_000, 3_600_001].map((ms) => ({ ...event("view", FROM + 86_400_000 - 60_000 + ms), user_id: "night" })),
];

function groupBy<T, K>(all: readonly T[], keyOf: (one: T) => K): Map<K, T[]> {
	const groups = new Map<K, T[]>();
	for (const one of all) groups.set(keyOf(one), [...(groups.get(keyOf(one)) ?? []), one]);
	return groups;
}

function event(name: string, ts: number): TestEvent {
	return { event: name, ts };
}

let database: TestDatabase;
let queries: Queries;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	for (const part of [1, 0]) {
		for (const [project, all] of [
			["ids", withIds],
			["none", without],
		] as const) {
			await insertEvents(
				database.client,
				project,
				all.filter((_, i) => i % 2 === part),
			);
		}
	}
	// The same ids elsewhere, at other times.
	await insertEvents(
		database.client,
		"other",
		withIds.slice(0, 300).map((one) => ({ ...one, ts: one.ts - 7_000_000 })),
	);
	queries = new Queries({ client: database.client, secondLock: false });
});
afterAll(() => database?.stop());

const instant = fc.integer({ min: FROM, max: TO + 1 }).map((ms) => (ms % 2 === 0 ? ms - (ms % 3_600_000) : ms));
const scopes = fc.tuple(instant, instant, instant).map((instants): PeopleScope => {
	const [start, end, as_of] = instants.sort((a, b) => a - b) as [number, number, number];
	return { start, end, as_of };
});

function totals(sessions: readonly (readonly Known[])[], messages: readonly (readonly Known[])[]): SessionTotals {
	const of = (name: string) => messages.flat().filter((one) => one.event === name).length;
	const duration = (session: readonly Known[]) => session.at(-1)!.ts - session[0]!.ts;
	return {
		sessions: sessions.length,
		duration_ms: sessions.reduce((sum, session) => sum + duration(session), 0),
		single: sessions.filter((session) => session.length === 1).length,
		n: sessions.flat().length,
		chats: of("chat.message.sent"),
		inferences: of("model_inference_completed"),
	};
}

const check = (asker: Asker, kind: "client" | "inactivity", truth: (scope: PeopleScope) => SessionTotals) =>
	fc.assert(
		fc.asyncProperty(scopes, async (scope) => {
			const found = await asker.ask(sessionTotals(scope, kind));
			expect(found).toEqual(truth(scope));
			const third = Math.floor((scope.end - scope.start) / 3);
			const spans = [
				{ start: scope.end - third, end: scope.end },
				{ start: scope.start, end: scope.start + third },
			];
			expect(await asker.ask(sessionTotalsIn(spans, scope, kind))).toEqual(
				spans.map((span) => truth({ ...scope, ...span })),
			);
		}),
		{ numRuns: 40, seed: 3 },
	);

test("sessions of a client's ids are whole, whatever the window, and those without a user are none", async () => {
	const asker = queries.of("ids");
	expect(await asker.ask(identification(TO))).toMatchObject({ sessions: "client" });
	await check(asker, "client", ({ start, end, as_of }) => {
		const byId = groupBy(
			knownAt(withIds, as_of).filter(({ session_id }) => session_id !== undefined),
			({ session_id }) => session_id!,
		);
		const started = [...byId.values()].filter((session) => {
			const first = session.find(({ user }) => user !== undefined);
			return first !== undefined && first.ts >= start && first.ts < end;
		});
		return totals(
			started.map((session) => session.filter(({ user }) => user !== undefined)),
			started,
		);
	});
});

test("without any session_id, half an hour of silence ends a session", async () => {
	const asker = queries.of("none");
	expect(await asker.ask(identification(TO))).toMatchObject({ sessions: "inactivity" });
	expect(await queries.of("ids").ask(identification(FROM))).toMatchObject({ sessions: "inactivity" });
	await check(asker, "inactivity", ({ start, end, as_of }) => {
		const sessions: Known[][] = [];
		for (const own of groupBy(knownAt(without, as_of).filter(isActive), ({ user }) => user).values()) {
			for (const [i, one] of own.entries()) {
				if (i === 0 || one.ts - own[i - 1]!.ts > 1_800_000) sessions.push([one]);
				else sessions.at(-1)!.push(one);
			}
		}
		const started = sessions.filter(([first]) => first!.ts >= start && first!.ts < end);
		return totals(started, started);
	});
});
