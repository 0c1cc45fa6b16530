/** Which records a measure is told of, and what tells its values apart: tags of metrics, members of events and logs. */
import type { Params } from "../sql.ts";

export interface Among {
	readonly groupBy: readonly string[];
	/** Only records with these values; of a list, any. */
	readonly filter: Filter;
}

export type Filter = Readonly<Record<string, string | readonly string[]>>;

/** A value of a group in a bucket. */
export type Grouped<T> = T & {
	/** Values of `groupBy`, in their order. */
	readonly group: readonly string[];
	/** Start of the bucket, epoch seconds. */
	readonly t: number;
};

export const ALL: Among = { groupBy: [], filter: {} };

export function isAll({ groupBy, filter }: Among): boolean {
	return groupBy.length === 0 && Object.keys(filter).length === 0;
}

/** A predicate and an `Array(String)` named `group`, out of how one member of a record is written in SQL. */
export function amongSql(params: Params, { groupBy, filter }: Among, member: (quoted: string, name: string) => string) {
	const of = (name: string) => member(params.add("String", name), name);
	const equal = Object.entries(filter).map(([name, value]) =>
		typeof value === "string"
			? `${of(name)} = ${params.add("String", value)}`
			: `${of(name)} IN ${params.add("Array(String)", value)}`,
	);
	return {
		where: equal.length === 0 ? "1" : equal.join(" AND "),
		group: groupBy.length === 0 ? "[]::Array(String) AS group" : `[${groupBy.map(of).join(", ")}] AS group`,
	};
}

/** A tag of a series. */
export const tagOf = (quoted: string) => `tags[${quoted}]`;

/** A member of an event: one of its own ids, or a property, numbers as text. */
export function propertyOf(quoted: string, name: string): string {
	if (["user_id", "account_id", "session_id"].includes(name)) return name;
	return `if(mapContains(numbers, ${quoted}), toString(numbers[${quoted}]), strings[${quoted}])`;
}

/** A member of a log line; anything but its own columns is in the context. */
export function logMemberOf(quoted: string, name: string): string {
	if (name === "level" || name === "component") return `toString(${name})`;
	if (["message", "trace_id", "span_id"].includes(name)) return name;
	const path = name.startsWith("context.") ? name.slice("context.".length) : name;
	// By its name, not by its placeholder: the prefix is not part of the member.
	return `JSONExtractString(context, ${path === name ? quoted : `substring(${quoted}, ${"context.".length + 1})`})`;
}
