import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import {
	ERROR_GROUPINGS,
	ERROR_TIMEFRAMES,
	type ErrorAnalysisAnswer,
	type ErrorGroupAnswer,
	errorAnalysisAnswer,
	errorAnalysisQuery,
	type IssueStatus,
} from "../../schema/wire/index.ts";
import { errorAnswer, statusesOf } from "../common/issues.ts";
import { decodePlace, encodePlace } from "../common/page.ts";
import { growth } from "../growth.ts";
import {
	ERROR_COLUMNS,
	type ErrorGroup,
	type ErrorKey,
	type ErrorSample,
	type ErrorWindow,
	errorGroupCount,
	errorGroups,
	errorSamples,
	errorsFirstSeen,
	errorTotals,
	isByColumns,
	MAX_GROUPS,
} from "../measures/errors.ts";
import type { Scope } from "../measures/scope.ts";
import { signals } from "../measures/signals.ts";
import { HTTP_NAMES, totalOf, traffic } from "../measures/traffic.ts";
import { type Needs, withMeta } from "../meta.ts";
import { assertLogsKept, logsKeptFrom, RetentionError } from "../plan/plan.ts";
import { largestRemainder, percentOf, significant } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import type { Asker } from "../run.ts";
import { precedingSpan } from "../time/period.ts";
import { resolveWindow } from "../time/window.ts";

const MAX_KEYS = 10;
const WITH_USER = { any: ["error"], with: "user_id" };
const NEEDS: Needs = {
	total_errors: "error",
	total_groups: "error",
	groups: "error",
	affected_users: WITH_USER,
	"groups[].affected_users": WITH_USER,
	"groups[].rate_per_1k_requests": HTTP_NAMES.map((name) => `metric ${name}`),
};

/** `GET /v1/monitoring/errors/analysis` */
export const errorAnalysisRead = read({
	path: "/v1/monitoring/errors/analysis",
	summary: "Errors in groups: how many, whom they met, since when, and whether they become more",
	description:
		"Without group_by by error_type. first_seen is ever, last_seen in the window. A group's trend_percentage compares with the window of the same length before; it is null when there were none, or when the project's first record is later than that window's start.",
	query: errorAnalysisQuery,
	answer: errorAnalysisAnswer,
	needs: NEEDS,
	ask: errorAnalysis,
});

async function errorAnalysis(asking: Asking, query: z.infer<typeof errorAnalysisQuery>): Promise<ErrorAnalysisAnswer> {
	const { asker, now, reach } = asking;
	const asked = groupings(query.group_by);
	const keys = [...asked.values()];
	// The next page is of the same instant, or groups would move between pages.
	const [offset = 0, turned] = decodePlace(query.cursor, 2) ?? [];
	const as_of = query.as_of ?? (turned === undefined ? undefined : new Date(turned).toISOString());
	const window = resolveWindow({ ...query, as_of }, { timeframes: ERROR_TIMEFRAMES, defaultTimeframe: "24h", now });
	const sent = await asker.ask(signals(window.as_of));
	const first = sent.firstRecord();
	assertLogsKept("Errors", Math.max(window.start, first ?? window.start), { now, reach });
	const previousStart = precedingSpan(window).start;
	const span: ErrorWindow = { start: window.start, end: window.end, previousStart, as_of: window.as_of };
	const [totals, all, requests] = await Promise.all([
		asker.ask(errorTotals(span)),
		asker.ask(errorGroups(span, keys)),
		requestsOf(asker, { start: window.start, end: window.end, now, reach }),
	]);
	const total_groups = all.length < MAX_GROUPS ? all.length : await asker.ask(errorGroupCount(span, keys));
	const page = all.slice(offset, offset + query.limit);
	const [since, samples] =
		page.length === 0
			? [[], new Map<string, ErrorSample>()]
			: await Promise.all([asker.ask(errorsFirstSeen(window.end, keys, page)), asker.ask(errorSamples(page))]);
	const issues = [...samples.values()].map(({ issue_id }) => issue_id);
	const statuses = await statusesOf(asker, window.as_of, issues);
	const rest = totals.count - all.reduce((sum, group) => sum + group.count, 0);
	const percentages = largestRemainder([...all.map(({ count }) => count), Math.max(0, rest)], 100, 1);
	const comparable = previousStart >= logsKeptFrom({ now, reach });
	const instrumented = sent.names("error").length > 0;
	// Nobody says whom they met: that is not the same as that they met nobody.
	const usersKnown = instrumented && (totals.users > 0 || totals.count === 0);
	const groups = page.map((group, i): ErrorGroupAnswer => {
		const change = comparable ? growth(group.count, group.before, { sent, previousStart }) : null;
		return {
			...Object.fromEntries([...asked].map(([name, key], k) => [name, keyValue(key, group.keys[k]!)])),
			count: group.count,
			percentage: percentages[offset + i]!,
			affected_users: usersKnown ? group.users : null,
			first_seen: new Date(since[i]!).toISOString(),
			last_seen: new Date(group.last_seen).toISOString(),
			trend_percentage: percentOf(change),
			rate_per_1k_requests: requests ? significant((1_000 * group.count) / requests) : null,
			sample: sampleOf(group, samples, statuses),
		};
	});
	const answer = {
		timeframe: window.timeframe,
		total_errors: instrumented ? totals.count : null,
		affected_users: usersKnown ? totals.users : null,
		total_groups: instrumented ? total_groups : null,
		groups,
		next_cursor: offset + query.limit < all.length ? encodePlace([offset + query.limit, window.as_of]) : null,
	};
	const methods = {
		"groups[].first_seen": isByColumns(keys) ? "ever" : "within the retention of errors",
		"groups[].trend_percentage": "the window of the same length before",
	};
	const through = sent.dataThrough("error");
	return withMeta(answer, { window, data_through: through, methods, source: "raw" }, { needs: NEEDS, sent });
}

/** 0 when nothing is known of them, also because they are no longer kept. */
async function requestsOf(asker: Asker, scope: Scope): Promise<number> {
	try {
		return totalOf((await asker.ask(traffic(scope))).values()).requests;
	} catch (error) {
		if (error instanceof RetentionError) return 0;
		throw error;
	}
}

/** The keys of a request by their names in it. */
function groupings(text: string | undefined): Map<string, ErrorKey> {
	const names = listOf(text);
	const keys = new Map<string, ErrorKey>();
	for (const name of names.length === 0 ? ["error_type"] : names) {
		const column = ERROR_COLUMNS.find((known) => known === (name === "fingerprint" ? "issue_id" : name));
		const path = /^context\.(.+)$/s.exec(name)?.[1];
		if (column === undefined && path === undefined) {
			throw badParameter({ parameter: "group_by", provided: name, valid_options: [...ERROR_GROUPINGS, "context.x"] });
		}
		keys.set(name, column === undefined ? { context: path! } : { column });
	}
	if (keys.size <= MAX_KEYS) return keys;
	throw badParameter({
		parameter: "group_by",
		provided: `${keys.size} names`,
		valid_options: [`at most ${MAX_KEYS} names`],
	});
}

function keyValue(key: ErrorKey, text: string): unknown {
	if (text === "") return null;
	return "column" in key ? text : JSON.parse(text);
}

function sampleOf(
	group: ErrorGroup,
	samples: ReadonlyMap<string, ErrorSample>,
	statuses: ReadonlyMap<string, IssueStatus>,
): ErrorGroupAnswer["sample"] {
	const sample = samples.get(`${group.last_seen} ${group.last_id}`);
	// Between two questions it can grow too old to be kept.
	return sample ? { ...errorAnswer(sample), status: statuses.get(sample.issue_id) ?? "open" } : null;
}
