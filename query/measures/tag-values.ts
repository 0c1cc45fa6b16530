/** Values that a tag has had. */
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { named } from "./series.ts";

export interface TagValuesOptions {
	/** Only series of these metrics; none is all. */
	readonly metrics: readonly string[];
	/** Milliseconds since the epoch: of series that were known before. */
	readonly as_of: number;
	readonly limit: number;
}

/** In the order of the alphabet; series without the tag have none. */
export function tagValues(tag: string, { metrics, as_of, limit }: TagValuesOptions): Question<string[]> {
	const params = new Params();
	const value = `tags[${params.add("String", tag)}]`;
	const ofMetrics = metrics.length === 0 ? "" : ` AND ${named(params, metrics)}`;
	return {
		name: "tag_values",
		params,
		sql: `SELECT DISTINCT ${value} AS tag_value ${from("series", `${value} != '' AND first_seen < ${at(params, as_of)}${ofMetrics}`)}
ORDER BY tag_value LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) => rows.map((row) => row.tag_value as string),
	};
}
