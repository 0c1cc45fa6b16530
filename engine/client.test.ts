/** The unmodified official client against the engine; its own integration suite is the model. */
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { type ClickHouseClient, ClickHouseLogLevel, createClient, SettingsMap, TupleParam } from "@clickhouse/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestEngine, type TestEngine, until } from "./testing.ts";

let engine: TestEngine;
let client: ClickHouseClient;
const log = { level: ClickHouseLogLevel.OFF };

beforeAll(async () => {
	engine = await startTestEngine();
	client = createClient({ url: engine.url, password: engine.password, log });
	await client.command({
		query: "CREATE TABLE simple (id UInt64, name String, sku Array(UInt8)) ENGINE = MergeTree ORDER BY id",
	});
});

afterAll(async () => {
	await client?.close();
	await engine?.remove();
});

async function rows(query: string, query_params: Record<string, unknown> = {}): Promise<unknown[]> {
	return (await client.query({ query, query_params, format: "JSONEachRow" })).json();
}

async function textOf(query: string, query_params: Record<string, unknown> = {}): Promise<string> {
	return (await client.query({ query, query_params, format: "CSV" })).text();
}

describe("ping and errors", () => {
	test("ping, with and without a query", async () => {
		expect(await client.ping()).toEqual({ success: true });
		expect(await client.ping({ select: true })).toEqual({ success: true });
	});

	test("a wrong password fails the select ping, with ClickHouse's code", async () => {
		const stranger = createClient({ url: engine.url, password: "wrong", log });
		const result = await stranger.ping({ select: true });
		expect(result).toMatchObject({ success: false, error: { code: "516", type: "AUTHENTICATION_FAILED" } });
		await stranger.close();
	});

	test.each([
		["SELECT * FROM nope", "60", "UNKNOWN_TABLE"],
		["SELECT foobar FROM system.numbers", "47", "UNKNOWN_IDENTIFIER"],
		["SELECT * FORM simple", "62", "SYNTAX_ERROR"],
		["SELECT * FROM nope.t", "81", "UNKNOWN_DATABASE"],
		["SELECT number FROM system.numbers WHERE number > {min: UInt64} LIMIT 3", "456", "UNKNOWN_QUERY_PARAMETER"],
		["CREATE TABLE simple (x Int8) ENGINE = Memory", "57", "TABLE_ALREADY_EXISTS"],
	])("%s is a ClickHouseError", async (query, code, type) => {
		await expect(client.exec({ query })).rejects.toMatchObject({ code, type });
	});

	test("an error's text shows nothing of how the answer was to be carried", async () => {
		const error: Error = await client.query({ query: "SELECT 1 FROM numbers(1) WHERE x y z" }).then(
			() => new Error("no error"),
			(error: Error) => error,
		);
		expect(error.message).toContain("failed at position 34 (y)");
		expect(error.message).not.toMatch(/OUTFILE '|transit|answer-/);
	});
});

describe("select", () => {
	test.each([
		["CSV", "0,[]\n1,[0]\n"],
		["TabSeparated", "0\t[]\n1\t[0]\n"],
		["CSVWithNamesAndTypes", '"number","a"\n"UInt64","Array(UInt64)"\n0,"[]"\n1,"[0]"\n'],
		["JSONCompactEachRow", '["0", []]\n["1", ["0"]]\n'],
	] as const)("%s", async (format, expected) => {
		const result = await client.query({
			query: "SELECT number, range(number) AS a FROM numbers(2)",
			format,
			clickhouse_settings: { output_format_json_quote_64bit_integers: 1 },
		});
		expect((await result.text()).replaceAll('"[', "[").replaceAll(']"', "]").replaceAll(", ", ", ")).toBe(
			expected.replaceAll('"[', "[").replaceAll(']"', "]"),
		);
	});

	test("JSON carries meta, totals, extremes, rows and statistics", async () => {
		const result = await client.query({
			query: "SELECT number % 2 AS k, count() AS c FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k",
			format: "JSON",
			clickhouse_settings: { extremes: 1, output_format_json_quote_64bit_integers: 1 },
		});
		expect(await result.json()).toMatchObject({
			meta: [
				{ name: "k", type: "UInt8" },
				{ name: "c", type: "UInt64" },
			],
			data: [
				{ k: 0, c: "5" },
				{ k: 1, c: "5" },
			],
			totals: { k: 0, c: "10" },
			extremes: { min: { k: 0, c: "5" }, max: { k: 1, c: "5" } },
			rows: 2,
			statistics: { rows_read: 10 },
		});
	});

	test("a format clause in the statement wins over none", async () => {
		const { stream } = await client.exec({ query: "SELECT ';' FORMAT CSV" });
		expect(await text(stream)).toBe('";"\n');
	});

	test("default_format serves a statement without one", async () => {
		const { stream } = await client.exec({
			query: "SELECT number FROM system.numbers LIMIT 1",
			clickhouse_settings: { default_format: "JSONEachRow", output_format_json_quote_64bit_integers: 1 },
		});
		expect(await text(stream)).toBe('{"number":"0"}\n');
	});

	test.each([
		["EXISTS system.databases;", "1\n"],
		["EXISTS system.foobar;;;;;;", "0\n"],
		["SHOW DATABASES LIKE 'sys%'", "system\n"],
		["DESCRIBE TABLE simple", "id\tUInt64\t\t\t\t\t\nname\tString\t\t\t\t\t\nsku\tArray(UInt8)\t\t\t\t\t\n"],
	])("%s", async (query, expected) => {
		expect(await text((await client.exec({ query })).stream)).toBe(expected);
	});

	test("a million rows arrive in order", async () => {
		const result = await client.query({ query: "SELECT number FROM numbers(1000000)", format: "JSONCompactEachRow" });
		let next = 0;
		for await (const batch of result.stream<[number]>()) {
			for (const row of batch) if (row.json()[0] !== next++) throw new Error(`row ${next} is wrong`);
		}
		expect(next).toBe(1_000_000);
	});

	test("response headers name format, query and time zone", async () => {
		const { response_headers, query_id } = await client.command({ query: "SELECT 42 FORMAT TSV", query_id: "my-id" });
		expect(query_id).toBe("my-id");
		expect(response_headers).toMatchObject({
			"content-type": "text/tab-separated-values; charset=UTF-8",
			"x-clickhouse-query-id": "my-id",
			"x-clickhouse-format": "TSV",
			"x-clickhouse-timezone": "UTC",
			"x-clickhouse-exception-tag": expect.stringMatching(/^[a-z]{16}$/),
			"x-clickhouse-server-display-name": expect.any(String),
		});
		const csv = await client.exec({ query: "SELECT 42 FORMAT CSV" });
		expect(csv.response_headers["content-type"]).toBe("text/csv; charset=UTF-8; header=absent");
		await text(csv.stream);
	});
});

describe("parameters", () => {
	test.each<[string, Record<string, unknown>, string]>([
		["SELECT and({a: Boolean}, {b: Boolean})", { a: true, b: false }, "false\n"],
		["SELECT plus({a: Int32}, {b: Int32})", { a: 10, b: 20 }, "30\n"],
		[
			"SELECT toDateTime64({t: DateTime64(3)}, 3)",
			{ t: new Date(Date.UTC(2022, 4, 2, 13, 25, 55, 789)) },
			'"2022-05-02 13:25:55.789"\n',
		],
		[
			"SELECT arrayConcat({a: Array(String)}, {b: Array(String)})",
			{ a: ["1", "it's"], b: ["\\", ""] },
			`"['1','it\\'s','\\\\','']"\n`,
		],
		["SELECT mapKeys({m: Map(String, UInt32)})", { m: { id: 42 } }, `"['id']"\n`],
		["SELECT tupleElement({t: Tuple(Int8, String)}, 2)", { t: new TupleParam([1, "x"]) }, '"x"\n'],
		["SELECT concat({a: String}, {b: String})", { a: "𝓯𝓸𝓸", b: "co'n" }, `"𝓯𝓸𝓸co'n"\n`],
		["SELECT {n: Nullable(String)} IS NULL", { n: null }, "1\n"],
		["SELECT count() FROM {table: Identifier}", { table: "simple" }, "0\n"],
		["SELECT hex({s: String})", { s: "\t\n\\'\u0001" }, '"090A5C2701"\n'],
	])("%s", async (query, params, expected) => {
		expect(await textOf(query, params)).toBe(expected);
	});

	test("too long for a URL, they come as multipart", async () => {
		const ids = [...Array(3000).keys()];
		const query = "SELECT count() FROM numbers(5000) WHERE number IN {ids:Array(UInt64)}";
		for (const how of [{ use_multipart_params: true }, { use_multipart_params_auto: true }]) {
			const result = await client.query({ query, query_params: { ids }, format: "CSV", ...how });
			expect(await result.text()).toBe("3000\n");
		}
	});
});

describe("settings", () => {
	test("a map", async () => {
		const result = await client.query({
			query: "SELECT * FROM system.numbers LIMIT 5",
			format: "CSV",
			clickhouse_settings: { additional_table_filters: SettingsMap.from({ "system.numbers": "number != 3" }) },
		});
		expect(await result.text()).toBe("0\n1\n2\n4\n5\n");
	});

	test.each(
		Object.entries({
			date_time_input_format: "best_effort",
			default_table_engine: "Memory",
			dialect: "clickhouse",
			distributed_product_mode: "global",
			format_custom_escaping_rule: "Raw",
			join_algorithm: "hash",
			load_balancing: "round_robin",
			output_format_parquet_compression_method: "none",
			send_logs_level: "fatal",
			storage_file_read_method: "read",
			totals_mode: "after_having_inclusive",
			union_default_mode: "ALL",
			max_threads: "3",
		}),
	)("%s = %s holds for its query and for no other", async (name, value) => {
		const query = `SELECT toString(getSetting('${name}')) AS value`;
		const [{ value: before }] = (await rows(query)) as [{ value: string }];
		const result = await client.query({ query, format: "JSONEachRow", clickhouse_settings: { [name]: value } });
		expect(await result.json()).toEqual([{ value }]);
		expect(await rows(query)).toEqual([{ value: before }]);
	});

	test("readonly refuses writes", async () => {
		const clickhouse_settings = { readonly: "1" };
		const write = client.command({ query: "CREATE TABLE ro (x Int8) ENGINE = Memory", clickhouse_settings });
		await expect(write).rejects.toMatchObject({ code: "164", type: "READONLY" });
		expect(await (await client.query({ query: "SELECT 1", format: "CSV", clickhouse_settings })).text()).toBe("1\n");
	});

	test("an unknown setting is refused", async () => {
		const settings = { no_such_setting: 1 } as Record<string, number>;
		await expect(client.query({ query: "SELECT 1", clickhouse_settings: settings })).rejects.toMatchObject({
			code: "115",
		});
	});

	test("insert_deduplication_token drops the repeated insert", async () => {
		await client.command({
			query:
				"CREATE TABLE dedup (id UInt64) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 5",
		});
		for (const insert_deduplication_token of ["foo", "foo", "bar"]) {
			await client.insert({
				table: "dedup",
				values: [{ id: 1 }],
				format: "JSONEachRow",
				clickhouse_settings: { insert_deduplication_token },
			});
		}
		expect(await textOf("SELECT count() FROM dedup")).toBe("2\n");
	});
});

describe("insert", () => {
	test("objects, with the summary", async () => {
		const values = [
			{ id: 1, name: "a", sku: [1, 2] },
			{ id: 2, name: "b", sku: [] },
		];
		const { summary } = await client.insert({ table: "simple", values, format: "JSONEachRow" });
		expect(summary).toMatchObject({ written_rows: "2", read_rows: "2", elapsed_ns: expect.stringMatching(/^\d+$/) });
		expect(await rows("SELECT * FROM simple ORDER BY id")).toEqual(values);
		await client.command({ query: "TRUNCATE TABLE simple" });
	});

	test("a stream of rows, some columns only", async () => {
		async function* source() {
			for (let id = 0; id < 1000; id++) yield { id, name: `n${id}` };
		}
		await client.insert({
			table: "simple",
			columns: ["id", "name"],
			values: Readable.from(source()),
			format: "JSONEachRow",
		});
		expect(await textOf("SELECT count(), sum(id), any(length(sku)) FROM simple")).toBe("1000,499500,0\n");
		await client.command({ query: "TRUNCATE TABLE simple" });
	});

	test("nothing at all", async () => {
		await client.insert({ table: "simple", values: Readable.from([], { objectMode: false }), format: "CSV" });
		expect(await textOf("SELECT count() FROM simple")).toBe("0\n");
	});

	test("by command with VALUES in the text", async () => {
		await client.command({ query: "INSERT INTO simple VALUES (7, 'x;''y', [1]), (8, 'é', [])" });
		expect(await textOf("SELECT name FROM simple ORDER BY id")).toBe(`"x;'y"\n"é"\n`);
		await client.command({ query: "TRUNCATE TABLE simple" });
	});

	test("by exec with a stream, and through input()", async () => {
		const csv = (line: string) => Readable.from([line], { objectMode: false });
		const plain = await client.exec({ query: "INSERT INTO simple FORMAT CSV", values: csv('42,foobar,"[1,2]"') });
		await text(plain.stream);
		const query = "INSERT INTO simple SELECT a + {add:UInt8}, upper(b), [] FROM input('a UInt64, b String') FORMAT CSV";
		const input = await client.exec({ query, values: csv("1,x\n2,y\n"), query_params: { add: 40 } });
		await text(input.stream);
		expect(await textOf("SELECT id, name FROM simple ORDER BY ALL")).toBe('41,"X"\n42,"Y"\n42,"foobar"\n');
		await client.command({ query: "TRUNCATE TABLE simple" });
	});

	test.each([
		["TabSeparated", '42,foobar,"[1,2]"', "27", "CANNOT_PARSE_INPUT_ASSERTION_FAILED"],
		["CSV", '"baz","foo","[1,2]"\n43,"bar","[3,4]"\n', "27", "CANNOT_PARSE_INPUT_ASSERTION_FAILED"],
		[
			"CSVWithNamesAndTypes",
			'"id","name","sku"\n"UInt64","UInt64","Array(UInt8)"\n1,"a","[]"\n',
			"117",
			"INCORRECT_DATA",
		],
	] as const)("%s: %s is code %s", async (format, data, code, type) => {
		const values = Readable.from([data], { objectMode: false });
		const insert = client.insert({ table: "simple", values, format: format as "CSV" });
		await expect(insert).rejects.toMatchObject({ code, type });
	});

	test.each([
		[
			{
				meta: [
					{ name: "id", type: "UInt64" },
					{ name: "name", type: "String" },
				],
				data: [{ id: 1, name: "é ♥" }],
			},
			"JSON",
		],
		[{ a: { id: 1, name: "é ♥" } }, "JSONObjectEachRow"],
	] as const)("a document: %j as %s", async (values, format) => {
		const { response_headers } = await client.insert({
			table: "simple",
			values: values as never,
			format: format as "JSON",
		});
		expect(response_headers["content-type"]).toMatch(/^text\/.+?; charset=UTF-8/);
		expect(await textOf("SELECT id, name FROM simple")).toBe('1,"é ♥"\n');
		await client.command({ query: "TRUNCATE TABLE simple" });
	});

	test("asynchronous and many at once", async () => {
		const clickhouse_settings = { async_insert: 1, wait_for_async_insert: 1 } as const;
		await Promise.all(
			Array.from({ length: 20 }, (_, id) =>
				client.insert({ table: "simple", values: [{ id, name: "x" }], format: "JSONEachRow", clickhouse_settings }),
			),
		);
		expect(await textOf("SELECT count(), sum(id) FROM simple")).toBe("20,190\n");
		await client.command({ query: "TRUNCATE TABLE simple" });
	});

	test("a bad row is told with its place, and nothing is kept", async () => {
		const values = Readable.from(["1,a,[]\n2,b,[]\nnot a number\n"], { objectMode: false });
		const error = await client.insert({ table: "simple", values, format: "CSV" }).then(
			() => undefined,
			(error: unknown) => error,
		);
		expect(error).toMatchObject({ code: expect.stringMatching(/^(6|26|27|62|72|117)$/) });
		expect(String(error)).not.toMatch(/transit|request-/);
		expect(await textOf("SELECT count() FROM simple")).toBe("0\n");
	});
});

describe("compression", () => {
	test.each(["gzip", "br"] as const)("%s both ways", async (codec) => {
		const compressed = createClient({
			url: engine.url,
			password: engine.password,
			log,
			compression: { response: { codec }, request: { codec } },
		});
		const values = Array.from({ length: 5000 }, (_, id) => ({ id, name: "x".repeat(50), sku: [1] }));
		await compressed.insert({ table: "simple", values, format: "JSONEachRow" });
		const result = await compressed.query({ query: "SELECT * FROM simple ORDER BY id", format: "JSONEachRow" });
		expect(result.response_headers["content-encoding"]).toBe(codec);
		expect(await result.json()).toEqual(values);
		await expect(compressed.query({ query: "SELECT * FROM nope" })).rejects.toMatchObject({ code: "60" });
		await compressed.command({ query: "TRUNCATE TABLE simple" });
		await compressed.close();
	});
});

describe("progress", () => {
	test("JSONEachRowWithProgress has meta, rows, totals, extremes and progress", async () => {
		const result = await client.query({
			query: "SELECT number % 3 AS k, count() AS c FROM numbers(100) GROUP BY k WITH TOTALS ORDER BY k LIMIT 2",
			format: "JSONEachRowWithProgress",
			clickhouse_settings: { extremes: 1, output_format_json_quote_64bit_integers: 1 },
		});
		const all = (await result.json()) as unknown[];
		expect(all).toEqual(
			expect.arrayContaining([
				{
					meta: [
						{ name: "k", type: "UInt8" },
						{ name: "c", type: "UInt64" },
					],
				},
				{ row: { k: 0, c: "34" } },
				{ row: { k: 1, c: "33" } },
				{ totals: { k: 0, c: "100" } },
				{ min: { k: 0, c: "33" } },
				{ max: { k: 1, c: "34" } },
				{ rows_before_limit_at_least: 3 },
				{ progress: expect.objectContaining({ read_rows: "100" }) },
			]),
		);
	});

	test("its rows come while the query runs, and its error in the end", async () => {
		const result = await client.query({
			query: "SELECT throwIf(number = 10, 'boom') AS e, sleepEachRow(0.02) FROM system.numbers LIMIT 100",
			format: "JSONEachRowWithProgress",
			clickhouse_settings: { max_block_size: "1" },
		});
		await expect(result.json()).rejects.toMatchObject({ code: "395", message: expect.stringContaining("boom") });
	});

	test("in headers: the status is sent early, and an error comes as a header", async () => {
		const query =
			"SELECT count() FROM numbers(20) WHERE sleepEachRow(0.05) = 0 AND NOT throwIf(number = 10, 'mid-query') SETTINGS max_block_size = 1";
		const clickhouse_settings = { send_progress_in_http_headers: 1, http_headers_progress_interval_ms: "100" } as const;
		await expect(client.query({ query, clickhouse_settings })).rejects.toMatchObject({
			code: "395",
			message: expect.stringContaining("mid-query"),
		});
		const slow = "SELECT count() FROM numbers(10) WHERE sleepEachRow(0.05) = 0 SETTINGS max_block_size = 1";
		const result = await client.query({ query: slow, clickhouse_settings, format: "CSV" });
		expect(result.response_headers["x-clickhouse-progress"]).toContain('"total_rows_to_read":"10"');
		expect(await result.text()).toBe("10\n");
	});
});

describe("an error in mid-stream reaches the reader", () => {
	const query = "SELECT number, throwIf(number = 2000000, 'boom') AS e FROM system.numbers";

	test.each(["CSV", "JSONEachRow", "JSONCompactEachRow"] as const)("%s rows", async (format) => {
		const result = await client.query({ query, format });
		let count = 0;
		const reading = async () => {
			for await (const batch of result.stream()) count += batch.length;
		};
		// The client tells the code when the end of the answer comes to it in one piece; that there was an error it always tells.
		await expect(reading()).rejects.toThrow(/boom|there was an error in the stream/);
		expect(count).toBeGreaterThan(1_000_000);
	});

	test("also when it is compressed", async () => {
		const compressed = createClient({
			url: engine.url,
			password: engine.password,
			log,
			compression: { response: true },
		});
		const result = await compressed.query({ query, format: "JSONEachRow" });
		await expect(result.json()).rejects.toThrow();
		await compressed.close();
	});

	test("a reader that knows no frames never takes the torn answer for whole", async () => {
		const { stream } = await client.exec({ query });
		await expect(text(stream)).rejects.toThrow(/aborted/);
	});

	test("with wait_end_of_query it is an error from the start", async () => {
		await expect(client.query({ query, clickhouse_settings: { wait_end_of_query: 1 } })).rejects.toMatchObject({
			code: "395",
		});
	});
});

describe("abort", () => {
	test("an aborted query is rejected, and stops running", async () => {
		const abort = new AbortController();
		const query = client.query({
			query: "SELECT count() FROM system.numbers",
			query_id: "to-abort",
			abort_signal: abort.signal,
		});
		const running = async () =>
			(await textOf("SELECT count() FROM system.processes WHERE query_id = 'to-abort'")) === "1\n";
		await until(running);
		abort.abort();
		await expect(query).rejects.toThrow("The user aborted a request");
		await until(async () => !(await running()), 1000);
	});

	test("KILL QUERY by the client's id ends a query with code 394", async () => {
		const query = client.query({ query: "SELECT count() FROM system.numbers", query_id: "to-kill" });
		const killed = expect(query).rejects.toMatchObject({ code: "394", type: "QUERY_WAS_CANCELLED" });
		await until(async () => (await rows("SELECT 1 FROM system.processes WHERE query_id = 'to-kill'")).length === 1);
		expect(await text((await client.exec({ query: "KILL QUERY WHERE query_id = 'to-kill' SYNC" })).stream)).toContain(
			"FROM system.numbers",
		);
		await killed;
	});

	test("a query id that is running is refused", async () => {
		const abort = new AbortController();
		const first = client.query({
			query: "SELECT count() FROM system.numbers",
			query_id: "twice",
			abort_signal: abort.signal,
		});
		first.catch(() => undefined);
		await until(async () => (await rows("SELECT 1 FROM system.processes WHERE query_id = 'twice'")).length === 1);
		await expect(client.query({ query: "SELECT 1", query_id: "twice" })).rejects.toMatchObject({ code: "216" });
		abort.abort();
		await expect(first).rejects.toThrow();
	});
});
