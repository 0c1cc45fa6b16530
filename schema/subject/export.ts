/** All that is known of a person, as lines of JSON: the same bytes whenever they are asked for, while the rows are there. */
import type { ClickHouse } from "../clickhouse.ts";
import { SUBJECT_RULES } from "./tables.ts";
import { parameterTerms, type Subject } from "./terms.ts";

export interface ExportScope {
	readonly project: string;
	/** Seconds since the epoch: what was received before is meant. */
	readonly before_s: number;
	readonly subject: Subject;
	readonly signal?: AbortSignal | undefined;
}

/** Each line is a row, its table in `_table`. */
export async function* exportedRows(
	client: ClickHouse,
	{ project, before_s, subject, signal }: ExportScope,
): AsyncGenerator<{ readonly table: string; readonly bytes: Buffer }> {
	const { terms, params } = parameterTerms(subject);
	const bound = (BigInt(before_s) << 32n).toString();
	const scope = { project: "project = {project:String}", inTime: `id < ${bound}`, later: `id >= ${bound}` };
	for (const { table, rows, timed, exportBy } of SUBJECT_RULES) {
		if (exportBy === undefined) continue;
		const { stream } = await client.exec({
			query: `SELECT '${table}' AS _table, * FROM ${table}
				WHERE ${scope.project} AND ${timed ? scope.inTime : "1"} AND (${rows(terms, scope)})
				ORDER BY ${exportBy} FORMAT JSONEachRow`,
			query_params: { ...params, project },
			use_multipart_params: true,
			clickhouse_settings: { readonly: "2", distributed_product_mode: "global", max_threads: 2 },
			...(signal ? { abort_signal: signal } : {}),
		});
		for await (const chunk of stream) yield { table, bytes: chunk as Buffer };
	}
}
