import { afterAll, beforeAll, expect, test } from "vitest";
import { TABLES } from "../../schema/tables.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { decodeBlock, encodeRows, filterBlock } from "../native/decode.ts";
import { blockInserter } from "./insert.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");

let database: TestDatabase;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
});
afterAll(() => database?.stop());

test("a journal of a version that knew fewer columns is stored, beside blocks of this one", async () => {
	const columns = TABLES.logs.filter(([name]) => name !== "pattern_id");
	const line = (message: string, id: bigint) => ["p", NOW, id, "info", "api", message, "", "", ""] as const;
	const before = encodeRows(columns, [line("one", 1n), line("refused", 2n)]);
	const now = encodeRows(TABLES.logs, [[...line("two", 3n), 7n]]);
	const kept = filterBlock(before, TABLES.logs, (row) => row === 0);
	expect(decodeBlock(kept).columns.get("message")).toEqual(["one"]);
	await blockInserter(database.client)("logs", [kept, now], "token");
	const result = await database.client.query({
		query: "SELECT message, toString(pattern_id) AS pattern FROM logs ORDER BY id",
		format: "JSONEachRow",
	});
	expect(await result.json()).toEqual([
		{ message: "one", pattern: "0" },
		{ message: "two", pattern: "7" },
	]);
});
