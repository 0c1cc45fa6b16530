/** The HTTP interface byte by byte, without a client in between. */
import { readdir, readFile } from "node:fs/promises";
import { request } from "node:http";
import { connect } from "node:net";
import { brotliDecompressSync, gunzipSync, gzipSync, inflateSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type RawAnswer, rawRequest, startTestEngine, type TestEngine, until } from "./testing.ts";

let engine: TestEngine;

beforeAll(async () => {
	engine = await startTestEngine();
	await sql("CREATE TABLE t (x UInt64, s String) ENGINE = MergeTree ORDER BY x");
	await sql("CREATE DATABASE other ENGINE = Atomic");
});

afterEach(async () => {
	await sql("TRUNCATE TABLE t");
});

afterAll(async () => {
	await engine?.remove();
});

const raw = (...args: Parameters<typeof rawRequest> extends [unknown, ...infer R] ? R : never) =>
	rawRequest(engine, ...args);

async function sql(query: string, search: Record<string, string> = {}): Promise<string> {
	const { status, body } = await raw(search, { body: query });
	if (status !== 200) throw new Error(body.toString());
	return body.toString();
}

function code(answer: RawAnswer): [number, string | undefined] {
	return [answer.status, answer.headers["x-clickhouse-exception-code"]?.toString()];
}

describe("where the statement and its data may stand", () => {
	test.each<[string, Record<string, string>, string, string]>([
		["in the URL", { query: "SELECT 1" }, "", "1\n"],
		["in the body", {}, "SELECT 1", "1\n"],
		["in both, a newline between them", { query: "SELECT" }, "1 + 1", "2\n"],
		["a comment in the URL does not swallow the body", { query: "SELECT -- x" }, "3", "3\n"],
		["format in the body", { query: "SELECT 1" }, "FORMAT JSONCompactEachRow", "[1]\n"],
	])("%s", async (_, search, body, expected) => {
		expect((await raw(search, { body })).body.toString()).toBe(expected);
	});

	test.each<[string, Record<string, string>, string]>([
		["clause in the URL, data in the body", { query: "INSERT INTO t FORMAT CSV" }, "1,a\n2,b\n"],
		["all in the body", {}, "INSERT INTO t FORMAT CSV\n1,a\n2,b\n"],
		["VALUES in the URL", { query: "INSERT INTO t VALUES (1,'a'),(2,'b')" }, ""],
		["VALUES begun in the URL", { query: "INSERT INTO t VALUES (1,'a')," }, "(2,'b')"],
		[
			"VALUES with expressions and parameters",
			{ param_s: "b", query: "INSERT INTO t VALUES (2 - 1, lower('A')), (2, {s:String})" },
			"",
		],
		["VALUES in the body", {}, "INSERT INTO t (x, s) VALUES (1,'a'), (2,'b')"],
		["input() in the body", {}, "INSERT INTO t SELECT * FROM input('x UInt64, s String') FORMAT CSV\n1,a\n2,b\n"],
	])("insert: %s", async (_, search, body) => {
		const answer = await raw(search, { body });
		expect([answer.status, answer.body.toString()]).toEqual([200, ""]);
		// The engine does not tell how many rows an INSERT … SELECT wrote.
		const written_rows = body.includes("input(") ? "0" : "2";
		expect(JSON.parse(String(answer.headers["x-clickhouse-summary"]))).toMatchObject({ written_rows });
		expect(await sql("SELECT * FROM t ORDER BY x")).toBe("1\ta\n2\tb\n");
	});

	test("an insert far longer than a statement may be", async () => {
		const row = `(1,'${"x".repeat(1000)}'),`;
		await sql(`INSERT INTO t VALUES ${row.repeat(20_000)}(2,'y')`);
		expect(await sql("SELECT count(), sum(length(s)) FROM t")).toBe("20001\t20000001\n");
	});

	test("a statement too long is refused", async () => {
		const answer = await raw({}, { body: `SELECT '${"x".repeat(17 * 1024 * 1024)}'` });
		expect(code(answer)).toEqual([413, "229"]);
	});
});

describe("bytes are exact", () => {
	const columns = "number AS n, unhex(hex(number)) || char(0) || char(255) || '\\n\\r\\t' AS b, number / 3 AS f";
	test.each(["Native", "RowBinary", "RowBinaryWithNamesAndTypes", "Parquet", "Arrow", "MsgPack", "Protobuf"])(
		"%s, out and in and out",
		async (format) => {
			if (format === "Protobuf") return; // needs a schema file, which a client cannot send
			const select = `SELECT ${columns} FROM numbers(70000) ORDER BY n`;
			const first = await raw({}, { body: `${select} FORMAT ${format}` });
			expect([first.status, first.torn]).toEqual([200, false]);
			await sql(`CREATE OR REPLACE TABLE bytes (n UInt64, b String, f Float64) ENGINE = MergeTree ORDER BY n`);
			const insert = await raw({ query: `INSERT INTO bytes FORMAT ${format}` }, { body: first.body });
			expect([insert.status, insert.body.toString()]).toEqual([200, ""]);
			const check = "SELECT count(), sum(cityHash64(n, b, f)) FROM";
			expect(await sql(`${check} bytes`)).toBe(await sql(`${check} (${select})`));
			if (format.startsWith("Parquet") || format === "Arrow") return; // they may group rows otherwise
			const second = await raw({}, { body: `SELECT * FROM bytes ORDER BY n FORMAT ${format}`, headers: {} });
			if (format !== "Native") expect(second.body.equals(first.body)).toBe(true);
		},
	);

	test("data in the same body as its statement keeps every byte", async () => {
		const rows = await raw(
			{},
			{ body: "SELECT number, char(0, 10, 13, 39, 92, 200) FROM numbers(3) FORMAT RowBinary" },
		);
		const body = Buffer.concat([Buffer.from("INSERT INTO t FORMAT RowBinary\n"), rows.body]);
		expect((await raw({}, { body })).status).toBe(200);
		expect(await sql("SELECT DISTINCT hex(s) FROM t")).toBe("000A0D275CC8\n");
	});

	test("a Parquet file is one file", async () => {
		const { body } = await raw({}, { body: "SELECT number FROM numbers(1000000) FORMAT Parquet" });
		expect([body.toString("latin1", 0, 4), body.toString("latin1", body.length - 4)]).toEqual(["PAR1", "PAR1"]);
	});
});

describe("compression", () => {
	test.each([
		["gzip", gunzipSync],
		["deflate", inflateSync],
		["br", brotliDecompressSync],
	] as const)("%s answers", async (encoding, decode) => {
		const ask = (search: Record<string, string>, headers: Record<string, string>) =>
			raw(search, { body: "SELECT number FROM numbers(100000)", headers });
		const plain = await ask({}, { "accept-encoding": encoding });
		expect(plain.headers["content-encoding"]).toBeUndefined();
		const packed = await ask({ enable_http_compression: "1" }, { "accept-encoding": `zstd, ${encoding};q=0.5` });
		expect(packed.headers["content-encoding"]).toBe(encoding);
		expect(packed.body.length).toBeLessThan(plain.body.length / 2);
		expect(decode(packed.body).equals(plain.body)).toBe(true);
	});

	test("an encoding it does not have is answered plainly", async () => {
		const answer = await raw(
			{ enable_http_compression: "1" },
			{ body: "SELECT 1", headers: { "accept-encoding": "lz4" } },
		);
		expect([answer.headers["content-encoding"], answer.body.toString()]).toEqual([undefined, "1\n"]);
	});

	test("gzip bodies, of data alone and with the statement", async () => {
		const headers = { "content-encoding": "gzip" };
		expect((await raw({ query: "INSERT INTO t FORMAT CSV" }, { headers, body: gzipSync("1,a\n") })).status).toBe(200);
		expect((await raw({}, { headers, body: gzipSync("INSERT INTO t FORMAT CSV\n2,b\n") })).status).toBe(200);
		expect((await raw({}, { headers, body: gzipSync("SELECT count() FROM t") })).body.toString()).toBe("2\n");
	});

	test("zstd, lz4 and xz bodies of data alone are left to the engine", async () => {
		for (const [encoding, suffix] of Object.entries({ zstd: "zst", lz4: "lz4", xz: "xz" })) {
			const file = `packed.csv.${suffix}`;
			await sql(
				`INSERT INTO FUNCTION file('${file}', CSV, 'x UInt64, s String') SELECT number, 'z' FROM numbers(1000)`,
			);
			const body = await readFile(`${engine.dataDir}/user_files/${file}`);
			const insert = await raw(
				{ query: "INSERT INTO t FORMAT CSV" },
				{ headers: { "content-encoding": encoding }, body },
			);
			expect([insert.status, insert.body.toString()]).toEqual([200, ""]);
			expect(await sql("SELECT count(), sum(x) FROM t")).toBe("1000\t499500\n");
			await sql("TRUNCATE TABLE t");
			const statement = await raw({}, { headers: { "content-encoding": encoding }, body });
			expect(statement.body.toString()).toContain(`Unknown compression method '${encoding}'`);
		}
	});

	test("a torn gzip body is refused and nothing of it kept", async () => {
		const body = gzipSync(Array.from({ length: 100_000 }, (_, i) => `${i},${Math.random()}\n`).join("")).subarray(
			0,
			300_000,
		);
		const answer = await raw({ query: "INSERT INTO t FORMAT CSV" }, { headers: { "content-encoding": "gzip" }, body });
		expect(answer.status).not.toBe(200);
		expect(await sql("SELECT count() FROM t")).toBe("0\n");
	});

	test("what it cannot read is refused by name", async () => {
		const unknown = await raw({}, { headers: { "content-encoding": "lzma2" }, body: "x" });
		expect(unknown.body.toString()).toContain("Unknown compression method 'lzma2'");
		const native = await raw({ decompress: "1" }, { body: "x" });
		expect(code(native)).toEqual([501, "48"]);
	});
});

describe("errors", () => {
	test.each<[string, [number, string]]>([
		["SELEC 1", [400, "62"]],
		["SELECT 1; SELECT 2", [400, "62"]],
		["", [400, "62"]],
		["SELECT * FROM nope", [404, "60"]],
		["SELECT nope()", [404, "46"]],
		["SELECT 1 FORMAT Nope", [404, "73"]],
		["SELECT throwIf(1)", [500, "395"]],
		["SELECT toUInt8('x')", [400, "6"]],
		["SELECT sleep(3) SETTINGS max_execution_time = 0.1", [408, "159"]],
		["SELECT length(groupArray(number)) FROM numbers(1000000000) SETTINGS max_memory_usage = 50000000", [500, "241"]],
		["SELECT length(groupArray(number)) FROM numbers(100000000000)", [500, "241"]],
		["SELECT 1 INTO OUTFILE '/tmp/x'", [501, "48"]],
	])("%s", async (query, expected) => {
		const answer = await raw({}, { body: query });
		expect(code(answer)).toEqual(expected);
		const text = answer.body.toString();
		expect(text).toMatch(
			/^Code: \d+\. DB::Exception: [\s\S]* \([A-Z_]+\) \(version 26\.\d+\.\d+\.\d+ \(official build\)\)\n$/,
		);
		expect(text).not.toMatch(/OUTFILE '\/|transit/);
		expect(answer.headers["content-type"]).toBe("text/plain; charset=UTF-8");
	});

	test("after the first bytes, the error is framed with the announced tag, and the body cut short", async () => {
		const answer = await raw({}, { body: "SELECT number, throwIf(number = 3000000, 'boom') FROM system.numbers" });
		expect([answer.status, answer.torn]).toEqual([200, true]);
		const tag = answer.headers["x-clickhouse-exception-tag"];
		const tail = answer.body.toString("latin1").slice(-2000);
		const frame = new RegExp(
			`\\r\\n__exception__\\r\\n${tag}\\r\\n(Code: 395\\. [\\s\\S]*\\n)(\\d+) ${tag}\\r\\n__exception__\\r\\n$`,
		);
		const [, message, length] = frame.exec(tail)!;
		expect(Number(length)).toBe(message!.length);
	});

	test("buffer_size holds an answer back so far", async () => {
		const body = "SELECT number, throwIf(number = 300000) FROM system.numbers SETTINGS max_block_size = 1000";
		expect(code(await raw({ buffer_size: "10000000" }, { body }))).toEqual([500, "395"]);
	});

	test("GET and HEAD may read and not write", async () => {
		expect((await raw({ query: "SELECT 1" }, { method: "GET" })).body.toString()).toBe("1\n");
		const head = await raw({ query: "SELECT 1" }, { method: "HEAD" });
		expect([head.status, head.body.length, head.headers["x-clickhouse-format"]]).toEqual([200, 0, "TabSeparated"]);
		expect(code(await raw({ query: "DROP TABLE t" }, { method: "GET" }))).toEqual([500, "164"]);
		expect(code(await raw({ query: "INSERT INTO t VALUES (1, '')" }, { method: "GET" }))).toEqual([500, "164"]);
	});

	test("sessions and roles are refused clearly", async () => {
		expect((await raw({ session_id: "s" }, { body: "SELECT 1" })).body.toString()).toContain("session_id");
		expect((await raw({ role: "r" }, { body: "SELECT 1" })).status).toBe(501);
	});

	test("other paths and methods", async () => {
		expect((await raw({}, { method: "GET", path: "/ping", headers: { "x-clickhouse-key": "" } })).body.toString()).toBe(
			"Ok.\n",
		);
		expect((await raw({}, { method: "GET", path: "/nope" })).status).toBe(404);
		expect((await raw({}, { method: "DELETE" })).status).toBe(501);
		expect((await raw({}, { method: "GET", path: "//" })).status).toBe(404);
		expect(await sql("SELECT 1")).toBe("1\n");
	});

	test("a URL may be as long as a server's", async () => {
		const answer = await raw({ query: "SELECT length({s:String})", param_s: "x".repeat(1_000_000) });
		expect(answer.body.toString()).toBe("1000000\n");
	});
});

describe("a password", () => {
	const ask = (search: Record<string, string>, headers: Record<string, string>) =>
		rawRequest({ url: engine.url, password: "" }, { query: "SELECT 1", ...search }, { headers });
	const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString("base64")}` });

	test("by Basic, by headers, by URL", async () => {
		const bare = (search: Record<string, string>, headers: Record<string, string>) =>
			new Promise<number>((resolve) => {
				const url = `${engine.url}/?${new URLSearchParams({ query: "SELECT 1", ...search })}`;
				request(url, { headers, agent: false }, (answer) => resolve(answer.resume().statusCode!)).end();
			});
		expect(await bare({}, basic("default:secret"))).toBe(200);
		expect(await bare({ user: "default", password: "secret" }, {})).toBe(200);
		expect(await bare({}, { "x-clickhouse-user": "default", "x-clickhouse-key": "secret" })).toBe(200);
		expect(await bare({}, basic("default:wrong"))).toBe(403);
		expect(await bare({}, basic("root:secret"))).toBe(403);
		expect(await bare({ password: "secret" }, basic("default:secret"))).toBe(403);
		expect(await bare({}, {})).toBe(401);
	});

	test("missing, it is asked for; wrong, the code is 516", async () => {
		expect(code(await ask({}, { "x-clickhouse-key": "wrong" }))).toEqual([403, "516"]);
	});
});

describe("details", () => {
	test("default_format by URL and header, the database by URL and header", async () => {
		expect((await raw({ default_format: "CSV" }, { body: "SELECT 'a'" })).body.toString()).toBe('"a"\n');
		const headers = { "x-clickhouse-format": "JSONEachRow", "x-clickhouse-database": "other" };
		expect((await raw({}, { body: "SELECT currentDatabase() AS d", headers })).body.toString()).toBe('{"d":"other"}\n');
		expect(await sql("SELECT currentDatabase()")).toBe("default\n");
		expect(code(await raw({ database: "nope" }, { body: "SELECT 1" }))).toEqual([404, "81"]);
	});

	test("a session time zone is told in the headers", async () => {
		const answer = await raw(
			{ session_timezone: "Asia/Kathmandu" },
			{ body: "SELECT serverTimezone(), toDateTime(0)" },
		);
		expect(answer.headers["x-clickhouse-timezone"]).toBe("Asia/Kathmandu");
		expect(answer.body.toString()).toBe("UTC\t1970-01-01 05:30:00\n");
	});

	test("idle connections live longer than the client keeps them", async () => {
		const answer = await raw({ query: "SELECT 1" }, { headers: { connection: "keep-alive" } });
		expect(answer.headers["keep-alive"]).toBe("timeout=30");
	});

	test("server_timezone, version and caches are as set", async () => {
		expect(await sql("SELECT timezone()")).toBe("UTC\n");
		const small =
			"SELECT count() FROM system.server_settings WHERE name LIKE '%cache_size' AND toUInt64OrZero(value) > 300000000";
		expect(await sql(small)).toBe("0\n");
		expect(await sql("SELECT count() FROM system.tables WHERE database = 'system' AND name LIKE '%\\\\_log'")).toBe(
			"0\n",
		);
	});

	test("backups go to the data folder's backups", async () => {
		expect(await sql("BACKUP TABLE t TO File('b1')")).toContain("BACKUP_CREATED");
		expect((await raw({}, { body: "BACKUP TABLE t TO File('/tmp/elsewhere')" })).status).not.toBe(200);
	});
});

describe("a body that breaks off", () => {
	const data = Buffer.from(Array.from({ length: 1_200_000 }, (_, i) => `${i},x\n`).join(""));
	const chunk = Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]);

	test.each([
		["Content-Length", "Content-Length: 100000000", data],
		["chunked", "Transfer-Encoding: chunked", chunk],
	])("%s: nothing of it is inserted, and no file stays", async (_, head, part) => {
		const files = async () =>
			(await readdir(`${engine.dataDir}/transit`)).filter((name) => name.startsWith("request")).length;
		const { hostname, port } = new URL(engine.url);
		const socket = connect(Number(port), hostname);
		const search = new URLSearchParams({ query: "INSERT INTO t FORMAT CSV", password: engine.password });
		socket.write(`POST /?${search} HTTP/1.1\r\nHost: x\r\n${head}\r\n\r\n`);
		await new Promise((resolve) => socket.write(part, resolve));
		await until(async () => (await files()) === 1);
		socket.destroy();
		await until(async () => (await files()) === 0);
		expect(await sql("SELECT count() FROM t")).toBe("0\n");
		expect(await sql("SELECT count() FROM system.processes")).toBe("1\n");
	});
});
