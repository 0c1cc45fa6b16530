import type { z } from "zod";
import { badParameter } from "../../../http/errors.ts";
import {
	ERROR_TIMEFRAMES,
	ISSUE_STATUSES,
	type IssueStatus,
	type IssuesAnswer,
	issuesAnswer,
	issuesQuery,
} from "../../../schema/wire/index.ts";
import { ISSUE_METHODS, issueShown } from "../../common/issues.ts";
import { decodePlace, encodePlace } from "../../common/page.ts";
import { growth } from "../../growth.ts";
import { type ErrorSample, type ErrorWindow, errorSamples, errorTotals } from "../../measures/errors.ts";
import { type IssueEver, issueCountsFrom, issuePage, issueStates, issuesEver } from "../../measures/issues.ts";
import { signals } from "../../measures/signals.ts";
import { type Needs, withMeta } from "../../meta.ts";
import { assertLogsKept, logsKeptFrom } from "../../plan/plan.ts";
import { type Asking, listOf, read } from "../../route.ts";
import { precedingSpan } from "../../time/period.ts";
import { resolveWindow } from "../../time/window.ts";

const NEEDS: Needs = {
	total_issues: "error",
	issues: "error",
	"issues[].affected_users": { any: ["error"], with: "user_id" },
	"issues[].component": { any: ["error"], with: "component" },
	"issues[].culprit": { any: ["error"], with: "stack_trace" },
};

/** `GET /v1/monitoring/issues` */
export const issuesRead = read({
	path: "/v1/monitoring/issues",
	summary:
		"Issues with an error in the window: what fails, since when, whom it meets, and whether somebody took care of it",
	description:
		"Errors of one fingerprint are an issue: the type and the top calls of the program's own, of the causes too, whatever the lines, columns, hashes, hosts and folders are; without a stack the type and the message. An issue that was resolved and has an error that happened after that is regressed.",
	query: issuesQuery,
	answer: issuesAnswer,
	needs: NEEDS,
	ask: issues,
});

async function issues(asking: Asking, query: z.infer<typeof issuesQuery>): Promise<IssuesAnswer> {
	const { asker, now, reach } = asking;
	const statuses = statusList(query.status);
	// The next page is of the same instant, or issues would move between pages.
	const [offset = 0, turned] = decodePlace(query.cursor, 2) ?? [];
	const as_of = query.as_of ?? (turned === undefined ? undefined : new Date(turned).toISOString());
	const window = resolveWindow({ ...query, as_of }, { timeframes: ERROR_TIMEFRAMES, defaultTimeframe: "24h", now });
	const [sent, states] = await Promise.all([asker.ask(signals(window.as_of)), asker.ask(issueStates(window.as_of))]);
	const first = sent.firstRecord();
	assertLogsKept("Errors", Math.max(window.start, first ?? window.start), { now, reach });
	const previousStart = precedingSpan(window).start;
	const span: ErrorWindow = { start: window.start, end: window.end, previousStart, as_of: window.as_of };
	const filter = { statuses, component: query.component, text: query.query };
	const [totals, page] = await Promise.all([
		asker.ask(errorTotals(span)),
		asker.ask(issuePage(span, states, filter, { sort: query.sort, offset, limit: query.limit })),
	]);
	const ids = page.rows.map(({ issue_id }) => issue_id);
	const [ever, later, samples] =
		ids.length === 0
			? [new Map<string, IssueEver>(), new Map<string, number>(), new Map<string, ErrorSample>()]
			: await Promise.all([
					asker.ask(issuesEver(ids)),
					asker.ask(issueCountsFrom(window.as_of, ids)),
					asker.ask(errorSamples(page.rows)),
				]);
	const instrumented = sent.names("error").length > 0;
	// Nobody says whom they met: that is not the same as that they met nobody.
	const usersKnown = instrumented && (totals.users > 0 || totals.count === 0);
	const comparable = previousStart >= logsKeptFrom({ now, reach });
	const total =
		page.rows.length > 0 || offset === 0
			? page.total
			: (await asker.ask(issuePage(span, states, filter, { sort: query.sort, offset: 0, limit: 1 }))).total;
	const answer = {
		timeframe: window.timeframe,
		total_issues: instrumented ? total : null,
		issues: page.rows.map((row) =>
			issueShown({
				...row,
				state: states.get(row.issue_id),
				ever: ever.get(row.issue_id),
				later: later.get(row.issue_id) ?? 0,
				sample: samples.get(`${row.last_seen} ${row.last_id}`),
				users: usersKnown ? row.users : null,
				growth: comparable ? growth(row.count, row.before, { sent, previousStart }) : null,
			}),
		),
		next_cursor: offset + query.limit < total ? encodePlace([offset + query.limit, window.as_of]) : null,
	};
	const methods = Object.fromEntries(Object.entries(ISSUE_METHODS).map(([field, how]) => [`issues[].${field}`, how]));
	const through = sent.dataThrough("error");
	return withMeta(answer, { window, data_through: through, methods, source: "raw" }, { needs: NEEDS, sent });
}

/** @throws ApiError 400 */
function statusList(text: string | undefined): IssueStatus[] | undefined {
	const names = listOf(text);
	if (names.length === 0) return undefined;
	return names.map((name) => {
		const status = ISSUE_STATUSES.find((known) => known === name);
		if (status) return status;
		throw badParameter({ parameter: "status", provided: name, valid_options: ISSUE_STATUSES });
	});
}
