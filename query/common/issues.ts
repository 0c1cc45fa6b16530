/** Issues as answers show them: a sample of their errors, and the status that they have. */
import { culpritOf, parseStack } from "../../schema/stack/index.ts";
import type { Issue, IssueAnswer, IssueStatus } from "../../schema/wire/index.ts";
import type { ErrorSample } from "../measures/errors.ts";
import {
	type IssueEver,
	type IssueState,
	issueStates,
	issuesEver,
	issuesLastSeen,
	statusOf,
} from "../measures/issues.ts";
import { percentOf } from "../rounding.ts";
import type { Asker } from "../run.ts";

export function errorAnswer(sample: ErrorSample): IssueAnswer["occurrences"][number] {
	return {
		error_id: sample.id,
		issue_id: sample.issue_id,
		timestamp: new Date(sample.ts).toISOString(),
		error_type: sample.error_type,
		severity: sample.severity,
		component: sample.component || null,
		message: sample.message,
		stack_trace: sample.stack || null,
		context: sample.context ? (JSON.parse(sample.context) as Record<string, unknown>) : {},
		user_id: sample.user_id || null,
		trace_id: sample.trace_id || null,
	};
}

const TITLE_CHARACTERS = 200;

/** `Type: first line of the message` */
function titleOf(type: string, message: string): string {
	const line = message.split(/\r?\n/).find((one) => one.trim() !== "") ?? "";
	const title = line.startsWith(type) || line === "" ? line || type : `${type}: ${line}`;
	const characters = [...title.slice(0, 2 * TITLE_CHARACTERS)];
	return characters.length > TITLE_CHARACTERS ? `${characters.slice(0, TITLE_CHARACTERS - 1).join("")}…` : title;
}

/** Errors of before culprits were stored are read again. */
function culpritOfSample({ culprit, stack }: ErrorSample): string | null {
	return culprit || (stack === "" ? null : culpritOf(parseStack(stack)) || null);
}

/** How its parts are made, by field. */
export const ISSUE_METHODS = {
	issue_id: "type and top calls of the program's own, of causes too (rules 2); without calls type and masked message",
	trend_percentage: "the window of the same length before",
};

/** What an answer shows of an issue. */
export interface IssueParts {
	readonly issue_id: string;
	readonly count: number;
	/** Null when errors do not say whom they met. */
	readonly users: number | null;
	/** A ratio. */
	readonly growth: number | null;
	/** Milliseconds since the epoch; null when it is not known. */
	readonly last_seen: number | null;
	readonly state: IssueState | undefined;
	readonly ever: IssueEver | undefined;
	/** Errors at or after `as_of`. */
	readonly later: number;
	/** Its latest error; undefined when that is no longer kept. */
	readonly sample: ErrorSample | undefined;
}

export function issueShown({ issue_id, count, last_seen, ever, sample, ...parts }: IssueParts): Issue {
	const type = sample?.error_type ?? ever?.error_type ?? "";
	// A view may be behind its table for a moment.
	const first = Math.min(...[ever?.first_seen, last_seen, sample?.ts].filter((ms) => typeof ms === "number"));
	return {
		issue_id,
		title: titleOf(type, sample?.message ?? ever?.message ?? ""),
		type,
		culprit: sample ? culpritOfSample(sample) : null,
		component: (sample ? sample.component : ever?.component) || null,
		severity: sample?.severity ?? null,
		status: statusOf(parts.state, last_seen),
		first_seen: new Date(first).toISOString(),
		last_seen: last_seen === null ? null : new Date(last_seen).toISOString(),
		count,
		count_ever: Math.max((ever?.count ?? 0) - parts.later, count),
		affected_users: parts.users,
		trend_percentage: percentOf(parts.growth),
		sample: sample ? errorAnswer(sample) : null,
	};
}

/** When these issues had their last error before an instant, milliseconds since the epoch; absent where that error is no longer kept. */
export async function lastSeenBefore(
	asker: Asker,
	instant: number,
	issues: readonly string[],
): Promise<ReadonlyMap<string, number>> {
	if (issues.length === 0) return new Map();
	const ever = await asker.ask(issuesEver(issues));
	const last = new Map([...ever].map(([id, { last_seen }]) => [id, last_seen]));
	const later = issues.filter((id) => (last.get(id) ?? 0) >= instant);
	for (const id of later) last.delete(id);
	const found = later.length === 0 ? [] : await asker.ask(issuesLastSeen(instant, later));
	return new Map([...last, ...found]);
}

/** The status of each of these issues as of an instant. */
export async function statusesOf(
	asker: Asker,
	as_of: number,
	issues: readonly string[],
): Promise<ReadonlyMap<string, IssueStatus>> {
	const all = [...new Set(issues)];
	const states = all.length === 0 ? new Map() : await asker.ask(issueStates(as_of));
	const last = await lastSeenBefore(
		asker,
		as_of,
		all.filter((id) => states.get(id)?.status === "resolved"),
	);
	return new Map(all.map((id) => [id, statusOf(states.get(id), last.get(id) ?? null)]));
}
