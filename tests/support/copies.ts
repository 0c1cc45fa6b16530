/** Copies of a project in the tables themselves: many projects from one ingest, each with other values or without some records. */
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { TABLES } from "../../schema/tables.ts";
import type { TestDatabase } from "./database.ts";

/** Tables that are written to; all others follow by views. With the signal of their rows, and where its name stands. */
const RAW = {
	series: ["metric", "name"],
	points: ["metric", "name"],
	cumulative: ["metric", "name"],
	events: ["event", "event"],
	logs: ["log", "''"],
	log_patterns: ["log", "''"],
	errors: ["error", "''"],
	profiles: ["profile", "''"],
} as const satisfies Partial<Record<keyof typeof TABLES, readonly [string, string]>>;

export interface Copy {
	readonly project: string;
	/** Records that it does not get, as `metric NAME`, `event NAME`, `log`, `error`, `profile`. */
	readonly without?: readonly string[];
}

/** By table, column and the expression that stands for it in the copies. */
export type Changes = { readonly [Table in keyof typeof RAW]?: Readonly<Record<string, string>> };

export async function copyProject(
	{ client }: Pick<TestDatabase, "client">,
	from: string,
	copies: readonly Copy[],
	changes: Changes = {},
): Promise<void> {
	for (const [table, [signal, name]] of Object.entries(RAW) as [keyof typeof RAW, readonly [string, string]][]) {
		const columns = TABLES[table].map(([column]) => column);
		const selected = columns.map((column) => (column === "project" ? "copy.1" : (changes[table]?.[column] ?? column)));
		const key = name === "''" ? `'${signal}'` : `concat('${signal} ', ${name})`;
		await run(
			client,
			`INSERT INTO ${table} (${columns.join(", ")}) SELECT ${selected.join(", ")} FROM ${table}
ARRAY JOIN arrayZip({projects:Array(String)}, {without:Array(Array(String))}) AS copy
WHERE project = {from:String} AND NOT has(copy.2, ${key})`,
			{ from, projects: copies.map(({ project }) => project), without: copies.map(({ without = [] }) => without) },
		);
	}
}

async function run(client: ClickHouse, query: string, query_params: Record<string, unknown>): Promise<void> {
	await client.command({
		query,
		query_params,
		clickhouse_settings: {
			insert_deduplicate: 0,
			// Days of two months, for every copy.
			max_partitions_per_insert_block: "0",
			min_insert_block_size_rows: "1000000",
		},
	});
}
