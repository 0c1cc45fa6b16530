/** API calls and users by any attribute of events. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { type PeopleScope, resolved } from "./people.ts";

/** Values of an attribute that are told apart. */
export const BREAKDOWN_VALUES = 50;

export interface Dimension {
	readonly attribute: string;
	/** The event that is an API call here; undefined when none is. */
	readonly calls: string | undefined;
}

export interface BreakdownValue {
	/** Absent for `other` and `unknown`. */
	readonly value: string;
	readonly kind: "value" | "other" | "unknown";
	readonly calls: number;
	readonly users: number;
}

/**
 * The greatest values of each attribute, the others together, and what has none: calls without it, and users none of whose events
 * has it. An attribute that nothing has is not there.
 */
export function breakdown(
	scope: PeopleScope,
	dimensions: readonly Dimension[],
): Question<Map<string, BreakdownValue[]>> {
	const params = new Params();
	const columns = dimensions.map(({ attribute, calls }, i) => {
		const name = params.add("String", attribute);
		const value =
			attribute === "account_id"
				? "account_id"
				: `if(strings[${name}] != '', strings[${name}], if(mapContains(numbers, ${name}), toString(numbers[${name}]), ''))`;
		const isCall = calls === undefined ? "toUInt64(0)" : `toUInt64(event = ${params.add("String", calls)})`;
		return { name, value: `${value} AS v${i}`, sum: `sum(${isCall}) AS c${i}`, member: `(${name}, v${i}, c${i})` };
	});
	const calls = params.add("Array(String)", [...new Set(dimensions.flatMap((one) => one.calls ?? []))]);
	const where = `(person != 0 OR event IN ${calls}) AND event != 'user.deleted' AND ${between(params, "ts", scope.start, scope.end)}`;
	const of = (part: "value" | "sum" | "member") => columns.map((column) => column[part]).join(", ");
	// A person has few combinations of values: their events are combined before the dimensions are told apart.
	const rows = `(SELECT person, one.1 AS dim, one.2 AS value, one.3 AS calls
FROM (
	SELECT person, arrayJoin([${of("member")}]) AS one
	FROM (SELECT person, ${of("value")}, ${of("sum")} ${from("events", where)} GROUP BY person, ${columns.map((_, i) => `v${i}`).join(", ")})
))`;
	return {
		name: "breakdown",
		params,
		sql: `SELECT dim, label, kind, part, sum(ranked.calls) AS calls,
	uniqExactMerge(people) AS users
FROM (
	SELECT dim, calls, people, if(value = '', 'absent', 'there') AS part, multiIf(value = '', 'unknown', place <= ${BREAKDOWN_VALUES}, 'value', 'other') AS kind,
		if(kind = 'value', value, '') AS label
	FROM (
		SELECT *, row_number() OVER (PARTITION BY dim, value = '' ORDER BY calls DESC, n DESC, value) AS place
		FROM (
			SELECT dim, value, sum(found.calls) AS calls, uniqExactStateIf(user, user != 0) AS people, uniqExactIf(user, user != 0) AS n
			FROM ${resolved(params, rows, ["dim", "value", "calls"], scope)} AS found GROUP BY dim, value
		)
	)
) AS ranked GROUP BY GROUPING SETS ((dim, label, kind), (dim, part), (dim))`,
		read: (found) => readBreakdown(found as unknown as BreakdownRow[]),
	};
}

interface BreakdownRow extends BreakdownValue {
	readonly dim: string;
	readonly label: string;
	/** What a row is not grouped by is empty. */
	readonly part: "absent" | "there" | "";
}

function readBreakdown(rows: readonly BreakdownRow[]): Map<string, BreakdownValue[]> {
	const found = new Map<string, BreakdownValue[]>();
	for (const dim of new Set(rows.map((row) => row.dim))) {
		const own = rows.filter((row) => row.dim === dim);
		const total = own.find((row) => row.part === "" && !row.kind)?.users ?? 0;
		const having = own.find((row) => row.part === "there");
		if (having === undefined) continue;
		const values = own
			.filter((row) => row.kind)
			.map((row): BreakdownValue => {
				const users = row.kind === "unknown" ? total - having.users : row.users;
				return { value: row.label, kind: row.kind, calls: row.calls, users };
			})
			.filter((value) => value.calls > 0 || value.users > 0);
		const rank = (value: BreakdownValue) => ["value", "other", "unknown"].indexOf(value.kind);
		found.set(
			dim,
			values.sort(
				(a, b) => rank(a) - rank(b) || b.calls - a.calls || b.users - a.users || (a.value < b.value ? -1 : 1),
			),
		);
	}
	return found;
}
