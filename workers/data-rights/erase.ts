/**
 * Takes a person out of every table. What is to go is what was received before an instant, so that it stays the same however often the
 * work is begun again; each step may be done twice.
 */

import {
	type RuleScope,
	SUBJECT_RULES,
	SUBTRACTIONS,
	type SubjectRule,
	type Subtraction,
} from "../../schema/subject/tables.ts";
import { parameterTerms, type Subject, storedTerms, subjectRows, type Terms } from "../../schema/subject/terms.ts";
import type { TableCount } from "../../schema/wire/index.ts";
import { mutate, type Place, statement } from "./mutations.ts";

export interface Erasure {
	readonly place: Place;
	readonly project: string;
	readonly request_id: string;
	/** Seconds since the epoch. */
	readonly before_s: number;
	readonly subject: Subject;
	readonly signal?: AbortSignal | undefined;
}

/** How far it got. */
export interface ErasureState {
	/** Rows that were there before anything went, by rule. */
	readonly found: readonly number[];
	/** Tables out of whose sums the rows were taken. */
	readonly subtracted: readonly string[];
	/** Rules that are done. */
	readonly done: number;
}

/** New parts of a table, and those of another rule's making, may have rows of the person once more. */
const ROUNDS = 3;
/** Fewer than any table's deduplication window, and one block in any case. */
const ONE_BLOCK = { max_threads: 1, max_insert_threads: "1", min_insert_block_size_rows: "1000000000" } as const;

/** @returns rows by table, all of which are gone. @throws when some are left */
export async function erase(
	erasure: Erasure,
	before: ErasureState | undefined,
	checkpoint: (state: ErasureState) => Promise<void>,
): Promise<TableCount[]> {
	const { place, request_id, subject } = erasure;
	await nameSubject(erasure);
	const terms = storedTerms(subject, request_id);
	let state: ErasureState = before ?? {
		found: await counts(erasure),
		subtracted: [],
		done: 0,
	};
	if (!before) await checkpoint(state);
	for (const sums of SUBTRACTIONS) {
		if (state.subtracted.includes(sums.table)) continue;
		const rule = SUBJECT_RULES.findIndex(({ table, fate }) => table === sums.from && fate.act === "delete");
		if (state.found[rule] !== 0) await subtract(erasure, sums, SUBJECT_RULES[rule]!, terms);
		state = { ...state, subtracted: [...state.subtracted, sums.table] };
		await checkpoint(state);
	}
	for (const [i, rule] of SUBJECT_RULES.entries()) {
		if (i < state.done || state.found[i] === 0) continue;
		await take(erasure, rule, terms);
		state = { ...state, done: i + 1 };
		await checkpoint(state);
	}
	let left = await counts(erasure);
	for (let round = 1; round < ROUNDS && left.some((rows) => rows > 0); round++) {
		for (const [i, rule] of SUBJECT_RULES.entries()) if (left[i]! > 0) await take(erasure, rule, terms);
		left = await counts(erasure);
	}
	const tables = SUBJECT_RULES.map(({ table, fate }, i) => ({
		...{ table, action: fate.act, rows_found: state.found[i]!, rows_left: left[i]! },
	}));
	const rest = tables.filter(({ rows_left }) => rows_left > 0);
	if (rest.length > 0) throw new Error(`rows of the person are left in ${rest.map(({ table }) => table).join(", ")}`);
	await place.client.command({
		query: statement(
			`ALTER TABLE {{everywhere:erasure_subjects}} {{on_cluster}} DROP PARTITION '${request_id}'`,
			place,
		),
	});
	return tables;
}

/** Puts the ids where the deletions read them. */
async function nameSubject({ place, request_id, subject }: Erasure): Promise<void> {
	const { client } = place;
	const drop = `ALTER TABLE {{everywhere:erasure_subjects}} {{on_cluster}} DROP PARTITION '${request_id}'`;
	await client.command({ query: statement(drop, place) });
	await client.insert({
		table: "erasure_subjects",
		values: subjectRows(subject, request_id),
		format: "JSONEachRow",
	});
}

function scopeOf({ project, before_s }: Erasure): RuleScope {
	const bound = (BigInt(before_s) << 32n).toString();
	return { project: `project = '${project}'`, inTime: `id < ${bound}`, later: `id >= ${bound}` };
}

function where(erasure: Erasure, rule: SubjectRule, terms: Terms): string {
	const scope = scopeOf(erasure);
	return [scope.project, ...(rule.timed ? [scope.inTime] : []), `(${rule.rows(terms, scope)})`].join(" AND ");
}

/** One after the other: a person who goes must not keep all others waiting. */
async function counts(erasure: Erasure): Promise<number[]> {
	const found = new Map<SubjectRule, number>();
	// What is found through other rows comes before them in the list: asked from its end, most of it needs no question.
	for (const rule of [...SUBJECT_RULES].reverse()) {
		const { through } = rule;
		const isVain = through !== undefined && !SUBJECT_RULES.some((one) => one.table === through && found.get(one) !== 0);
		found.set(rule, isVain ? 0 : await count(erasure, rule));
	}
	return SUBJECT_RULES.map((rule) => found.get(rule)!);
}

async function count(erasure: Erasure, rule: SubjectRule): Promise<number> {
	const { place, signal, subject } = erasure;
	const { terms, params } = parameterTerms(subject);
	const result = await place.client.query({
		query: `SELECT toUInt64(count()) FROM ${rule.table} WHERE ${where(erasure, rule, terms)}`,
		query_params: params,
		format: "JSONCompactEachRow",
		use_multipart_params: true,
		clickhouse_settings: { distributed_product_mode: "global", max_threads: 1 },
		...(signal ? { abort_signal: signal } : {}),
	});
	return Number((await result.json<[string]>())[0]![0]);
}

async function take(erasure: Erasure, rule: SubjectRule, terms: Terms): Promise<void> {
	const { place, request_id, signal } = erasure;
	// Where the ids are not, or not yet, an empty pattern would match every row.
	const known = `(SELECT count() FROM erasure_subjects WHERE request_id = '${request_id}' AND kind = 'word') = 1`;
	const rows = `${where(erasure, rule, terms)} AND ${known}`;
	const change =
		rule.fate.act === "delete"
			? "DELETE"
			: `UPDATE ${Object.entries(rule.fate.set(terms))
					.map(([column, value]) => `${column} = ${value}`)
					.join(", ")}`;
	await mutate(place, rule.table, change, rows, signal);
}

/** Adds what the rows that go were counted for, with the sign turned: sums wrap, and what is left is what the others add up to. */
async function subtract(
	erasure: Erasure,
	{ table, from, source = from, keys, sums, neutral = {}, where: some = "1" }: Subtraction,
	rule: SubjectRule,
	terms: Terms,
) {
	const { place, project, request_id } = erasure;
	const negative = Object.entries(sums).map(([name, sum]) => `negate(${sum}) AS ${name}`);
	const columns = [...Object.keys(keys), ...Object.keys(sums), ...Object.keys(neutral)];
	const selected = [...aliased(keys), ...negative, ...aliased(neutral)];
	await place.client.command({
		query: `INSERT INTO ${table} (project, ${columns.join(", ")})
			SELECT '${project}', ${selected.join(", ")} FROM ${source}
			WHERE ${where(erasure, rule, terms)} AND ${some} GROUP BY ${Object.values(keys).join(", ")}`,
		clickhouse_settings: {
			...{ insert_deduplicate: 1, insert_deduplication_token: `${request_id}/${table}`, insert_distributed_sync: 1 },
			...ONE_BLOCK,
			...{ max_partitions_per_insert_block: "0", distributed_product_mode: "global" },
		},
	});
}

function aliased(expressions: Readonly<Record<string, string>>): string[] {
	return Object.entries(expressions).map(([name, text]) => (text === name ? text : `${text} AS ${name}`));
}
