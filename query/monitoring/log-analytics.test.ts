import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { logAnalyticsAnswer } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { ingested, startIngest } from "../../tests/support/ingested.ts";
import { type Reads, startReads } from "../../tests/support/reads.ts";
import { insertLogs } from "../../tests/support/records.ts";

const NOW = Date.parse("2026-11-18T15:00:30.500Z");
const HOUR = 3_600_000;
const PATH = "/v1/monitoring/logs/analytics";

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["random", "twin", "empty", "small", "old", "new"];
	reads = await startReads(database.client, { projects, now: NOW });
});
afterAll(() => database?.stop());

const ask = async (project: string, parameters: Record<string, string | number> = {}) => {
	const { status, body } = await reads.get(project, PATH, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return logAnalyticsAnswer.parse(body);
};

/** What a program prints: the template, and a line of it out of a random number. */
const NAMES = "ada bob cy dora emil fay gus hana ivo jo kim lea max nia".split(" ");
const STATEMENTS: readonly (readonly [template: string, line: (n: number) => string])[] = [
	["Started worker <*> on <*> in <*>", (n) => `Started worker ${n} on 10.0.${n % 200}.7:80 in ${n % 9} ms`],
	["user <*> logged in from <*>", (n) => `user ${NAMES[n % NAMES.length]} logged in from /home/${n % 3}`],
	["session opened", () => "session opened"],
	["session closed", () => "session closed"],
	["GET <*> took <*>", (n) => `GET /a/${n} took ${n % 50}ms`],
	['größe "<*>" = <*> 😀 it\'s', (n) => `größe "${n}" = ${n} 😀 it's`],
	["job <*> failed: <*>", (n) => `job ${n} failed:\n  at x.y:${n}\n  at z`],
];

interface Line {
	readonly ts: number;
	readonly statement: number;
	readonly message: string;
	readonly level: string;
	readonly component: string;
	readonly context: { readonly error_type?: string; readonly a?: { readonly b: number } };
}

const line: fc.Arbitrary<Line> = fc
	.record({
		ts: fc.oneof(
			fc.integer({ min: NOW - 3 * HOUR, max: NOW + HOUR / 2 }),
			fc.integer({ min: NOW - 65 * 24 * HOUR, max: NOW }),
		),
		statement: fc.nat(STATEMENTS.length - 1),
		n: fc.nat(999),
		level: fc.constantFrom("debug", "info", "warning", "error", "critical"),
		component: fc.constantFrom("api", "größe/x", 'a "b" \\', ""),
		context: fc.record(
			{ error_type: fc.constantFrom("TimeoutError", "E'\"😀"), a: fc.record({ b: fc.nat(1) }) },
			{ requiredKeys: [] },
		),
	})
	.map(({ n, ...rest }) => ({ ...rest, message: STATEMENTS[rest.statement]![1](n) }));
const [lines] = fc.sample(fc.array(line, { minLength: 3_000, maxLength: 3_000 }), { seed: 11, numRuns: 1 }) as [Line[]];

const recordOf = ({ ts, message, level, component, context }: Line) => ({
	...{ message, level, context, timestamp: new Date(ts).toISOString() },
	...(component === "" ? {} : { component }),
});
const iso = (ms: number) => new Date(ms).toISOString();
const change = (now: number, before: number) => Math.round((1_000 * (now - before)) / before) / 10;

/** The definitions over a list. */
function truth(start: number, end: number) {
	const first = Math.min(...lines.map(({ ts }) => ts));
	const previous = start - (end - start);
	const inWindow = lines.filter(({ ts }) => ts >= start && ts < end);
	const levels = ["debug", "info", "warning", "error", "critical"];
	const most = (values: readonly string[], rank: (value: string) => number | string) =>
		[...new Set(values)].sort((a, b) => {
			const count = (value: string) => values.filter((other) => other === value).length;
			return count(b) - count(a) || (rank(a) < rank(b) ? -1 : 1);
		});
	return STATEMENTS.flatMap(([template], statement) => {
		const all = lines.filter((each) => each.statement === statement && each.ts < end);
		const now = all.filter(({ ts }) => ts >= start);
		if (now.length === 0) return [];
		const before = all.filter(({ ts }) => ts >= previous && ts < start).length;
		const components = most(
			now.map(({ component }) => component),
			(name) => name,
		).filter((name) => name !== "");
		const firstSeen = Math.min(...all.map(({ ts }) => ts));
		return {
			...{ template, count: now.length, exact: (100 * now.length) / inWindow.length, now },
			level: most(
				now.map(({ level }) => level),
				(level) => -levels.indexOf(level),
			)[0],
			...{ component: components[0] ?? null, components },
			error_share: now.filter(({ level }) => level === "error" || level === "critical").length / now.length,
			...{ first_seen: iso(firstSeen), last_seen: iso(Math.max(...now.map(({ ts }) => ts))) },
			is_new: firstSeen >= start,
			trend_percentage: before === 0 || first > previous ? null : change(now.length, before),
		};
	});
}

describe("patterns of random lines, late and shuffled, of two ingest processes and one that was restarted", () => {
	beforeAll(async () => {
		const third = lines.length / 3;
		const both = await Promise.all([startIngest(database, NOW), startIngest(database, NOW)]);
		await Promise.all([
			ingested(both[0], "random", "log", lines.slice(0, third).map(recordOf)),
			ingested(both[1], "random", "log", lines.slice(third, 2 * third).map(recordOf)),
		]);
		await both[0].close(10_000);
		const restarted = await startIngest(database, NOW);
		await ingested(restarted, "random", "log", lines.slice(2 * third).map(recordOf));
		await ingested(
			restarted,
			"twin",
			"log",
			lines.map((each) => recordOf({ ...each, message: "secret", level: "info" })),
		);
		await restarted.close(10_000);
		await both[1].close(10_000);
	}, 60_000);

	test.each([
		["1h", NOW],
		["24h", NOW],
		["30d", NOW],
		["1h", NOW - HOUR / 2 + 1],
		["30d", NOW - 30 * 24 * HOUR],
	])("over %s, as of %s", async (timeframe, as_of) => {
		const start = as_of - { "1h": 1, "24h": 24, "30d": 720 }[timeframe]! * HOUR;
		const expected = truth(start, as_of);
		const answer = await ask("random", { timeframe, as_of: iso(as_of) });
		expect(answer.total_logs).toBe(lines.filter(({ ts }) => ts >= start && ts < as_of).length);
		expect(answer.total_patterns).toBe(expected.length);
		expect(answer.patterns.map(({ count }) => count)).toEqual(expected.map(({ count }) => count).sort((a, b) => b - a));
		expect(answer.patterns.reduce((sum, { percentage }) => sum + percentage!, 0)).toBeCloseTo(100, 6);
		for (const { now, exact, ...wanted } of expected) {
			const { percentage, pattern_id, examples, ...found } = answer.patterns.find(
				({ template }) => template === wanted.template,
			)!;
			expect(found).toEqual({ ...wanted, error_share: Number(wanted.error_share.toFixed(4)) });
			expect(Math.abs(percentage! - exact)).toBeLessThan(0.1);
			expect(pattern_id).toMatch(/^[0-9a-f]{16}$/);
			const latest = now.filter(({ ts }) => iso(ts) === wanted.last_seen);
			expect(latest.map(({ message }) => message)).toContain(examples[0]);
			expect(now.map(({ message }) => message)).toEqual(expect.arrayContaining(examples));
			expect(new Set(examples).size).toBe(examples.length);
		}
	});

	test.each([
		[["level"]],
		[["component", "level"]],
		[["component", "error_type"]],
		[["context.a.b"]],
		[["context.a", "level"]],
	])("in groups by %s, which have each line once", async (keys) => {
		const start = NOW - 24 * HOUR;
		for (const analysis_type of ["pattern_detection", "frequency"]) {
			const answer = await ask("random", { analysis_type, group_by: keys.join(","), limit: 1_000 });
			const keyOf = ({ level, component, context }: Line) =>
				keys.map((key) => {
					const values: Record<string, unknown> = {
						level,
						component: component || null,
						error_type: context.error_type,
					};
					return values[key] ?? { "context.a": context.a, "context.a.b": context.a?.b }[key] ?? null;
				});
			const counted = (from: number, to: number) => {
				const counts = new Map<string, Line[]>();
				for (const each of lines.filter(({ ts }) => ts >= from && ts < to)) {
					const key = JSON.stringify(keyOf(each));
					counts.set(key, [...(counts.get(key) ?? []), each]);
				}
				return counts;
			};
			const [now, before] = [counted(start, NOW), counted(start - 24 * HOUR, start)];
			const total = [...now.values()].reduce((sum, some) => sum + some.length, 0);
			const found = answer.groups.map(({ count, trend_percentage, total_patterns, top_patterns, ...group }) => {
				expect(Math.abs(group.percentage! - (100 * count) / total)).toBeLessThan(0.1);
				expect(top_patterns.length).toBe(Math.min(5, total_patterns));
				return [
					JSON.stringify(keys.map((key) => group[key])),
					count,
					total_patterns,
					top_patterns[0]!.count,
					trend_percentage,
				];
			});
			const expected = [...now].map(([key, some]) => {
				const by = STATEMENTS.map((_, i) => some.filter(({ statement }) => statement === i).length).filter(
					(n) => n > 0,
				);
				const earlier = before.get(key)?.length ?? 0;
				return [key, some.length, by.length, Math.max(...by), earlier === 0 ? null : change(some.length, earlier)];
			});
			const sorted = (rows: unknown[][]) => rows.map((row) => JSON.stringify(row)).sort();
			expect(sorted(found)).toEqual(sorted(expected));
			expect(answer.groups.map(({ count }) => count)).toEqual(
				answer.groups.map(({ count }) => count).sort((a, b) => b - a),
			);
			expect(answer.patterns.length === 0).toBe(analysis_type === "frequency");
		}
	});
});

test("lines from before patterns were mined count, and are in no template", async () => {
	const old = [1, 2, 3].map((i) => ({ ts: NOW - i * 1_000, message: `line ${i}`, component: "api" }));
	await insertLogs(database.client, "old", old);
	const ingest = await startIngest(database, NOW);
	await ingested(ingest, "old", "log", [{ message: "line 9", timestamp: iso(NOW - 500) }]);
	await ingest.close(10_000);
	const { patterns, total_logs } = await ask("old");
	expect(total_logs).toBe(4);
	expect(patterns).toMatchObject([
		{
			...{ pattern_id: "0000000000000000", template: null, count: 3, percentage: 75, component: "api" },
			first_seen: iso(NOW - 3_000),
		},
		{ template: "line <*>", count: 1, percentage: 25, component: null, examples: ["line 9"] },
	]);
	expect(patterns[0]!.examples).toEqual(["line 1", "line 2", "line 3"]);
});

test("a pattern is new from its first line ever on, whatever came late, and only there", async () => {
	const ingest = await startIngest(database, NOW);
	const at = (message: string, hoursAgo: number) => ({ message, timestamp: iso(NOW - hoursAgo * HOUR) });
	await ingested(ingest, "new", "log", [at("always there", 1), at("fresh", 2), at("older", 30), at("older", 1)]);
	await ingested(ingest, "new", "log", [at("always there", 50)]);
	await ingest.close(10_000);
	const templates = async (parameters: Record<string, string>) => {
		const { patterns } = await ask("new", { analysis_type: "new_patterns", ...parameters });
		return patterns.map(({ template }) => template).sort();
	};
	expect(await templates({})).toEqual(["fresh"]);
	expect(await templates({ since: iso(NOW - 2 * HOUR) })).toEqual(["fresh"]);
	expect(await templates({ since: iso(NOW - 2 * HOUR + 1) })).toEqual([]);
	expect(await templates({ since: iso(NOW - 40 * HOUR) })).toEqual(["fresh", "older"]);
	// As of then the older one had not been seen, nor anything of it.
	expect(await templates({ as_of: iso(NOW - 31 * HOUR), timeframe: "24h" })).toEqual(["always there"]);
	const flags = (await ask("new")).patterns.map(({ template, is_new, first_seen }) => [template, is_new, first_seen]);
	expect(flags.sort()).toEqual([
		["always there", false, iso(NOW - 50 * HOUR)],
		["fresh", true, iso(NOW - 2 * HOUR)],
		["older", false, iso(NOW - 30 * HOUR)],
	]);
	const { groups } = await ask("new", { analysis_type: "new_patterns", group_by: "level" });
	expect(groups).toMatchObject([
		{ level: "info", count: 1, percentage: 33.3, trend_percentage: null, total_patterns: 1 },
	]);
});

test("a pattern keeps its id when it becomes more general, and all its lines count under it", async () => {
	const ingest = await startIngest(database, NOW);
	const log = (name: string, i: number) => ({
		message: `user ${name} logged in from web`,
		timestamp: iso(NOW - 60_000 + i),
	});
	await ingested(ingest, "small", "log", [log("ada", 0)]);
	const [before] = (await ask("small")).patterns;
	expect(before!.template).toBe("user ada logged in from web");
	await ingested(ingest, "small", "log", NAMES.map(log));
	await ingest.close(10_000);
	const { patterns } = await ask("small");
	expect(patterns).toMatchObject([
		{
			pattern_id: before!.pattern_id,
			template: "user <*> logged in from web",
			count: NAMES.length + 1,
			percentage: 100,
		},
	]);
});

test("an empty project knows nothing, and says that logs would be needed", async () => {
	for (const analysis_type of ["pattern_detection", "new_patterns", "frequency"]) {
		const answer = await ask("empty", { analysis_type, group_by: "level" });
		expect(answer).toMatchObject({ total_logs: null, total_patterns: null, patterns: [], groups: [] });
		expect(answer.meta.missing.map(({ field }) => field)).toEqual([
			"total_logs",
			"total_patterns",
			"patterns",
			"patterns[].component",
			"patterns[].components",
			"groups",
		]);
	}
});

test.each([
	[{ analysis_type: "magic" }, "analysis_type"],
	[{ group_by: "colour" }, "group_by"],
	[{ since: "2026-11-18T00:00:00Z" }, "since"],
	[{ since: "yesterday", analysis_type: "new_patterns" }, "since"],
	[{ limit: 0 }, "limit"],
	[{ timeframe: "2h" }, "timeframe"],
	[{ query: "x" }, "query"],
])("%j is refused with its name", async (parameters: Record<string, string | number>, parameter) => {
	const { status, body } = await reads.get("small", PATH, parameters);
	expect({ status, parameter: body.details.parameter }).toEqual({ status: 400, parameter });
});
