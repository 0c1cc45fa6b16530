/**
 * A scenario with records of every kind, and the answers that an independent program computed from the same definitions. Another
 * scenario runs by `TIDEMARK_SCENARIO=folder`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Server, startServer } from "../server.ts";
import { type Expectation, instantBefore, isAsExpected, type Json, resolved, valueAt } from "./answers.ts";

interface Case {
	readonly id: string;
	readonly method: string;
	readonly path: string;
	readonly params: Readonly<Record<string, Json>>;
	readonly status: number;
	readonly setup?: { readonly method: string; readonly path: string; readonly body: Json };
	readonly expect: Readonly<Record<string, Expectation>>;
}

const folder = process.env.TIDEMARK_SCENARIO ?? fileURLToPath(new URL(".", import.meta.url));
const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as {
	as_of: string;
	records: number;
	cases: Case[];
};
const as_of = Date.parse(expected.as_of);
const KEEP = { METRICS: "20000d", LOGS: "20000d", EVENTS: "20000d" };
const REQUEST_RECORDS = 5_000;

let server: Server;

beforeAll(async () => {
	server = await startServer({
		env: {
			TIDEMARK_SELF_PROJECT: "off",
			TIDEMARK_COLLECT_INTERVAL: "off",
			...Object.fromEntries(Object.entries(KEEP).map(([name, value]) => [`TIDEMARK_${name}_RETENTION`, value])),
		},
	});
	await send();
}, 120_000);
afterAll(() => server?.stop());

/** All records, in the order of the file. */
async function send(): Promise<void> {
	const lines = gunzipSync(readFileSync(join(folder, "scenario.ndjson.gz")))
		.toString()
		.trim()
		.split("\n");
	for (let i = 0; i < lines.length; i += REQUEST_RECORDS) {
		const body = lines.slice(i, i + REQUEST_RECORDS).map((line) => {
			const { t, ...record } = JSON.parse(line) as { t: number };
			return JSON.stringify({ ...record, timestamp: instantBefore(as_of, t) });
		});
		const isLast = i + REQUEST_RECORDS >= lines.length;
		const response = await server.request(`/v1/ingest/batch${isLast ? "?wait=true" : ""}`, {
			body: body.join("\n"),
			headers: { "Content-Type": "application/x-ndjson" },
		});
		expect(await response.json()).toEqual({ accepted: body.length, rejected: [] });
	}
}

async function answerTo({ method, path, params, setup }: Case): Promise<{ status: number; body: Json }> {
	let made: Readonly<Record<string, string>> = {};
	if (setup) {
		const response = await server.request(setup.path, { method: setup.method, body: setup.body });
		made = (await response.json()) as Record<string, string>;
	}
	const query = new URLSearchParams();
	for (const [name, value] of Object.entries(params)) query.set(name, String(resolved(value, as_of)));
	const at = path.replace(/\{(\w+)\}/g, (_, name: string) => made[name] ?? `no ${name}`);
	const response = await server.request(`${at}?${query}`, { method });
	return { status: response.status, body: (await response.json()) as Json };
}

test("the scenario is whole", () => {
	expect(expected.cases.length).toBeGreaterThan(0);
});

test.each(expected.cases)("$id", async (asked) => {
	const { status, body } = await answerTo(asked);
	expect(status, JSON.stringify(body).slice(0, 500)).toBe(asked.status);
	const wrong = Object.entries(asked.expect).flatMap(([path, expectation]) => {
		const got = valueAt(body, path, as_of);
		return isAsExpected(got, expectation, as_of) ? [] : [{ path, got: got ?? String(got), ...expectation }];
	});
	expect(wrong).toEqual([]);
});
