import { describe, expect, test } from "vitest";
import { insertFrom, plainText, selectInto } from "./sql.ts";
import { readStatement, type Statement } from "./statement.ts";

const read = (sql: string): Statement => readStatement(Buffer.from(sql).toString("latin1"));

/** The text for the engine with the file clause shown as `<FILE>`. */
function rewritten(sql: string): string {
	const bytes = Buffer.from(sql);
	const statement = readStatement(bytes.toString("latin1"));
	const text = (() => {
		if (statement.kind === "select") return selectInto(bytes, statement, "F", "TSV");
		if (statement.kind === "insert" || statement.kind === "insert-input")
			return insertFrom(bytes, statement, "F", "none");
		if (statement.kind === "plain") return plainText(bytes, statement);
		return "";
	})();
	return text
		.replaceAll("INTO OUTFILE 'F' TRUNCATE", "<OUT>")
		.replaceAll("FROM INFILE 'F' COMPRESSION 'none'", "<IN>")
		.replaceAll(/\s+/g, " ")
		.trim();
}

describe("INTO OUTFILE stands where the engine takes it", () => {
	test.each([
		["SELECT 1", "SELECT 1 <OUT> FORMAT TSV"],
		["select 1 format JSON", "select 1 <OUT> format JSON"],
		["SELECT 1 FORMAT JSON;", "SELECT 1 <OUT> FORMAT JSON"],
		["SELECT 1 ;;  ;", "SELECT 1 <OUT> FORMAT TSV"],
		["SELECT 1 -- FORMAT JSON", "SELECT 1 <OUT> FORMAT TSV"],
		["SELECT 1 /* FORMAT JSON */", "SELECT 1 <OUT> FORMAT TSV"],
		["SELECT 1 SETTINGS max_threads = 1", "SELECT 1 <OUT> FORMAT TSV SETTINGS max_threads = 1"],
		["SELECT 1 SETTINGS a = 1, b = 'x' FORMAT CSV", "SELECT 1 <OUT> SETTINGS a = 1, b = 'x' FORMAT CSV"],
		["SELECT 1 FORMAT CSV SETTINGS a = [1, 2]", "SELECT 1 <OUT> FORMAT CSV SETTINGS a = [1, 2]"],
		[
			"SELECT 1 SETTINGS a = 1 UNION ALL SELECT 2 FORMAT CSV",
			"SELECT 1 SETTINGS a = 1 UNION ALL SELECT 2 <OUT> FORMAT CSV",
		],
		["SELECT * FROM (SELECT 1 SETTINGS a = 1)", "SELECT * FROM (SELECT 1 SETTINGS a = 1) <OUT> FORMAT TSV"],
		["SELECT 'FORMAT CSV' AS format", "SELECT 'FORMAT CSV' AS format <OUT> FORMAT TSV"],
		["SELECT format, settings FROM t", "SELECT format, settings FROM t <OUT> FORMAT TSV"],
		["SELECT $tag$ ; FORMAT CSV $tag$ FORMAT `JSON`", "SELECT $tag$ ; FORMAT CSV $tag$ <OUT> FORMAT `JSON`"],
		["WITH x AS (SELECT 1) SELECT * FROM x", "WITH x AS (SELECT 1) SELECT * FROM x <OUT> FORMAT TSV"],
		["(SELECT 1) UNION ALL (SELECT 2)", "(SELECT 1) UNION ALL (SELECT 2) <OUT> FORMAT TSV"],
		["FROM numbers(3) SELECT *", "FROM numbers(3) SELECT * <OUT> FORMAT TSV"],
		[
			"SELECT 'é', 'it''s', 'a\\'b', \"q;\" FROM t FORMAT CSV",
			"SELECT 'é', 'it''s', 'a\\'b', \"q;\" FROM t <OUT> FORMAT CSV",
		],
	])("%s", (sql, expected) => {
		expect(rewritten(sql)).toBe(expected);
	});
});

describe("insert data begins where ClickHouse says", () => {
	test.each([
		["INSERT INTO t FORMAT CSV\n1,2\n", "1,2\n", "INSERT INTO t <IN> FORMAT CSV"],
		["INSERT INTO t FORMAT CSV 1,2", "1,2", "INSERT INTO t <IN> FORMAT CSV"],
		["INSERT INTO t FORMAT TSV\n\n\t", "\n\t", "INSERT INTO t <IN> FORMAT TSV"],
		["insert into t (a, b) values (1, 'x')", " (1, 'x')", "insert into t (a, b) <IN> FORMAT Values"],
		["INSERT INTO db.values (a) VALUES (1)", " (1)", "INSERT INTO db.values (a) <IN> FORMAT Values"],
		["INSERT INTO format FORMAT CSV\n1", "1", "INSERT INTO format <IN> FORMAT CSV"],
		[
			"INSERT INTO t SETTINGS async_insert = 0 FORMAT CSV\n1",
			"1",
			"INSERT INTO t <IN> SETTINGS async_insert = 0 FORMAT CSV",
		],
		["INSERT INTO t (* EXCEPT (a)) VALUES (1)", " (1)", "INSERT INTO t (* EXCEPT (a)) <IN> FORMAT Values"],
		["INSERT INTO TABLE t VALUES ('; DROP TABLE t')", " ('; DROP TABLE t')", "INSERT INTO TABLE t <IN> FORMAT Values"],
		[
			"-- x\nINSERT INTO `a b`.`c` FORMAT JSONEachRow\r\n{}",
			"{}",
			"-- x INSERT INTO `a b`.`c` <IN> FORMAT JSONEachRow",
		],
		[
			"INSERT INTO t SELECT a, b FROM input('a Int8, b String') WHERE a > 1 FORMAT CSV\n1,x",
			"1,x",
			"INSERT INTO t SELECT a, b FROM file('F', 'CSV', 'a Int8, b String', 'none') WHERE a > 1",
		],
	])("%s", (sql, data, text) => {
		const statement = read(sql);
		if (statement.kind !== "insert" && statement.kind !== "insert-input") throw new Error(statement.kind);
		expect(sql.slice(statement.dataStart)).toBe(data);
		expect(rewritten(sql)).toBe(text);
	});

	test("an insert without data of its own runs as it stands", () => {
		for (const sql of [
			"INSERT INTO t SELECT 1",
			"INSERT INTO t (a) WITH 1 AS x SELECT x",
			"WITH 1 AS x INSERT INTO t SELECT x",
		]) {
			expect(read(sql).kind).toBe("plain");
			expect(rewritten(sql)).toBe(sql);
		}
	});
});

describe("refused", () => {
	test.each([
		"SELECT 1; SELECT 2",
		"INSERT INTO t SELECT 1; DROP TABLE t",
		"SELECT 1 INTO OUTFILE '/etc/passwd'",
		"INSERT INTO t FROM INFILE '/etc/passwd' FORMAT CSV",
	])("%s", (sql) => {
		expect(() => read(sql)).toThrow(/DB::Exception/);
	});
});

test("statements are told apart by what they do to the session and the data", () => {
	const kinds = (sql: string) => {
		const statement = read(sql);
		return statement.kind === "plain" ? [statement.verb, statement.readOnly, statement.keepsSession] : statement.kind;
	};
	expect(kinds("SET max_threads = 1")).toEqual(["SET", true, false]);
	expect(kinds("use system")).toEqual(["USE", true, false]);
	expect(kinds("SHOW TABLES")).toEqual(["SHOW", true, true]);
	expect(kinds("CREATE TEMPORARY TABLE t (x Int8)")).toEqual(["CREATE", false, false]);
	expect(kinds("ALTER TABLE t DROP COLUMN x")).toEqual(["ALTER", false, true]);
	expect(kinds("  -- nothing\n ")).toBe("empty");
	expect(kinds("")).toBe("empty");
});

test("KILL QUERY and system.processes speak of the client's query ids", () => {
	expect(rewritten("KILL QUERY WHERE query_id = 'a' SYNC")).toMatch(/^KILL QUERY WHERE if\(.*\) = 'a' ASYNC$/);
	expect(rewritten("SELECT query_id FROM system.processes AS p")).toMatch(
		/FROM \(SELECT \* REPLACE .* FROM system\.processes\) AS p <OUT>/,
	);
	expect(rewritten("SELECT 'system.processes'")).toBe("SELECT 'system.processes' <OUT> FORMAT TSV");
});
