import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Answers, type AnswersOptions } from "../schema/answers.ts";
import { ClickHouseError, connectClickHouse, TupleParam } from "../schema/clickhouse.ts";
import { startDatabase, type TestDatabase } from "../tests/support/database.ts";
import { DEFAULT_LIMITS, Queries } from "./run.ts";
import { from, Params, type Question, TENANT_TABLES, UnscopedQueryError } from "./sql.ts";

let database: TestDatabase;
beforeAll(async () => {
	database = await startDatabase();
	await database.client.insert({
		table: "signals",
		values: ["a'b\\", "other"].map((project) => ({ project, signal: "metric", name: `of ${project}` })),
		format: "JSONEachRow",
	});
});
afterAll(() => database?.stop());

const question = (sql: string, params = new Params()): Question<readonly unknown[]> => ({
	name: "test.question",
	sql,
	params,
	read: (rows) => rows,
});

test("each lock by itself keeps a project to its rows, whatever its name", async () => {
	const first = new Queries({ client: database.client, secondLock: false }).of("a'b\\");
	expect(await first.ask(question(`SELECT name ${from("signals")}`))).toEqual([{ name: "of a'b\\" }]);
	// The guard does not know this way to a table: the second lock does.
	const around = question("SELECT name FROM merge(currentDatabase(), '^sig' || 'nals$')");
	expect(await first.ask(around)).toHaveLength(2);
	const second = new Queries({ client: database.client }).of("a'b\\");
	expect(await second.ask(question(`SELECT name ${from("signals")}`))).toEqual([{ name: "of a'b\\" }]);
});

test("SQL without the project is refused before it runs, and so is a project among the parameters", async () => {
	const asker = new Queries({ client: database.client }).of("other");
	await expect(asker.ask(question("SELECT name FROM signals"))).rejects.toThrow(UnscopedQueryError);
	const params = new Params();
	params.values.project = "a'b\\";
	await expect(asker.ask(question(`SELECT name ${from("signals")}`, params))).rejects.toThrow(TypeError);
});

test("every table with a project is under the guard, but for those that stores of their own read", async () => {
	const result = await database.client.query({
		query:
			"SELECT DISTINCT table FROM system.columns WHERE database = 'tidemark' AND name = 'project' AND table NOT LIKE '%_view'",
		format: "JSONEachRow",
	});
	const tables = (await result.json<{ table: string }>()).map(({ table }) => table);
	const ofStores = ["alert_deliveries", "requests"];
	expect(tables.sort()).toEqual([...TENANT_TABLES, ...ofStores].sort());
});

test("a question whose answer nobody waits for any more may fail without ending the process", async () => {
	const unhandled: unknown[] = [];
	const note = (error: unknown) => unhandled.push(error);
	process.on("unhandledRejection", note);
	try {
		const asker = new Queries({ client: database.client }).of("other");
		const never = (): never => {
			throw new RangeError("not kept");
		};
		// As routes ask: the second question fails while it is made, after the first one was put.
		const both = async () => Promise.all([asker.ask(question("SELECT throwIf(1)")), never()]);
		await expect(both()).rejects.toThrow("not kept");
		await expect(asker.ask(question("SELECT throwIf(1)"))).rejects.toThrow();
		await new Promise((done) => setImmediate(done));
		expect(unhandled).toEqual([]);
	} finally {
		process.off("unhandledRejection", note);
	}
});

test("writing is refused", async () => {
	await expect(
		new Queries({ client: database.client }).of("other").ask(question("DROP TABLE schema_migrations")),
	).rejects.toThrow();
});

test("a limit that is met is named", async () => {
	const ask = (limits: object, sql: string) =>
		new Queries({ client: database.client, limits: { ...DEFAULT_LIMITS, ...limits } }).of("other").ask(question(sql));
	const numbers =
		"SELECT number FROM numbers_mt(100000000000) WHERE number % 1000003 = 1000002 AND sipHash64(number) = 1";
	await expect(ask({ max_rows_to_read: 1e15, max_execution_seconds: 1 }, numbers)).rejects.toMatchObject({
		status: 422,
		extra: { limit: "time" },
	});
	await expect(ask({ max_rows_to_read: 1000 }, numbers)).rejects.toMatchObject({
		status: 422,
		extra: { limit: "rows to read" },
	});
	await expect(ask({ max_result_rows: 10 }, "SELECT number FROM numbers(11)")).rejects.toMatchObject({
		status: 422,
		extra: { limit: "rows in the answer" },
	});
	await expect(
		ask({ max_memory_bytes: 10_000_000 }, "SELECT groupArray(number) FROM numbers(10000000)"),
	).rejects.toMatchObject({ status: 422, extra: { limit: "memory", query: "test.question" } });
});

test("ClickHouse away is 503 that names it", async () => {
	const client = connectClickHouse({ url: "http://127.0.0.1:1", database: "tidemark" });
	await expect(new Queries({ client }).of("other").ask(question("SELECT 1"))).rejects.toMatchObject({
		status: 503,
		extra: { part: "clickhouse" },
	});
	await client.close();
});

test("a client that goes away ends its query, in the engine too", async () => {
	const leaving = new AbortController();
	const params = new Params();
	const endless = `SELECT max(sipHash64(number)) AS n FROM numbers_mt(1000000000000) WHERE number != ${params.add("UInt64", 7_654_321)}`;
	const limits = { ...DEFAULT_LIMITS, max_rows_to_read: 1e15 };
	const asked = new Queries({ client: database.client, limits })
		.of("other", leaving.signal)
		.ask(question(endless, params));
	const running = async () => {
		const result = await database.client.query({
			query:
				"SELECT count() AS n FROM system.processes WHERE query LIKE '%numbers_mt(1000000000000)%' AND query NOT LIKE '%processes%'",
			format: "JSONEachRow",
		});
		return Number((await result.json<{ n: string }>())[0]!.n);
	};
	await expect.poll(running, { timeout: 10_000 }).toBe(1);
	leaving.abort();
	await expect(asked).rejects.toThrow();
	await expect.poll(running, { timeout: 10_000 }).toBe(0);
});

test("what ran is remembered with its parameters, rows read and time", async () => {
	const asker = new Queries({ client: database.client }).of("other");
	const params = new Params();
	await asker.ask(question(`SELECT name ${from("signals", `name != ${params.add("String", "x")}`)}`, params));
	expect(asker.explained).toEqual([
		{
			name: "test.question",
			sql: "SELECT name FROM signals WHERE project = {project:String} AND (name != {p0:String})",
			params: { p0: "x", project: "other" },
			rows_read: expect.any(Number),
			bytes_read: expect.any(Number),
			elapsed_ms: expect.any(Number),
		},
	]);
});

test("an answer is of the facts as they are, also when it was begun with those of the last time", async () => {
	const queries = new Queries({ client: database.client });
	const begun: string[] = [];
	const answer = (project: string, fact: string) =>
		queries.of(project).presuming("fact", Promise.resolve({ fact }), async (known) => {
			begun.push(`${project} ${known.fact}`);
			if (known.fact === "gone") throw new Error("asked of what is gone");
			return known.fact;
		});
	expect(await answer("one", "first")).toBe("first");
	expect(await answer("one", "first")).toBe("first");
	// Another project's facts are not presumed of this one.
	expect(await answer("two", "second")).toBe("second");
	await expect(answer("one", "gone")).rejects.toThrow("asked of what is gone");
	expect(await answer("one", "again")).toBe("again");
	expect(begun).toEqual([
		...["one first", "one first", "two second"],
		...["one first", "one gone", "one gone", "one again"],
	]);
});
test("what was found as of a version is asked for again as of another, and of each project on its own", async () => {
	const queries = new Queries({ client: database.client });
	let asked = 0;
	const find = (project: string, version: string) => queries.of(project).found("facts", version, async () => ++asked);
	expect([await find("one", "1"), await find("one", "1"), await find("two", "1")]).toEqual([1, 1, 2]);
	expect([await find("one", "2"), await find("one", "2"), await find("two", "1")]).toEqual([3, 3, 2]);
});

const opened: Answers[] = [];
afterAll(() => {
	for (const answers of opened) answers.close();
});

/** Another way to answers, not the one of `database.client`. */
function open(options: Partial<AnswersOptions> = {}): Answers {
	const at = { url: `http://127.0.0.1:${database.port}`, user: "default", password: "test", database: "tidemark" };
	const limits = { timeout_ms: 60_000, maxConnections: 4, idle_ms: 2_500, compressed: false };
	const answers = new Answers({ ...at, ...limits, ...options });
	opened.push(answers);
	return answers;
}

const askOf = async (answers: Answers, sql: string, params: Record<string, unknown> = {}, signal?: AbortSignal) =>
	JSON.parse(await answers.get({ sql: `${sql} FORMAT JSONCompactColumns`, params, settings: "", signal }));

test.each([
	["Nullable(String)", null, null],
	["Array(Nullable(String))", ["a", null, "NULL"], ["a", null, "NULL"]],
	["Array(Array(Int8))", [[1, -2], []], [[1, -2], []]],
	["Float64", 1e-300, 1e-300],
	["Float64", -(2 ** 53), -(2 ** 53)],
	["Int64", 12n, 12],
	["Bool", true, true],
	["Array(Bool)", [true, false], [true, false]],
	["Array(Tuple(Int8, String))", [new TupleParam([1, "it's"])], [[1, "it's"]]],
])("a parameter of type %s is read as it was given", async (type, value, read) => {
	expect(await askOf(open(), `SELECT {p:${type}} AS v`, { p: value })).toEqual([[read]]);
});

test("what is not a number is one too, as a parameter", async () => {
	const params = { a: Number.NaN, b: Number.POSITIVE_INFINITY, c: [Number.NEGATIVE_INFINITY] };
	const sql = "SELECT isNaN({a:Float64}), {b:Float64} = inf, {c:Array(Float64)} = [-inf]";
	expect(await askOf(open(), sql, params)).toEqual([[1], [1], [1]]);
});

test("any text arrives unchanged, alone, in a list, and too long for a URL", async () => {
	const answers = open();
	const text = fc.string({ unit: fc.constantFrom(..."ab'\"\\\t\n\r\0&=%+#?{}[],é中😀".match(/./gsu)!), maxLength: 30 });
	await fc.assert(
		fc.asyncProperty(text, fc.array(text, { maxLength: 4 }), fc.boolean(), async (one, list, long) => {
			const params = { one, list, filling: "x".repeat(long ? 3_000 : 0) };
			const read = await askOf(answers, "SELECT {one:String}, {list:Array(String)}, length({filling:String})", params);
			expect(read).toEqual([[one], [list], [params.filling.length]]);
		}),
		{ seed: 5, numRuns: 40 },
	);
});

test("half a character becomes the sign for one that cannot be read", async () => {
	expect(await askOf(open(), "SELECT {p:String}", { p: "a\ud800" })).toEqual([["a\ufffd"]]);
});

test("a value of which ClickHouse has no kind is refused before it is sent", async () => {
	await expect(askOf(open(), "SELECT {p:String}", { p: new Map() })).rejects.toThrow(TypeError);
});

test("what ClickHouse refuses is its error with the code, at once and after the first bytes", async () => {
	const answers = open();
	await expect(askOf(answers, "SELECT nothing_of_it")).rejects.toMatchObject({
		code: "47",
		type: "UNKNOWN_IDENTIFIER",
	});
	const late = "SELECT throwIf(number = 90000, 'too far'), toString(number) FROM numbers(100000)";
	const failed = answers.get({ sql: `${late} FORMAT JSONEachRow`, params: {}, settings: "max_block_size=1000" });
	await expect(failed).rejects.toMatchObject({ code: "395", message: expect.stringContaining("too far") });
	await expect(failed).rejects.toBeInstanceOf(ClickHouseError);
});

test("a big answer arrives whole, compressed too", async () => {
	const sql = "SELECT toString(number) AS n FROM numbers(60000)";
	const whole = Array.from({ length: 60_000 }, (_, i) => String(i));
	expect(await askOf(open(), sql)).toEqual([whole]);
	const compressed = open({ compressed: true });
	expect(await askOf(compressed, sql)).toEqual([whole]);
	await expect(askOf(compressed, "SELECT nothing_of_it")).rejects.toMatchObject({ code: "47" });
});

test("more questions than sockets wait for one", async () => {
	const answers = open({ maxConnections: 2 });
	const numbers = Array.from({ length: 12 }, (_, i) => i);
	const found = await Promise.all(numbers.map((n) => askOf(answers, "SELECT {n:UInt8}", { n })));
	expect(found).toEqual(numbers.map((n) => [[n]]));
});

test("a question that is given up rejects, before it was put and while it runs", async () => {
	const answers = open();
	await expect(askOf(answers, "SELECT 1", {}, AbortSignal.abort())).rejects.toThrow(/aborted/);
	const leaving = new AbortController();
	const asked = askOf(
		answers,
		"SELECT sleepEachRow(1) FROM numbers(3) SETTINGS max_block_size = 1",
		{},
		leaving.signal,
	);
	setImmediate(() => leaving.abort());
	await expect(asked).rejects.toThrow(/aborted/);
	expect(await askOf(answers, "SELECT 1")).toEqual([[1]]);
});

test("no server, one that says nothing, and one that is cut off are errors of the network", async () => {
	await expect(askOf(open({ url: "http://127.0.0.1:1" }), "SELECT 1")).rejects.toMatchObject({ code: "ECONNREFUSED" });
	const broken = createServer((request, response) => {
		request.resume();
		if (request.headers.authorization === `Basic ${btoa("silent:")}`) return;
		response.writeHead(200, { "Content-Length": 100 }).write("half", () => response.destroy());
	});
	await new Promise<void>((listening) => broken.listen(0, "127.0.0.1", listening));
	const url = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
	try {
		await expect(askOf(open({ url, user: "silent", password: "", timeout_ms: 50 }), "SELECT 1")).rejects.toThrow(
			/Timeout/,
		);
		await expect(askOf(open({ url }), "SELECT 1")).rejects.toThrow(/aborted/);
	} finally {
		broken.closeAllConnections();
		broken.close();
	}
});
