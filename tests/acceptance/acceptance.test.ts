/**
 * A scenario with records of every kind, and the answers that an independent program computed from the same definitions. Another
 * scenario runs by `TIDEMARK_SCENARIO=folder`.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Server, startServer } from "../server.ts";
import { isAsExpected, type Json, valueAt } from "./answers.ts";
import { AS_OF, CASES, type Case, parametersOf, scenarioRecords } from "./scenario.ts";

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
	const records = scenarioRecords();
	for (let i = 0; i < records.length; i += REQUEST_RECORDS) {
		const body = records.slice(i, i + REQUEST_RECORDS).map((record) => JSON.stringify(record));
		const isLast = i + REQUEST_RECORDS >= records.length;
		const response = await server.request(`/v1/ingest/batch${isLast ? "?wait=true" : ""}`, {
			body: body.join("\n"),
			headers: { "Content-Type": "application/x-ndjson" },
		});
		expect(await response.json()).toEqual({ accepted: body.length, rejected: [] });
	}
}

async function answerTo({ method, path, setup, ...asked }: Case): Promise<{ status: number; body: Json }> {
	let made: Readonly<Record<string, string>> = {};
	if (setup) {
		const response = await server.request(setup.path, { method: setup.method, body: setup.body });
		made = (await response.json()) as Record<string, string>;
	}
	const query = new URLSearchParams(parametersOf(asked));
	const at = path.replace(/\{(\w+)\}/g, (_, name: string) => made[name] ?? `no ${name}`);
	const response = await server.request(`${at}?${query}`, { method });
	return { status: response.status, body: (await response.json()) as Json };
}

test("the scenario is whole", () => {
	expect(CASES.length).toBeGreaterThan(0);
});

test.each(CASES)("$id", async (asked) => {
	const { status, body } = await answerTo(asked);
	expect(status, JSON.stringify(body).slice(0, 500)).toBe(asked.status);
	const wrong = Object.entries(asked.expect).flatMap(([path, expectation]) => {
		const got = valueAt(body, path, AS_OF);
		return isAsExpected(got, expectation, AS_OF) ? [] : [{ path, got: got ?? String(got), ...expectation }];
	});
	expect(wrong).toEqual([]);
});
