/** `GET /v1/monitoring/account/usage`: what a project sends and keeps, by signal and day. */
import { Hono } from "hono";
import type { z } from "zod";
import type { RequireRole } from "../../http/auth.ts";
import type { AppEnv } from "../../http/env.ts";
import type { RouteDoc } from "../../http/openapi.ts";
import { ClickHouseError } from "../../schema/clickhouse.ts";
import {
	ACCOUNT_TIMEFRAMES,
	type AccountUsageAnswer,
	accountUsageAnswer,
	accountUsageQuery,
} from "../../schema/wire/index.ts";
import { OF_USERS } from "../common/usage.ts";
import {
	activeSeries,
	allEventCounts,
	bytesPerRow,
	type Counts,
	eventNames,
	logCounts,
	pointCounts,
	rowCounts,
} from "../measures/account.ts";
import { identification } from "../measures/identification.ts";
import type { Signal, Signals } from "../measures/signals.ts";
import { signals } from "../measures/signals.ts";
import { distinctUsers, hasUsers } from "../measures/users.ts";
import { type Needs, withMeta } from "../meta.ts";
import { assertEventsKept, assertLogsKept } from "../plan/plan.ts";
import { type Asking, type QueryDeps, reading } from "../route.ts";
import { resolveGrid } from "../time/window.ts";

const PATH = "/v1/monitoring/account/usage";
const HOUR_MS = 3_600_000;

type Name = "metrics" | "events" | "logs" | "errors" | "profiles";
/** What a signal is called in the answer, what its records are, and where they are stored. */
interface Kind {
	readonly name: Name;
	readonly signal: Signal["signal"];
	readonly table: string;
}
const KINDS: readonly Kind[] = [
	{ name: "metrics", signal: "metric", table: "points" },
	{ name: "events", signal: "event", table: "events" },
	{ name: "logs", signal: "log", table: "logs" },
	{ name: "errors", signal: "error", table: "errors" },
	{ name: "profiles", signal: "profile", table: "profiles" },
];

const ANY = KINDS.map(({ signal }) => signal);
const NEEDS: Needs = {
	...Object.fromEntries(
		["totals", "days[]"].flatMap((where) =>
			["records", "bytes"].flatMap((what) => [
				...KINDS.map(({ name, signal }) => [`${where}.${what}.${name}`, signal]),
				[`${where}.${what}.total`, ANY],
			]),
		),
	),
	active_series: "metric",
	event_names: "event",
	users: OF_USERS,
};

export const ACCOUNT_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "get", path: PATH, tag: "Monitoring", role: "admin" },
		summary: "Records and about their bytes by signal and day, active series, names of events, users",
		query: accountUsageQuery,
		answers: { 200: accountUsageAnswer },
	},
];

/** How much the asking key's project sends. */
export function accountRoutes(deps: QueryDeps & { readonly requireRole: RequireRole }): Hono<AppEnv> {
	return new Hono<AppEnv>().get(PATH, deps.requireRole("admin"), reading(deps, accountUsageQuery, accountUsage));
}

async function accountUsage(asking: Asking, query: z.infer<typeof accountUsageQuery>): Promise<AccountUsageAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveGrid(
		{ ...query, granularity: "1d" },
		{ timeframes: ACCOUNT_TIMEFRAMES, defaultTimeframe: "30d", now },
	);
	const { start, end, as_of, buckets } = window;
	const [sent, { unlinked }] = await Promise.all([asker.ask(signals(as_of)), asker.ask(identification(as_of))]);
	assertKept(sent, start, asking);
	const span = { start, end, buckets };
	const people = { start, end, as_of, unlinked };
	const [metrics, events, logs, errors, profiles, sizes, series, names, users, anybody] = await Promise.all([
		asker.ask(pointCounts({ ...span, now, reach })),
		asker.ask(allEventCounts(span)),
		asker.ask(logCounts(span)),
		asker.ask(rowCounts("errors", span)),
		asker.ask(rowCounts("profiles", span)),
		asker.ask(bytesPerRow(KINDS.map(({ table }) => table))).catch(withoutAccess),
		asker.ask(activeSeries({ start: Math.max(0, end - HOUR_MS), end, now, reach })),
		asker.ask(eventNames(span)),
		asker.ask(distinctUsers(people)),
		asker.ask(hasUsers(as_of)),
	]);
	const found: Readonly<Record<Name, Counts>> = { metrics, events, logs, errors, profiles };
	const isSent = (signal: Signal["signal"]) => sent.of(signal).length > 0;
	const days = buckets.starts.map((t, i) => {
		const isPartial = t * 1_000 < start || (buckets.starts[i + 1] ?? buckets.end) * 1_000 > end;
		const records = numbers(isSent, ({ name }) => found[name].get(t) ?? 0);
		const bytes = numbers(isSent, ({ name, table }) => {
			const [n, size] = [records[name]!, sizes.get(table)];
			return n === 0 ? 0 : size === undefined ? null : Math.round(n * size);
		});
		const timestamp = new Date(t * 1_000).toISOString();
		return { timestamp, ...(isPartial ? { partial: true as const } : {}), records, bytes };
	});
	const totals = {
		records: numbers(isSent, ({ name }) => whole(days.map(({ records }) => records[name]))),
		bytes: numbers(isSent, ({ name }) => whole(days.map(({ bytes }) => bytes[name]))),
	};
	const unknown = KINDS.filter(({ name }) => totals.records[name] !== null && totals.bytes[name] === null);
	const answer = {
		timeframe: window.timeframe,
		totals,
		active_series: isSent("metric") ? series : null,
		event_names: isSent("event") ? names : null,
		users: anybody ? users : null,
		days,
	};
	return withMeta(
		answer,
		{
			window,
			data_through: sent.dataThrough(...ANY),
			missing: unknown.map(({ name, table }) => ({
				field: `totals.bytes.${name}`,
				needs: `system.parts of ClickHouse, with parts of the table ${table}`,
			})),
			methods: {
				bytes: "estimate: records × mean bytes on disk of a row of their table, all projects together; no rollups",
				active_series: "series with a point in the hour before the end",
			},
		},
		{ needs: NEEDS, sent },
	);
}

/** @throws RetentionError where records of the window may be gone */
function assertKept(sent: Signals, start: number, asking: Asking): void {
	const since = (signal: Signal["signal"]) => Math.max(start, sent.firstOf(signal) ?? start);
	if (sent.of("event").length > 0) assertEventsKept(since("event"), asking);
	for (const [what, signal] of [
		["Logs", "log"],
		["Errors", "error"],
		["Profiles", "profile"],
	] as const) {
		if (sent.of(signal).length > 0) assertLogsKept(what, since(signal), asking);
	}
}

type Numbers = Record<Name | "total", number | null>;

/** A number for each signal and the sum of those that were sent, which is unknown where one of them is. */
function numbers(isSent: (signal: Signal["signal"]) => boolean, number: (kind: Kind) => number | null): Numbers {
	const each = KINDS.map((kind) => [kind.name, isSent(kind.signal) ? number(kind) : null] as const);
	const sent = each.filter((_, i) => isSent(KINDS[i]!.signal)).map(([, n]) => n);
	return { ...Object.fromEntries(each), total: sent.length === 0 ? null : whole(sent) } as Numbers;
}

function whole(parts: readonly (number | null)[]): number | null {
	return parts.every((part) => part !== null) ? parts.reduce<number>((a, b) => a + b, 0) : null;
}

/** The account that ClickHouse is read by need not see its system tables. */
function withoutAccess(error: unknown): ReadonlyMap<string, number> {
	if (error instanceof ClickHouseError && error.code === "497") return new Map();
	throw error;
}
