import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { logArbitrary, matches, nodeArbitrary } from "../../tests/support/log-queries.ts";
import { insertLogs, type TestLog } from "../../tests/support/records.ts";
import { logCount, logPage } from "../measures/logs.ts";
import { Queries } from "../run.ts";
import { from, Params } from "../sql.ts";
import { type Node, print } from "./ast.ts";
import { parse } from "./parser.ts";
import { logPredicate } from "./sql.ts";

const START = Date.parse("2026-11-01T00:00:00Z");
const window = { start: START, end: START + 86_400_000 };
const FIXED: Omit<TestLog, "ts">[] = [
	{ message: "Model inference TIMEOUT after 30s", level: "error", component: "llm", context: { duration_ms: 404 } },
	{ message: "remodel the timeouts", level: "warning", component: "api" },
	{ message: "CAFÉ naïve", level: "info", component: "api", context: { "a.b": 10, a: 7 } },
	{ message: "replica db-25, db-256", level: "critical", component: "database" },
];
let database: TestDatabase;
let logs: TestLog[];
let queries: Queries;

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	queries = new Queries({ client: database.client });
	// Several logs a millisecond, so that ids decide the order.
	logs = [...FIXED, ...fc.sample(logArbitrary, { numRuns: 150, seed: 7 })].map((log, i) => ({
		ts: START + Math.floor(i / 3),
		...log,
	}));
	// The index of the second half is not built: what it means must not depend on that.
	await insertLogs(database.client, "p", logs.slice(0, 250));
	await insertLogs(database.client, "p", logs.slice(250), { firstId: 251, indexed: false });
	await insertLogs(database.client, "other", logs);
});
afterAll(() => database?.stop());

async function found(filter: Node | undefined): Promise<string[]> {
	const { logs: page } = await queries.of("p").ask(logPage(window, filter, { limit: 1_000, order: "asc" }));
	return page.map((log) => log.message);
}

test("random queries over random logs find what plain code finds", async () => {
	await fc.assert(
		fc.asyncProperty(nodeArbitrary, async (node) => {
			const expected = logs.filter((log) => matches(node, log)).map((log) => log.message);
			expect(await found(node), print(node)).toEqual(expected);
			expect(await queries.of("p").ask(logCount(window, node))).toEqual({
				total: expected.length,
				isLowerBound: false,
			});
		}),
		{ numRuns: 150 },
	);
});

test.each([
	["timeout", 1],
	["TIMEOUT", 1],
	["model", 1],
	["db-25", 1],
	['"db-25"', 1],
	["db", 1],
	["café", 1],
	['"inference time"', 1],
	['"ference time"', 1],
	['"FERENCE timeo"', 1],
	['"licadb"', 0],
	['"lica db"', 1],
	["timeout*", 2],
	["context.duration_ms:[400 TO 404]", 1],
	["context.duration_ms:{400 TO 404}", 0],
	["context.a.b:10 AND context.a:7", 1],
	["level:WARN OR level:FATAL", 2],
	["level:>=error", 2],
])("%s finds %i of the known logs", async (text, n) => {
	const known = FIXED.map((log) => log.message);
	expect((await found(parse(text))).filter((message) => known.includes(message))).toHaveLength(n);
});

test.each([
	["timeout", /tokens: \["timeout"\]/],
	["Model AND level:error", /tokens: \["model"\]/],
	["timeout OR refused", /tokens: \["refused", "timeout"\]/],
	["(timeout OR refused) AND NOT debug", /tokens: \["refused", "timeout"\]/],
	['"connection refused by"', /message_words/],
	['"ference refu"', /message_letters/],
	['"25ference"', /message_letters/],
	['"12345"', /message_words/],
])("the text index serves %s", async (text, tokens) => {
	const params = new Params();
	const sql = `SELECT count() ${from("logs", logPredicate(params, parse(text)))}`;
	const result = await database.client.query({
		query: `EXPLAIN indexes = 1 ${sql}`,
		query_params: { ...params.values, project: "p" },
		format: "TabSeparatedRaw",
	});
	expect(await result.text()).toMatch(tokens);
});

test("pages hold every log once and in order, also where a millisecond is split between them", async () => {
	for (const order of ["desc", "asc"] as const) {
		const seen: string[] = [];
		let after: { ts: number; id: string } | undefined;
		do {
			const page = await queries.of("p").ask(logPage(window, undefined, { limit: 60, order, after }));
			seen.push(...page.logs.map((log) => log.message));
			after = page.next;
		} while (after);
		const expected = logs.map((log) => log.message);
		expect(seen).toEqual(order === "asc" ? expected : expected.reverse());
	}
});
