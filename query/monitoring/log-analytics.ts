import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import { shown } from "../../schema/log-patterns.ts";
import {
	LOG_ANALYSIS_TIMEFRAMES,
	LOG_GROUPINGS,
	type LogAnalyticsAnswer,
	type LogPatternAnswer,
	logAnalyticsAnswer,
	logAnalyticsQuery,
} from "../../schema/wire/index.ts";
import { type CombinedPattern, combine, type UnifiedPattern, unified } from "../common/log-patterns.ts";
import { growth } from "../growth.ts";
import {
	type LogGroup,
	type LogKey,
	type LogSpan,
	logGroups,
	type PatternLines,
	patternCounts,
	patternLines,
	storedPatterns,
} from "../measures/log-patterns.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { assertLogsKept, logsKeptFrom } from "../plan/plan.ts";
import { quotient } from "../quotient.ts";
import { largestRemainder, percentOf, ratio } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import { parseInstant } from "../time/instant.ts";
import { precedingSpan } from "../time/period.ts";
import { resolveWindow } from "../time/window.ts";

const MAX_KEYS = 10;
const TOP_PATTERNS = 5;
const EXAMPLES = 3;
const NEEDS: Needs = {
	total_logs: "log",
	total_patterns: "log",
	patterns: "log",
	"patterns[].component": { any: ["log"], with: "component" },
	"patterns[].components": { any: ["log"], with: "component" },
	groups: "log",
};

/** `GET /v1/monitoring/logs/analytics` */
export const logAnalyticsRead = read({
	path: "/v1/monitoring/logs/analytics",
	summary: "Log lines by their template: which there are, which are new, and how they divide",
	description:
		"Templates are mined as lines are taken in and stored with each of them, so that counts are exact over any window. Templates that differ only in what varies are one pattern; it keeps the id of the one that was seen first. first_seen is ever, last_seen in the window. trend_percentage compares with the window of the same length before; it is null when there were none, or when the project's first record is later than that window's start.",
	query: logAnalyticsQuery,
	answer: logAnalyticsAnswer,
	needs: NEEDS,
	ask: logAnalytics,
});

async function logAnalytics(
	{ asker, now, reach }: Asking,
	query: z.infer<typeof logAnalyticsQuery>,
): Promise<LogAnalyticsAnswer> {
	const { analysis_type, limit } = query;
	const asked = groupings(query.group_by, analysis_type);
	const keys = [...asked.values()];
	const window = resolveWindow(query, { timeframes: LOG_ANALYSIS_TIMEFRAMES, defaultTimeframe: "24h", now });
	const since = sinceOf(query, window.start);
	const sent = await asker.ask(signals(window.as_of));
	const first = sent.firstRecord();
	assertLogsKept("Logs", Math.max(window.start, first ?? window.start), { now, reach });
	const span: LogSpan = { start: window.start, end: window.end, previousStart: precedingSpan(window).start };
	const [counts, stored, groups] = await Promise.all([
		asker.ask(patternCounts(span)),
		asker.ask(storedPatterns(window.as_of)),
		keys.length > 0 ? asker.ask(logGroups(span, keys)) : [],
	]);
	const patterns = unified(stored);
	const all = combine(counts, patterns);
	const total = all.reduce((sum, { count }) => sum + count, 0);
	const percentages = largestRemainder(
		all.map(({ count }) => count),
		100,
		1,
	);
	const wanted = all
		.map((pattern, i) => ({ ...pattern, percentage: percentages[i]! }))
		.filter(({ first_seen }) => analysis_type !== "new_patterns" || first_seen >= since);
	const listed = analysis_type === "frequency" ? [] : wanted.slice(0, limit);
	const lines =
		listed.length === 0 ? new Map<string, PatternLines>() : await asker.ask(patternLines(span, last(listed)));
	const comparable = span.previousStart >= logsKeptFrom({ now, reach });
	const trend = (count: number, before: number) =>
		percentOf(comparable ? growth(count, before, { sent, previousStart: span.previousStart }) : null);
	const isWanted = new Set(wanted.map(({ id }) => id));
	const instrumented = sent.names("log").length > 0;
	const answer = {
		timeframe: window.timeframe,
		analysis_type,
		total_logs: instrumented ? total : null,
		total_patterns: instrumented ? wanted.length : null,
		patterns: listed.map((pattern): LogPatternAnswer => {
			const latest = pattern.members.flatMap(({ pattern: id }) => lines.get(id) ?? []);
			latest.sort((a, b) => b.last_seen - a.last_seen);
			return {
				pattern_id: pattern.id,
				template: pattern.template === undefined ? null : shown(pattern.template),
				count: pattern.count,
				percentage: pattern.percentage,
				level: pattern.levels[0]!,
				component: pattern.components[0] ?? null,
				components: pattern.components,
				error_share: ratio(quotient(pattern.errors, pattern.count)),
				first_seen: new Date(pattern.first_seen).toISOString(),
				last_seen: new Date(latest[0]?.last_seen ?? pattern.last_minute).toISOString(),
				is_new: pattern.first_seen >= window.start,
				trend_percentage: trend(pattern.count, pattern.before),
				examples: [...new Set(latest.flatMap(({ examples }) => examples))].slice(0, EXAMPLES),
			};
		}),
		groups: grouped(groups, { asked, patterns, isWanted, total, limit }).map(({ keys: members, before, ...group }) => ({
			...members,
			...group,
			trend_percentage: analysis_type === "new_patterns" ? null : trend(group.count, before),
		})),
	};
	const methods = {
		patterns: "template id of each line at ingest (Drain, masked), no sampling",
		"patterns[].first_seen": "ever",
		"patterns[].trend_percentage": "the window of the same length before",
	};
	const parts = { window, data_through: sent.dataThrough("log"), methods, source: "raw" } as const;
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

/** Each stored pattern of these with the last minute it has lines in. */
function last(patterns: readonly CombinedPattern[]): { pattern: string; last_minute: number }[] {
	return patterns.flatMap(({ members, last_minute }) => members.filter((row) => row.last_minute === last_minute));
}

/** A group of the answer but for its trend. */
interface CountedGroup {
	readonly keys: Readonly<Record<string, unknown>>;
	readonly count: number;
	readonly before: number;
	readonly percentage: number;
	readonly total_patterns: number;
	readonly top_patterns: LogAnalyticsAnswer["groups"][number]["top_patterns"];
}

interface Grouping {
	readonly asked: ReadonlyMap<string, LogKey>;
	readonly patterns: ReadonlyMap<string, UnifiedPattern>;
	/** Ids of the patterns whose lines count. */
	readonly isWanted: ReadonlySet<string>;
	readonly total: number;
	readonly limit: number;
}

function grouped(groups: readonly LogGroup[], { asked, patterns, isWanted, total, limit }: Grouping): CountedGroup[] {
	const counted = groups
		.map(({ keys, patterns: rows, before }) => {
			const counts = new Map<string, number>();
			for (const [stored, n] of rows) {
				const id = patterns.get(stored)?.id ?? stored;
				if (isWanted.has(id)) counts.set(id, (counts.get(id) ?? 0) + n);
			}
			return { keys, before, counts, count: [...counts.values()].reduce((sum, n) => sum + n, 0) };
		})
		.filter(({ count }) => count > 0)
		.sort((a, b) => b.count - a.count);
	const rest = Math.max(0, total - counted.reduce((sum, { count }) => sum + count, 0));
	const percentages = largestRemainder([...counted.map(({ count }) => count), rest], 100, 1);
	return counted.slice(0, limit).map(({ keys, before, counts, count }, i) => ({
		keys: Object.fromEntries([...asked].map(([name, key], k) => [name, keyValue(key, keys[k]!)])),
		...{ count, before, percentage: percentages[i]!, total_patterns: counts.size },
		top_patterns: [...counts]
			.sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
			.slice(0, TOP_PATTERNS)
			.map(([id, n]) => {
				const template = patterns.get(id)?.template;
				return { pattern_id: id, template: template === undefined ? null : shown(template), count: n };
			}),
	}));
}

function keyValue(key: LogKey, text: string): unknown {
	if (text === "") return null;
	return "column" in key ? text : JSON.parse(text);
}

/** The keys of a request by their names in it. */
function groupings(text: string | undefined, analysis: LogAnalyticsAnswer["analysis_type"]): Map<string, LogKey> {
	const named = listOf(text);
	const names = named.length === 0 && analysis === "frequency" ? ["level"] : named;
	const keys = new Map<string, LogKey>();
	for (const name of names) {
		const path = name === "error_type" ? name : /^context\.(.+)$/s.exec(name)?.[1];
		const column = LOG_GROUPINGS.find((known) => known === name);
		if (path !== undefined) keys.set(name, { context: path });
		else if (column !== undefined && column !== "error_type") keys.set(name, { column });
		else throw badParameter({ parameter: "group_by", provided: name, valid_options: [...LOG_GROUPINGS, "context.x"] });
	}
	if (keys.size <= MAX_KEYS) return keys;
	throw badParameter({
		parameter: "group_by",
		provided: `${keys.size} names`,
		valid_options: [`at most ${MAX_KEYS} names`],
	});
}

/** From when on a pattern is new. */
function sinceOf({ since, analysis_type, timezone }: z.infer<typeof logAnalyticsQuery>, start: number): number {
	if (since === undefined) return start;
	const valid_options = ["RFC 3339, such as 2026-01-02T03:04:05Z", "seconds, ms, µs or ns since 1970"];
	const instant = parseInstant(since, timezone);
	if (instant === undefined) throw badParameter({ parameter: "since", provided: since, valid_options });
	if (analysis_type === "new_patterns") return instant;
	throw badParameter({
		...{ parameter: "since", provided: since, valid_options: [] },
		reason: "only new_patterns asks since when a pattern is new",
	});
}
