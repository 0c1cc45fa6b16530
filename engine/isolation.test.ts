/** Nothing of one query is seen by another, whatever runs beside it on the pool. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { rawRequest, startTestEngine, type TestEngine } from "./testing.ts";

let engine: TestEngine;

beforeAll(async () => {
	engine = await startTestEngine({ maxConcurrentQueries: 8 });
	await ask("CREATE DATABASE other ENGINE = Atomic");
});

afterAll(async () => {
	await engine?.remove();
});

async function ask(query: string, search: Record<string, string> = {}): Promise<string> {
	return (await rawRequest(engine, search, { body: query })).body.toString().trimEnd();
}

test("settings, parameters and database belong to their query, under parallel load", async () => {
	const seen = "SELECT getSetting('max_block_size'), getSetting('log_comment'), currentDatabase()";
	const plain = await ask(seen);
	let next = 0;
	const worker = async (): Promise<void> => {
		for (let i = next++; i < 600; i = next++) {
			const log_comment = `c'${i}\\`;
			const set = {
				max_block_size: String(1000 + i),
				log_comment,
				param_p: `v${i}`,
				database: i % 2 ? "other" : "default",
			};
			if (i % 3 === 0) {
				const own = await ask(`${seen}, {p:String} FORMAT JSONCompactEachRow`, {
					...set,
					output_format_json_quote_64bit_integers: "0",
				});
				expect(JSON.parse(own)).toEqual([1000 + i, log_comment, set.database, set.param_p]);
			} else if (i % 3 === 1) {
				expect(await ask(seen)).toBe(plain);
				expect(await ask("SELECT {p:String}")).toMatch(/Code: 456/);
			} else {
				// A query that fails, in every way, leaves nothing either.
				expect(await ask("SELECT nope", set)).toMatch(/Code: 47/);
				expect(await ask("SELECT 1", { ...set, no_such_setting: "1" })).toMatch(/Code: 115/);
				expect(await ask("SELECT 1", { ...set, database: "nope" })).toMatch(/Code: 81/);
				expect(await ask(`SELECT nope SETTINGS max_block_size = ${i}, log_comment = 'leak'`)).toMatch(/Code: 47/);
			}
		}
	};
	await Promise.all([1, 2, 3, 4].map(worker));
	const after = await Promise.all(Array.from({ length: 8 }, () => ask(seen)));
	expect(new Set(after)).toEqual(new Set([plain]));
});

test("SET, USE and temporary tables end with their request", async () => {
	await ask("SET max_block_size = 7");
	await ask("USE other");
	await ask("CREATE TEMPORARY TABLE tmp (x Int8)");
	for (let i = 0; i < 10; i++) {
		expect(await ask("SELECT getSetting('max_block_size'), currentDatabase()")).toBe("65409\tdefault");
		expect(await ask("SELECT * FROM tmp")).toMatch(/Code: 60/);
	}
});

test("values cannot break out of their place", async () => {
	for (const value of ["'; DROP DATABASE other; --", "\\'; DROP DATABASE other; --", "\\", "'", "`"]) {
		expect(await ask("SELECT getSetting('log_comment') FORMAT TSVRaw", { log_comment: value })).toBe(value);
		expect(await ask("SELECT 1", { database: value })).toMatch(/Code: 81/);
		expect(await ask("SELECT 1", { max_threads: value })).toMatch(/Code: \d+/);
		expect(await ask("SELECT 1", { query_id: value })).toBe("1");
		expect(await ask("SELECT 1", { default_format: `CSV${value}` })).toMatch(/Code: 73/);
		expect(await ask("SELECT 1", { session_timezone: `\r\n${value}` })).toMatch(/Code: \d+/);
	}
	expect(await ask("EXISTS DATABASE other")).toBe("1");
});
