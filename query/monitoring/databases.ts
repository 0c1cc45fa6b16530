import type { z } from "zod";
import {
	DATABASES_TIMEFRAMES,
	type DatabaseMetrics,
	databasesAnswer,
	databasesQuery,
} from "../../schema/wire/index.ts";
import {
	type DatabasePool,
	databaseOf,
	databaseOperations,
	databasePools,
	databases,
	databaseTail,
	SLOW_QUERY_EVENT,
	slowQueryEvents,
} from "../measures/databases.ts";
import { lastValues } from "../measures/last-values.ts";
import { planOf, type Scope } from "../measures/scope.ts";
import { DB_CONNECTIONS, DB_CONNECTIONS_MAX, DB_DURATION } from "../measures/services.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, recordsOf, withMeta } from "../meta.ts";
import { kept } from "../plan/kept.ts";
import { lowSample } from "../points.ts";
import { milliseconds, percentOf } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

/** Members are named by data, so what is missed of them is told database by database. */
const NEEDS = {
	"*.avg_query_time": `metric ${DB_DURATION}`,
	"*.p95_query_time": `metric ${DB_DURATION}`,
	"*.connection_pool_usage": [`metric ${DB_CONNECTIONS}`, `metric ${DB_CONNECTIONS_MAX}`],
	"*.connection_pool_usage_peak": [`metric ${DB_CONNECTIONS}`, `metric ${DB_CONNECTIONS_MAX}`],
	"*.slow_query_count": [`metric ${DB_DURATION}`, `event ${SLOW_QUERY_EVENT}`],
	"*.queries": `metric ${DB_DURATION}`,
} satisfies Needs;

/** `GET /v1/monitoring/databases` */
export const databasesRead = read({
	path: "/v1/monitoring/databases",
	summary: "Query times, slow queries and connection pools of databases",
	query: databasesQuery,
	answer: databasesAnswer,
	needs: NEEDS,
	ask: databaseMetricsOf,
});

async function databaseMetricsOf(asking: Asking, query: z.infer<typeof databasesQuery>): Promise<object> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: DATABASES_TIMEFRAMES, defaultTimeframe: "24h", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const [sent, known, operations, tail, events, pools, last] = await Promise.all([
		asker.ask(signals(window.as_of)),
		asker.ask(databases(window.as_of)),
		asker.ask(databaseOperations(scope)),
		kept(() => asker.ask(databaseTail(scope, query.slow_query_ms))),
		asker.ask(slowQueryEvents(scope, window.as_of)),
		asker.ask(databasePools(scope)),
		asker.ask(lastValues(scope, [DB_CONNECTIONS_MAX])),
	]);
	const lastSizes = new Map<string, number>();
	for (const { tags, value } of last) {
		const database = databaseOf(tags);
		lastSizes.set(database, (lastSizes.get(database) ?? 0) + value);
	}
	const metricsOf = (name: string): DatabaseMetrics => {
		const found = operations.get(name);
		const timed = found !== undefined || known.get(name)?.has(DB_DURATION) === true;
		const raw = tail.value?.get(name);
		const slow = timed
			? (raw?.slow ?? (found === undefined ? 0 : null))
			: sent.hasEvent(SLOW_QUERY_EVENT)
				? (events.get(name) ?? 0)
				: null;
		return {
			avg_query_time: milliseconds(found?.mean_ms),
			p95_query_time: milliseconds(raw?.p95_ms),
			...poolUsage(pools.get(name), lastSizes.get(name)),
			slow_query_count: slow,
			queries: timed ? (found?.queries ?? 0) : null,
			...lowSample([{ field: "p95_query_time", level: 0.95, n: raw === undefined ? 0 : (found?.queries ?? 0) }]),
		};
	};
	const seen = [...known.keys(), ...operations.keys(), ...events.keys(), ...pools.keys()].sort();
	const asked = listOf(query.databases);
	const members = [...new Set(asked.length > 0 ? asked : seen)].map((name) => [name, metricsOf(name)] as const);
	const parts = {
		window,
		data_through: sent.dataThrough("metric", "event"),
		missing: missingOf(members),
		methods: {
			connection_pool_usage: "mean of used / mean of max, pools summed",
			connection_pool_usage_peak: "peak of used / mean of max, pools summed",
			p95_query_time: tail.reason ?? "quantilesDD of raw points",
			slow_query_count: tail.reason ?? `durations over ${query.slow_query_ms} ms; ${SLOW_QUERY_EVENT} of those without`,
		},
		sketched: members.map(([name]) => `${memberOf(name)}.p95_query_time`),
		source: planOf(scope).main,
	};
	const answer = Object.fromEntries(members.map(([name, metrics]) => [memberOf(name), metrics]));
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

/** The pool's size in the window counts, else the last one of the day before. */
function poolUsage(pool: DatabasePool | undefined, lastSize: number | undefined) {
	const size = pool?.size ?? lastSize ?? 0;
	const share = (used: number | null | undefined) =>
		size > 0 && typeof used === "number" ? percentOf(used / size) : null;
	return { connection_pool_usage: share(pool?.used), connection_pool_usage_peak: share(pool?.peak) };
}

/** `meta` and `explain` are the answer's own; the prefix keeps every name apart from every other. */
function memberOf(database: string): string {
	return /^(meta|explain|database:.*)$/s.test(database) ? `database:${database}` : database;
}

/** What each null field of a database lacks; without any database, what makes one known. */
function missingOf(members: readonly (readonly [string, DatabaseMetrics])[]) {
	if (members.length === 0) {
		const records = [DB_DURATION, DB_CONNECTIONS, DB_CONNECTIONS_MAX].map((name) => `metric ${name}`);
		return [{ field: "*", needs: [...records, `event ${SLOW_QUERY_EVENT}`].join(" or ") }];
	}
	return members.flatMap(([name, metrics]) =>
		Object.entries(NEEDS).flatMap(([path, need]) => {
			const field = path.slice(2) as keyof DatabaseMetrics;
			// Durations were sent, of another time.
			const isSilent = need === NEEDS["*.queries"] && metrics.queries !== null;
			if (metrics[field] !== null || isSilent) return [];
			const pool = field === "connection_pool_usage" || field === "connection_pool_usage_peak";
			const records = recordsOf(need).records.join(pool ? " and " : " or ");
			return [{ field: `${memberOf(name)}.${field}`, needs: `${records} with db ${name}` }];
		}),
	);
}
