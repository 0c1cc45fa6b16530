/** The scenario: records of every kind, and cases with their answers. `TIDEMARK_SCENARIO=folder` is another one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { type Expectation, instantBefore, type Json, resolved } from "./answers.ts";

export interface Case {
	readonly id: string;
	readonly method: string;
	readonly path: string;
	readonly params: Readonly<Record<string, Json>>;
	readonly status: number;
	readonly setup?: { readonly method: string; readonly path: string; readonly body: Json };
	readonly expect: Readonly<Record<string, Expectation>>;
}

const folder = process.env.TIDEMARK_SCENARIO ?? fileURLToPath(new URL(".", import.meta.url));
const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as { as_of: string; cases: Case[] };

export const CASES: readonly Case[] = expected.cases;
/** Milliseconds since the epoch. */
export const AS_OF = Date.parse(expected.as_of);

export type ScenarioRecord = { readonly type: string } & { readonly [member: string]: Json };

/** All records, in the order of the file, with the timestamps that they have when asked as of an instant. */
export function scenarioRecords(as_of = AS_OF): ScenarioRecord[] {
	const lines = gunzipSync(readFileSync(join(folder, "scenario.ndjson.gz")))
		.toString()
		.trim()
		.split("\n");
	return lines.map((line) => {
		const { t, ...record } = JSON.parse(line) as { t: number; type: string };
		return { ...record, timestamp: instantBefore(as_of, t) };
	});
}

/** A case's parameters as they are sent. */
export function parametersOf({ params }: Pick<Case, "params">): Record<string, string> {
	return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(resolved(value, AS_OF))]));
}
