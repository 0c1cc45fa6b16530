import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { logArbitrary, matches } from "../../tests/support/log-queries.ts";
import { insertLogs, type TestLog } from "../../tests/support/records.ts";
import { join, type Node } from "../logs/ast.ts";
import { Queries } from "../run.ts";
import { fewLogs, logSearch } from "./log-search.ts";
import { logFacets, logPage, type Position } from "./logs.ts";

const START = Date.parse("2026-11-01T12:00:00Z");
const MINUTES = 6;
const END = START + MINUTES * 60_000;
let database: TestDatabase;
let logs: TestLog[];
const asker = () => new Queries({ client: database.client, secondLock: false }).of("p");

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	// Several a millisecond, so that ids decide the order; some on the full minute.
	logs = fc.sample(logArbitrary, { numRuns: 400, seed: 11 }).map((log, i) => ({
		...log,
		ts: START + Math.floor(i / 4) * Math.floor((MINUTES * 60_000) / 100),
	}));
	await insertLogs(database.client, "p", logs.slice(200), { firstId: 201 });
	await insertLogs(database.client, "p", logs.slice(0, 200));
	await insertLogs(database.client, "other", logs);
});
afterAll(() => database?.stop());

function countsOf(found: readonly TestLog[]) {
	const by = (name: (log: TestLog) => string) => {
		const counts: Record<string, number> = {};
		for (const log of found) counts[name(log)] = (counts[name(log)] ?? 0) + 1;
		return counts;
	};
	return { by_level: by((log) => log.level ?? "info"), by_component: by((log) => log.component || "unknown") };
}

const windows = fc
	.tuple(
		fc.integer({ min: -1_000, max: MINUTES * 60_000 }),
		fc.oneof(fc.constantFrom(0, 1, 60_000, 120_000), fc.integer({ min: 0, max: MINUTES * 60_000 })),
		fc.boolean(),
	)
	.map(([from, length, whole]) => {
		const start = START + (whole ? Math.floor(from / 60_000) * 60_000 : from);
		return { start, end: start + length };
	});

test("counts of any window are those of its logs, on the minute and off it", async () => {
	await fc.assert(
		fc.asyncProperty(windows, async (window) => {
			const inside = logs.filter(({ ts }) => ts >= window.start && ts < window.end);
			expect(await asker().ask(logFacets(window))).toMatchObject(countsOf(inside));
		}),
		{ numRuns: 60, seed: 1 },
	);
});

test("a search finds the same counts and pages as reading everything for each of them", async () => {
	const window = { start: START, end: END };
	const text = fc
		.sample(logArbitrary, { numRuns: 12, seed: 11 })
		.map(({ message }) => [...message].slice(0, 5).join(""));
	const component = logs.find((log) => log.component)!.component;
	let pages = 0;
	for (const [i, search] of ["", "e", ...text].entries()) {
		const phrase: Node = { type: "match", field: "message", value: { type: "phrase", text: search } };
		const level = i % 2 === 0 ? undefined : "error";
		const of = i % 3 === 0 ? component : undefined;
		const only: Node[] = [
			...(level ? [{ type: "match", field: "level", value: { type: "phrase", text: level } } as const] : []),
			...(of ? [{ type: "match", field: "component", value: { type: "phrase", text: of } } as const] : []),
		];
		const all: Node = { type: "and", children: [...only, phrase] };
		for (const order of ["desc", "asc"] as const) {
			let after: Position | undefined;
			do {
				const page = { limit: 7, order, after };
				const found = await asker().ask(logSearch(window, phrase, page));
				const matching = logs.filter((log) => matches(phrase, log));
				expect(found).toMatchObject(countsOf(matching));
				expect(found.count(level, of)).toBe(logs.filter((log) => matches(all, log)).length);
				const told = await asker().ask(logPage(window, all, page, found.times(level, of)));
				expect(told).toEqual(await asker().ask(logPage(window, all, page)));
				const few = await asker().ask(fewLogs(window, phrase, only.length > 0 ? join("and", only) : undefined, page));
				expect(few).toMatchObject({ ...countsOf(matching), page: told });
				expect(few!.count(level, of)).toBe(found.count(level, of));
				after = told.next;
				pages++;
			} while (after && pages % 4 !== 0);
		}
	}
	expect(pages).toBeGreaterThan(40);
});

test("a search that finds too many lines, or a page too long to be told at once, is told to ask further", async () => {
	const window = { start: START, end: END };
	const page = { limit: 2, order: "desc" } as const;
	const of = (text: string): Node => ({ type: "match", field: "message", value: { type: "phrase", text } });
	const level = (text: string): Node => ({ type: "match", field: "level", value: { type: "phrase", text } });
	const long = { ts: START + 2, level: "error", message: `long ${"x".repeat(20_000)}` };
	const many = Array.from({ length: 1_001 }, (_, i) => ({ ts: START + 1, message: `many ${i}` }));
	// The first is cut within a character, the second just not.
	const wide = { ts: START + 3, message: `wide ${"é".repeat(5_000)}` };
	const whole = { ts: START + 4, message: `whole${"é".repeat(4_093)}` };
	await insertLogs(database.client, "few", [...many, long, wide, whole, { ts: START, message: "long ago" }]);
	const ask = (text: string, only?: Node) =>
		new Queries({ client: database.client, secondLock: false }).of("few").ask(fewLogs(window, of(text), only, page));
	expect(await ask("many")).toBeUndefined();
	expect((await ask("many 100"))?.by_level).toEqual({ info: 2 });
	expect(await ask("long")).toMatchObject({ by_level: { error: 1, info: 1 }, page: undefined });
	expect(await ask("wide")).toMatchObject({ by_level: { info: 1 }, page: undefined });
	expect((await ask("whole"))?.page?.logs.map(({ message }) => message)).toEqual([whole.message]);
	expect((await ask("long", level("info")))?.page?.logs.map(({ message }) => message)).toEqual(["long ago"]);
});
