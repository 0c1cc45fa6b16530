import type { z } from "zod";
import { notFound } from "../../../http/errors.ts";
import { parseStack } from "../../../schema/stack/index.ts";
import { ERROR_TIMEFRAMES, type IssueAnswer, type issueQuery } from "../../../schema/wire/index.ts";
import { errorAnswer, ISSUE_METHODS, issueShown } from "../../common/issues.ts";
import { growth } from "../../growth.ts";
import { type ErrorWindow, errorSamples, errorTotals, latestErrors } from "../../measures/errors.ts";
import {
	decimalOf,
	type IssueState,
	issueCounts,
	issueCountsFrom,
	issueOf,
	issueStates,
	issuesEver,
} from "../../measures/issues.ts";
import { signals } from "../../measures/signals.ts";
import { type Needs, withMeta } from "../../meta.ts";
import { assertLogsKept, logsKeptFrom } from "../../plan/plan.ts";
import type { Asking } from "../../route.ts";
import { precedingSpan } from "../../time/period.ts";
import { resolveGrid, resolveWindow } from "../../time/window.ts";

const NEEDS: Needs = {
	affected_users: { any: ["error"], with: "user_id" },
	component: { any: ["error"], with: "component" },
	culprit: { any: ["error"], with: "stack_trace" },
	chain: { any: ["error"], with: "stack_trace" },
};

/**
 * One issue of the project, over a window.
 * @param state what somebody just made of it, which the database may not show everywhere yet
 * @throws ApiError 404 when there was no error of it before `as_of`
 */
export async function oneIssue(
	{ asker, now, reach }: Asking,
	query: z.infer<typeof issueQuery>,
	issue_id: string,
	state?: IssueState,
): Promise<IssueAnswer> {
	if (!isIssueId(issue_id)) throw notFound("Issue");
	const rules = { timeframes: ERROR_TIMEFRAMES, defaultTimeframe: "24h", now } as const;
	// As in the list the window begins when it says; the first bucket may have begun before.
	const window = resolveWindow(query, rules);
	const { buckets } = resolveGrid(query, rules);
	const [sent, states, everById] = await Promise.all([
		asker.ask(signals(window.as_of)),
		asker.ask(issueStates(window.as_of)),
		asker.ask(issuesEver([issue_id])),
	]);
	const ever = everById.get(issue_id);
	if (!ever || ever.first_seen >= window.as_of) throw notFound("Issue");
	const first = sent.firstRecord();
	assertLogsKept("Errors", Math.max(window.start, first ?? window.start), { now, reach });
	const previousStart = precedingSpan(window).start;
	const span: ErrorWindow = { start: window.start, end: window.end, previousStart, as_of: window.as_of };
	const [totals, row, later, counts, latest] = await Promise.all([
		asker.ask(errorTotals(span)),
		asker.ask(issueOf(span, issue_id)),
		asker.ask(issueCountsFrom(window.as_of, [issue_id])),
		asker.ask(issueCounts(issue_id, window, buckets)),
		asker.ask(latestErrors(decimalOf(issue_id), window, query.limit)),
	]);
	const samples = row ? await asker.ask(errorSamples([row])) : undefined;
	const sample = row && samples?.get(`${row.last_seen} ${row.last_id}`);
	const known = state ?? states.get(issue_id);
	const count = row?.count ?? 0;
	const comparable = previousStart >= logsKeptFrom({ now, reach });
	const answer = {
		...issueShown({
			...{ issue_id, count, state: known, ever, later: later.get(issue_id) ?? 0, sample },
			last_seen: row?.last_seen ?? (ever.last_seen < window.as_of ? ever.last_seen : null),
			users: totals.users > 0 || totals.count === 0 ? (row?.users ?? 0) : null,
			growth: comparable ? growth(count, row?.before ?? 0, { sent, previousStart }) : null,
		}),
		timeframe: window.timeframe,
		granularity: buckets.granularity,
		chain: parseStack(sample?.stack ?? "").map(({ type, message, frames }, i) => ({
			type: (i === 0 ? sample!.error_type : type) || null,
			message: (i === 0 ? sample!.message.split(/\r?\n/)[0]! : message) || null,
			frames: frames.map((frame) => ({
				module: frame.module || null,
				function: frame.function || null,
				in_app: frame.inApp,
			})),
		})),
		counts: buckets.starts.map((at, i) => ({
			timestamp: new Date(at * 1_000).toISOString(),
			count: counts.get(at) ?? 0,
			...(at * 1_000 < window.start || (buckets.starts[i + 1] ?? buckets.end) * 1_000 > window.end
				? { partial: true as const }
				: {}),
		})),
		occurrences: latest.map(errorAnswer),
		changes: [...(known?.changes ?? [])],
	};
	const through = sent.dataThrough("error");
	const parts = { window, data_through: through, methods: ISSUE_METHODS, source: "raw" } as const;
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

export function isIssueId(text: string): boolean {
	return /^[0-9a-f]{16}$/.test(text);
}
