/** SQL text with its parameters, and the guard that keeps every project to itself. */

/** Tables whose rows belong to projects. Outside of `from` their names may not stand in any query. */
export const TENANT_TABLES = [
	"series",
	"points",
	"cumulative",
	...["1m", "5m", "15m", "1h", "1d"].flatMap((step) => [`rollup_${step}`, `sketch_${step}`]),
	"sketch_total_1h",
	"sketch_total_1d",
	"events",
	"event_ids",
	"logs",
	"log_counts_1m",
	"log_patterns",
	"log_pattern_first_seen",
	"errors",
	"error_first_seen",
	"issues",
	"definitions",
	"profiles",
	"signals",
	"billing_records",
	"subscription_records",
	"quarantine",
	"identities",
	"judgements",
	"user_days",
	"session_hours",
	"event_counts_15m",
	"feature_uses_15m",
	"model_calls",
	"model_hours",
	"model_days",
	"alert_transitions",
	"alert_instances",
	"alert_delivery_attempts",
	"audit_log",
	"audit_verifications",
	"changing_calls",
	"jobs",
	"report_files",
	"report_deliveries",
] as const;

const SCOPE = "WHERE project = {project:String}";

/** Collects the values of one query; the same value of the same type is sent once. */
export class Params {
	readonly values: Record<string, unknown> = {};
	readonly #names = new Map<string, string>();

	/** The placeholder that stands for the value, such as `{p3:Float64}`. */
	add(type: string, value: unknown): string {
		const key = `${type} ${JSON.stringify(value)}`;
		let name = this.#names.get(key);
		if (name === undefined) {
			name = `p${this.#names.size}`;
			this.#names.set(key, name);
			this.values[name] = value;
		}
		return `{${name}:${type}}`;
	}
}

/** One question to the database: what runs, and what its rows mean. */
export interface Question<T> {
	/** Stands in ClickHouse's log, in errors and in `?explain=true`. */
	readonly name: string;
	readonly sql: string;
	readonly params: Params;
	readonly read: (rows: Row[]) => T;
}

/** A row as JSON: numbers as numbers, nothing undefined that was selected. */
export type Row = Readonly<Record<string, unknown>>;

/** `FROM table WHERE project = … AND (predicate)`, the only way to read a tenant's table. */
export function from(table: string, predicate?: string): string {
	return `FROM ${table} ${SCOPE}${predicate === undefined ? "" : ` AND (${predicate})`}`;
}

/** A query that reads a tenant's table in another way than `from` writes it: a mistake in the program. */
export class UnscopedQueryError extends Error {
	override readonly name = "UnscopedQueryError";
}

const TABLE = new RegExp(`\\b(?:${TENANT_TABLES.map((name) => `${name}(?:_local)?`).join("|")})\\b`, "g");
const AFTER_SCOPE = /^\s*(?:\)|$|(?:GROUP|ORDER|LIMIT|UNION|SETTINGS|FORMAT|HAVING)\b)/;

/**
 * Refuses SQL in which the name of a tenant's table stands anywhere but in `FROM table WHERE project = {project:String}`, or in
 * which that predicate could be loosened by an OR beside it.
 * @throws UnscopedQueryError
 */
export function assertScoped(sql: string): void {
	const text = blankLiterals(sql);
	for (const match of text.matchAll(TABLE)) {
		const refuse = (why: string) => {
			throw new UnscopedQueryError(`${match[0]} at ${match.index}: ${why}`);
		};
		if (!/\bFROM $/.test(text.slice(0, match.index))) refuse("does not follow FROM");
		let rest = text.slice(match.index + match[0].length);
		if (!rest.startsWith(` ${SCOPE}`)) refuse("is not followed by the project");
		rest = rest.slice(SCOPE.length + 1);
		if (rest.startsWith(" AND (")) {
			let depth = 1;
			let at = " AND (".length;
			for (; at < rest.length && depth > 0; at++) {
				if (rest[at] === "(") depth++;
				else if (rest[at] === ")") depth--;
			}
			if (depth > 0) refuse("its predicate does not end");
			rest = rest.slice(at);
		}
		if (!AFTER_SCOPE.test(rest)) refuse(`its predicate goes on with ${rest.slice(0, 20)}`);
	}
}

/** Overwrites quoted texts, quoted identifiers and comments, so that what is left is structure; positions stay. */
function blankLiterals(sql: string): string {
	return sql.replace(/'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.)*"|--[^\n]*|\/\*[\s\S]*?\*\//g, (literal) =>
		" ".repeat(literal.length),
	);
}
