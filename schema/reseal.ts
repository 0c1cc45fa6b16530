/** Seals every stored secret with the first key, so that the keys behind it can be taken away. */
import type { ClickHouse } from "./clickhouse.ts";
import { DATA_REQUEST_KIND, requestContext } from "./data-requests.ts";
import type { SecretBox } from "./secret-box.ts";

export interface Resealed {
	/** Secrets that were sealed with another key than the first, and are sealed with it now. */
	readonly resealed: number;
	/** What looks sealed, and no key opens. */
	readonly unopened: number;
}

type Row = Readonly<Record<string, string>>;

interface Place {
	readonly table: string;
	/** The column with sealed texts. */
	readonly column: string;
	/** Which of the rows may still be needed. */
	readonly where: string;
	/** Where they were sealed for: nowhere else can they be opened. */
	readonly context: (row: Row) => string;
}

const PLACES: readonly Place[] = [
	{
		...{ table: "definitions", column: "body", where: "deleted = 0" },
		context: ({ kind, project, id }) => (kind === DATA_REQUEST_KIND ? requestContext(project!, id!) : project!),
	},
	{
		...{ table: "alert_deliveries", column: "target" },
		// Whoever was told of something is told of its end, at the same place.
		where: "created_at > now() - INTERVAL 100 DAY",
		context: ({ project }) => project!,
	},
];

/**
 * What somebody changes meanwhile stays as they have it: what is written here is one version newer than what was read, and theirs,
 * by the clock, are newer still. Done twice, or by two at once, it comes to the same.
 */
export async function resealAll(client: ClickHouse, box: SecretBox): Promise<Resealed> {
	const sum = { resealed: 0, unopened: 0 };
	for (const { table, column, where, context } of PLACES) {
		const result = await client.query({
			query: `SELECT * FROM ${table} FINAL WHERE ${where} AND position(${column}, {mark:String}) > 0`,
			query_params: { mark: "tm1." },
			format: "JSONEachRow",
		});
		const values: object[] = [];
		for (const row of await result.json<Row>()) {
			const { text, resealed, unopened } = box.reseal(row[column]!, context(row));
			sum.resealed += resealed;
			sum.unopened += unopened;
			if (resealed > 0) values.push({ ...row, [column]: text, version: String(BigInt(row.version!) + 1n) });
		}
		if (values.length > 0) await client.insert({ table, values, format: "JSONEachRow" });
	}
	return sum;
}
