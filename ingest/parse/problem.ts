import type { z } from "zod";

/** Why a record was not taken. */
export class Problem {
	readonly field: string;
	readonly reason: string;

	constructor(field: string, reason: string) {
		this.field = field;
		this.reason = reason;
	}
}

/** What the contract says about a record that the hand-written check refused. */
export function explain(schema: z.ZodType, record: unknown): Problem {
	const issue = schema.safeParse(record).error?.issues[0];
	if (!issue) return new Problem("", "not a valid record");
	return describe(issue);
}

function describe(issue: z.core.$ZodIssue): Problem {
	// Of a union, the branch that went furthest into the record is the one that was meant.
	if (issue.code === "invalid_union" && issue.errors.length > 0) {
		const branches = issue.errors.flatMap((issues) => (issues[0] ? [issues[0]] : []));
		const meant = branches.sort((a, b) => b.path.length - a.path.length)[0];
		if (meant) return describe({ ...meant, path: [...issue.path, ...meant.path] });
	}
	return new Problem(issue.path.map(String).join("."), issue.message);
}
