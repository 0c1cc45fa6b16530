/** Databases as their clients see them: durations of operations, slow ones, and how full connection pools are. */
import { between, SKETCH_ERROR, seriesRows, sketchable, unbiased } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { planOf, type Scope } from "./scope.ts";
import { named } from "./series.ts";
import { DB_CONNECTIONS, DB_CONNECTIONS_MAX, DB_DURATION } from "./services.ts";

export const SLOW_QUERY_EVENT = "db.slow_query";

/** Tags that name a database, the first that is there. */
const NAME_TAGS = ["db", "db.namespace", "db.client.connection.pool.name"] as const;
/** Of records that name none. */
const UNNAMED = "default";

/** The database that a record is about. */
export function databaseOf(tags: Readonly<Record<string, string>>): string {
	return NAME_TAGS.map((tag) => tags[tag]).find((name) => name) ?? UNNAMED;
}

/** The same in SQL. */
const databaseIn = (map: "tags" | "strings") =>
	`multiIf(${NAME_TAGS.map((tag) => `${map}['${tag}'] != '', ${map}['${tag}']`).join(", ")}, '${UNNAMED}')`;

/** The database of a series, on `tags`. */
export const DATABASE_TAG = databaseIn("tags");
const SERIES = (params: Params, names: readonly string[], columns: readonly string[] = []) =>
	`(SELECT DISTINCT series_id, ${[`${DATABASE_TAG} AS database`, ...columns].join(", ")} ${from("series", named(params, names))}) AS of`;
/** State of counted connections, on `tags`. */
export const POOL_STATE = "if(tags['state'] != '', tags['state'], tags['db.client.connection.state'])";

/** The metrics by which each database was ever known. @param as_of milliseconds since the epoch */
export function databases(as_of: number): Question<Map<string, ReadonlySet<string>>> {
	const params = new Params();
	const names = named(params, [DB_DURATION, DB_CONNECTIONS, DB_CONNECTIONS_MAX]);
	const before = `toUnixTimestamp64Milli(first_seen) < ${params.add("Int64", as_of)}`;
	return {
		name: "databases",
		params,
		sql: `SELECT ${DATABASE_TAG} AS database, groupUniqArray(name) AS names ${from("series", `${names} AND ${before}`)} GROUP BY database`,
		read: (rows) => new Map(rows.map((row) => [row.database as string, new Set(row.names as string[])])),
	};
}

export interface DatabaseOperations {
	readonly queries: number;
	readonly mean_ms: number;
}

/** Operations over the scope by database; one without an operation is absent. */
export function databaseOperations(scope: Scope): Question<Map<string, DatabaseOperations>> {
	const params = new Params();
	const rows = seriesRows(params, { plan: planOf(scope), where: named(params, [DB_DURATION]), columns: ["n", "sum"] });
	return {
		name: "database_operations",
		params,
		sql: `SELECT database, sum(n) AS queries, 1000 * sum(sum) / sum(n) AS mean_ms
FROM ${rows} AS found INNER JOIN ${SERIES(params, [DB_DURATION])} USING (series_id) GROUP BY database`,
		read: (found) => new Map(found.map((row) => [row.database as string, row as unknown as DatabaseOperations])),
	};
}

export interface DatabaseTail {
	readonly p95_ms: number;
	/** Operations that took longer than the threshold. */
	readonly slow: number;
}

/**
 * What only raw points tell: sketches are kept by component, not by database.
 * @throws RetentionError
 */
export function databaseTail(scope: Scope, slow_ms: number): Question<Map<string, DatabaseTail>> {
	planOf(scope, true);
	const params = new Params();
	const where = `${named(params, [DB_DURATION])} AND ${between(params, "ts", scope.start, scope.end)}`;
	return {
		name: "database_tail",
		params,
		sql: `SELECT database, quantilesDD(${SKETCH_ERROR}, 0.95)(${sketchable("value * 1000")})[1] AS p95_ms,
	countIf(value * 1000 > ${params.add("Float64", slow_ms)}) AS slow
FROM (SELECT series_id, value ${from("points", where)}) AS found
INNER JOIN ${SERIES(params, [DB_DURATION])} USING (series_id) GROUP BY database`,
		read: (found) =>
			new Map(
				found.map((row) => [
					row.database as string,
					{ p95_ms: unbiased(row.p95_ms as number), slow: row.slow as number },
				]),
			),
	};
}

/** Slow queries that databases told of themselves, over the scope; databases that ever did. @param as_of milliseconds since the epoch */
export function slowQueryEvents(scope: Scope, as_of: number): Question<Map<string, number>> {
	const params = new Params();
	const inWindow = between(params, "ts", scope.start, scope.end);
	return {
		name: "slow_query_events",
		params,
		sql: `SELECT ${databaseIn("strings")} AS database, countIf(${inWindow}) AS slow
${from("events", `event = '${SLOW_QUERY_EVENT}' AND ${between(params, "ts", 0, as_of)}`)} GROUP BY database`,
		read: (rows) => new Map(rows.map((row) => [row.database as string, row.slow as number])),
	};
}

/** Connections of a database's pools together; null is what was not sent in the scope. */
export interface DatabasePool {
	/** Mean of connections in use. */
	readonly used: number | null;
	/** Most connections in use: the sum of each pool's peak, which need not be of one moment. */
	readonly peak: number | null;
	/** Mean of the most there may be. */
	readonly size: number | null;
}

/** Connections over the scope by database: the mean of each pool's samples, summed over pools. */
export function databasePools(scope: Scope): Question<Map<string, DatabasePool>> {
	const params = new Params();
	const names = [DB_CONNECTIONS, DB_CONNECTIONS_MAX];
	const rows = seriesRows(params, { plan: planOf(scope), where: named(params, names), columns: ["n", "sum", "max"] });
	const isUsed = `name = '${DB_CONNECTIONS}' AND state = 'used'`;
	return {
		name: "database_pools",
		params,
		sql: `SELECT database, sumOrNullIf(mean, ${isUsed}) AS used, sumOrNullIf(top, ${isUsed}) AS peak,
	sumOrNullIf(mean, name = '${DB_CONNECTIONS_MAX}') AS size
FROM (
	SELECT database, found.name AS name, series_id, state, sum(sum) / sum(n) AS mean, max(max) AS top
	FROM ${rows} AS found INNER JOIN ${SERIES(params, names, [`${POOL_STATE} AS state`])} USING (series_id)
	GROUP BY database, name, series_id, state
) GROUP BY database`,
		read: (found) => new Map(found.map((row) => [row.database as string, row as unknown as DatabasePool])),
	};
}
