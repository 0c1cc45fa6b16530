/** Evidence that Tidemark has of itself: keys, alerts, retention, long work. Times in milliseconds since the epoch. */
import { at } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";

export interface Span {
	readonly start: number;
	/** Not included. */
	readonly end: number;
}

const ms = (expression: string) => `toUnixTimestamp64Milli(${expression})`;

export interface KeyRecord {
	readonly key_id: string;
	readonly name: string;
	readonly roles: readonly string[];
	readonly created_at: number;
	/** When it got the text that it had then: made, or rotated. */
	readonly rotated_at: number;
	readonly expires_at: number | null;
	readonly revoked_at: number | null;
	readonly last_used_at: number | null;
}

/** Keys that were made before an instant, as far as is still known what they were then. */
export function keyRecords(before: number): Question<KeyRecord[]> {
	const params = new Params();
	const end = at(params, before);
	return {
		name: "key_records",
		params,
		sql: `SELECT id, argMaxIf(body, version, kind = 'key') AS stored, argMaxIf(body, version, kind = 'key_use') AS use,
	${ms("minIf(created_at, kind = 'key')")} AS created_ms, ${ms("argMaxIf(updated_at, version, kind = 'key')")} AS changed_ms
${from("definitions", `kind IN ('key', 'key_use') AND created_at < ${end}`)}
GROUP BY id HAVING stored != '' ORDER BY created_ms, id`,
		read: (rows) =>
			rows.map((row) => {
				const body = JSON.parse(row.stored as string) as {
					name: string;
					roles: string[];
					retired: unknown[];
					rotations?: number[];
					expires_at: number | null;
					revoked_at: number | null;
				};
				const use = row.use === "" ? null : (JSON.parse(row.use as string) as { last_used_at: number }).last_used_at;
				const { name, roles, expires_at, revoked_at } = body;
				const created_at = Number(row.created_ms);
				// One that was rotated before rotations were noted: revoking changes a key too, and gives it no new text.
				const once = revoked_at === null && body.retired.length > 0 ? [Number(row.changed_ms)] : [];
				const rotated_at = (body.rotations ?? once).findLast((rotation) => rotation < before) ?? created_at;
				return {
					...{ key_id: row.id as string, name, roles, created_at, rotated_at, expires_at, revoked_at },
					last_used_at: use,
				};
			}),
	};
}

/** Whether a key could be used at an instant. */
export function isActiveAt({ created_at, expires_at, revoked_at }: KeyRecord, instant: number): boolean {
	return created_at < instant && (expires_at ?? instant) >= instant && (revoked_at ?? instant) >= instant;
}

export interface DefinitionBody {
	readonly id: string;
	readonly body: unknown;
	readonly made: number;
	readonly changed: number;
}

/** Bodies of definitions of a kind, oldest first, made before an instant. */
export function definitionBodies(kind: string, before: number): Question<DefinitionBody[]> {
	const params = new Params();
	const of = `kind = ${params.add("String", kind)} AND created_at < ${at(params, before)}`;
	return {
		name: "definition_bodies",
		params,
		sql: `SELECT id, argMax(body, version) AS stored, argMax(deleted, version) AS gone, ${ms("min(created_at)")} AS made,
	${ms("argMax(updated_at, version)")} AS changed
${from("definitions", of)} GROUP BY id HAVING NOT gone ORDER BY made, id`,
		read: (rows) =>
			rows.map((row) => ({
				...{
					id: row.id as string,
					body: JSON.parse(row.stored as string) as unknown,
					made: Number(row.made),
					changed: Number(row.changed),
				},
			})),
	};
}

/** Definitions of any kind with a sealed text in their body, made before an instant. */
export function sealedDefinitions(before: number): Question<{ kind: string; id: string; body: string }[]> {
	const params = new Params();
	return {
		name: "sealed_definitions",
		params,
		sql: `SELECT kind, id, argMax(body, version) AS stored, argMax(deleted, version) AS gone
${from("definitions", `created_at < ${at(params, before)}`)} GROUP BY kind, id HAVING NOT gone AND position(stored, 'tm1.') > 0 ORDER BY kind, id`,
		read: (rows) =>
			rows.map(({ kind, id, stored }) => ({ kind: kind as string, id: id as string, body: stored as string })),
	};
}

export interface OldRows {
	readonly table: string;
	readonly rows: number;
	readonly oldest: number;
}

/** Rows of the raw tables that are older than they may be. @param limits by table */
export function rowsBefore(limits: Readonly<Record<string, number>>): Question<OldRows[]> {
	const params = new Params();
	const sides = Object.entries(limits).map(
		([table, limit]) =>
			`SELECT ${params.add("String", table)} AS of, count() AS n, ${ms("min(ts)")} AS oldest ${from(table, `ts < ${at(params, limit)}`)}`,
	);
	return {
		name: "rows_before",
		params,
		sql: `SELECT of, n, oldest FROM (${sides.join(" UNION ALL ")}) WHERE n > 0 ORDER BY of`,
		read: (rows) => rows.map(({ of, n, oldest }) => ({ table: of as string, rows: Number(n), oldest: Number(oldest) })),
	};
}

export interface AnsweredFiring {
	readonly firing_id: string;
	readonly alert_id: string;
	readonly severity: string;
	readonly fired_at: number;
	/** First of the two; null while there is none. */
	readonly acknowledged_at: number | null;
	readonly resolved_at: number | null;
}

/** Firings that began in a window, with how they were answered before its end. */
export function answeredFirings({ start, end }: Span, limit: number): Question<AnsweredFiring[]> {
	const params = new Params();
	const [since, until] = [at(params, start), at(params, end)];
	const first = (condition: string) => `${ms(`minIf(ts, ${condition})`)}`;
	return {
		name: "answered_firings",
		params,
		sql: `SELECT firing_id, any(alert_id) AS of, any(severity) AS how, ${first("notice = 'fire'")} AS fired,
	countIf(notice = 'fire') AS fires, ${first("kind = 'acknowledge'")} AS acknowledged, countIf(kind = 'acknowledge') AS acknowledgements,
	${first("notice = 'resolve'")} AS resolved, countIf(notice = 'resolve') AS resolves
${from("alert_transitions", `firing_id != '' AND ts >= ${since} AND ts < ${until}`)}
GROUP BY firing_id HAVING fires > 0 ORDER BY fired, firing_id LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) =>
			rows.map((row) => ({
				...{ firing_id: row.firing_id as string, alert_id: row.of as string, severity: row.how as string },
				fired_at: Number(row.fired),
				acknowledged_at: Number(row.acknowledgements) > 0 ? Number(row.acknowledged) : null,
				resolved_at: Number(row.resolves) > 0 ? Number(row.resolved) : null,
			})),
	};
}

export interface JobRecord {
	readonly kind: string;
	readonly job_id: string;
	readonly of: string;
	readonly created_at: number;
	/** Null: it was not over before the end of the window. */
	readonly finished_at: number | null;
	readonly status: "completed" | "failed" | "cancelled" | "open";
	readonly error: string | null;
}

/** Long work that was asked for in a window, oldest first, as it stood at its end. */
export function jobRecords(
	{ start, end }: Span,
	kinds: readonly string[] | undefined,
	limit: number,
): Question<JobRecord[]> {
	const params = new Params();
	const of = kinds === undefined ? "1" : `kind IN ${params.add("Array(String)", kinds)}`;
	const until = at(params, end);
	return {
		name: "job_records",
		params,
		sql: `SELECT kind, job_id, anyIf(of, fact = 'asked') AS of_id, ${ms("minIf(recorded_at, fact = 'asked')")} AS asked_ms,
	countIf(fact = 'over') AS ends, ${ms("argMinIf(recorded_at, version, fact = 'over')")} AS over_ms,
	argMinIf(body, version, fact = 'over') AS outcome
${from("jobs", `${of} AND recorded_at < ${until}`)}
GROUP BY kind, job_id HAVING asked_ms >= ${params.add("Int64", start)} ORDER BY asked_ms, kind, job_id LIMIT ${params.add("UInt32", limit)}`,
		read: (rows) =>
			rows.map((row) => {
				const outcome = (row.outcome === "" ? {} : JSON.parse(row.outcome as string)) as {
					status?: "completed" | "failed" | "cancelled";
					error?: string;
				};
				return {
					...{ kind: row.kind as string, job_id: row.job_id as string, of: row.of_id as string },
					...{ created_at: Number(row.asked_ms), finished_at: Number(row.ends) > 0 ? Number(row.over_ms) : null },
					...{ status: outcome.status ?? "open", error: outcome.error ?? null },
				};
			}),
	};
}

/** Days (UTC) on which the audit log got entries, with the last place of each. */
export function auditDays({ start, end }: Span): Question<{ day: number; last_seq: number }[]> {
	const params = new Params();
	return {
		name: "audit_days",
		params,
		sql: `SELECT toUnixTimestamp(toStartOfDay(ts)) AS day_s, max(seq) AS last_seq
${from("audit_log", `ts >= ${at(params, start)} AND ts < ${at(params, end)}`)} GROUP BY day_s ORDER BY day_s`,
		read: (rows) => rows.map((row) => ({ day: Number(row.day_s) * 1_000, last_seq: Number(row.last_seq) })),
	};
}
