/** Services the system stands on: databases, circuit breakers, processes. */
import { between, seriesRows } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { planOf, type Scope } from "./scope.ts";
import { named } from "./series.ts";

export const DB_DURATION = "db.client.operation.duration";
export const DB_CONNECTIONS = "db.client.connection.count";
export const DB_CONNECTIONS_MAX = "db.client.connection.max";
export const BREAKER_EVENT = "circuit_breaker.state_changed";
export const PROCESS_EVENT = "process.started";
export const TRANSACTION_EVENT = "token.transaction";

/** Mean duration of database operations over the scope, in milliseconds; null without one. */
export function databaseLatency(scope: Scope): Question<number | null> {
	const params = new Params();
	const rows = seriesRows(params, { plan: planOf(scope), where: named(params, [DB_DURATION]), columns: ["n", "sum"] });
	return {
		name: "database_latency",
		params,
		sql: `SELECT 1000 * sum(sum) / sum(n) AS mean_ms FROM ${rows} HAVING sum(n) > 0`,
		read: (found) => (found[0]?.mean_ms as number | undefined) ?? null,
	};
}

/** Latest state of each circuit breaker that ever changed. */
export function circuitBreakers(scope: Scope): Question<Record<string, string>> {
	const params = new Params();
	return {
		name: "circuit_breakers",
		params,
		sql: `SELECT strings['name'] AS breaker, argMax(strings['to'], (ts, id)) AS state
${from("events", `event = '${BREAKER_EVENT}' AND ${between(params, "ts", 0, scope.end)} AND strings['name'] != ''`)}
GROUP BY breaker ORDER BY breaker`,
		read: (rows) => Object.fromEntries(rows.map((row) => [row.breaker as string, row.state as string])),
	};
}

/** Start of the process that started last, milliseconds since the epoch; null when none ever said so. */
export function processStarted(scope: Scope): Question<number | null> {
	const params = new Params();
	return {
		name: "process_started",
		params,
		sql: `SELECT toUnixTimestamp64Milli(max(ts)) AS at
${from("events", `event = '${PROCESS_EVENT}' AND ${between(params, "ts", 0, scope.end)}`)} HAVING count() > 0`,
		read: (rows) => (rows[0]?.at as number | undefined) ?? null,
	};
}

/** Token transactions over the scope by component (`""` for none). */
export function transactions(scope: Scope): Question<Map<string, number>> {
	const params = new Params();
	return {
		name: "transactions",
		params,
		sql: `SELECT strings['component'] AS component, count() AS n
${from("events", `event = '${TRANSACTION_EVENT}' AND ${between(params, "ts", scope.start, scope.end)}`)} GROUP BY component`,
		read: (rows) => new Map(rows.map((row) => [row.component as string, row.n as number])),
	};
}
