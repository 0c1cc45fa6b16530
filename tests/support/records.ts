/** Rows put straight into the tables, as ingest would have made them; for tests of what reads them. */
import { createHash } from "node:crypto";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { clickHouseTime } from "../../schema/definitions.ts";
import { isFailed } from "../../schema/failed-requests.ts";

export interface TestSeries {
	readonly name: string;
	readonly tags?: Readonly<Record<string, string>>;
	readonly kind?: "gauge" | "counter" | "distribution";
	/** Milliseconds since the epoch, and value. */
	readonly points: readonly (readonly [ts: number, value: number])[];
}

export async function insertSeries(client: ClickHouse, project: string, all: readonly TestSeries[]): Promise<void> {
	const rows = all.map((series) => {
		const tags = series.tags ?? {};
		const id = createHash("sha256")
			.update(JSON.stringify([project, series.name, tags]))
			.digest()
			.readBigUInt64LE();
		return { ...series, tags, kind: series.kind ?? "gauge", component: tags.component ?? "", series_id: id.toString() };
	});
	await client.insert({
		table: "series",
		values: rows.map(({ name, series_id, tags, component, kind, points }) => ({
			...{ project, name, series_id, tags, component, kind, unit: "" },
			first_seen: clickHouseTime(new Date(Math.min(...points.map(([ts]) => ts)))),
		})),
		format: "JSONEachRow",
	});
	await client.insert({
		table: "points",
		values: rows.flatMap(({ name, series_id, tags, component, kind, points }) =>
			points.map(([ts, value]) => ({
				project,
				name,
				component,
				kind,
				series_id,
				ts: clickHouseTime(new Date(ts)),
				value,
				failed: isFailed(name, tags),
			})),
		),
		format: "JSONEachRow",
	});
}

export interface TestEvent {
	readonly event: string;
	readonly ts: number;
	readonly user_id?: string;
	readonly session_id?: string;
	readonly account_id?: string;
	readonly properties?: Readonly<Record<string, string | number>>;
}

export async function insertEvents(client: ClickHouse, project: string, events: readonly TestEvent[]): Promise<void> {
	const kept = (properties: TestEvent["properties"], type: string) =>
		Object.fromEntries(Object.entries(properties ?? {}).filter(([, value]) => typeof value === type));
	await client.insert({
		table: "events",
		values: events.map(({ event, ts, user_id, session_id, account_id, properties }, i) => ({
			...{ project, event, ts: clickHouseTime(new Date(ts)), event_id: `${i}`, user_id: user_id ?? "", id: i },
			...{ account_id: account_id ?? "", session_id: session_id ?? "" },
			...{ strings: kept(properties, "string"), numbers: kept(properties, "number") },
		})),
		format: "JSONEachRow",
	});
}

export interface TestLog {
	readonly ts: number;
	readonly message: string;
	readonly level?: string;
	readonly component?: string;
	readonly context?: Readonly<Record<string, unknown>>;
	readonly trace_id?: string;
	/** Decimal. */
	readonly id?: string;
}

/** Ids follow the order of the list, where lines have none of their own. Without `indexed` the text index is left to a later merge. */
export async function insertLogs(
	client: ClickHouse,
	project: string,
	logs: readonly TestLog[],
	{ firstId = 1, indexed = true } = {},
): Promise<void> {
	await client.insert({
		table: "logs",
		values: logs.map(({ ts, message, level, component, context, trace_id, id }, i) => ({
			...{ project, ts: clickHouseTime(new Date(ts)), id: id ?? String(firstId + i), level: level ?? "info", message },
			...{ component: component ?? "", context: JSON.stringify(context ?? {}), trace_id: trace_id ?? "", span_id: "" },
		})),
		format: "JSONEachRow",
		clickhouse_settings: { materialize_skip_indexes_on_insert: indexed ? 1 : 0 },
	});
}

export interface TestError {
	readonly ts: number;
	readonly error_type: string;
	readonly component?: string;
	readonly severity?: string;
	readonly message?: string;
	readonly stack?: string;
	readonly issue_id?: string;
	readonly user_id?: string;
	readonly context?: Readonly<Record<string, unknown>>;
}

/** Ids follow the order of the list. */
export async function insertErrors(
	client: ClickHouse,
	project: string,
	errors: readonly TestError[],
	{ firstId = 1 } = {},
): Promise<void> {
	await client.insert({
		table: "errors",
		values: errors.map(({ ts, context, issue_id, ...error }, i) => ({
			...{ project, id: String(firstId + i), ts: clickHouseTime(new Date(ts)), issue_id: issue_id ?? "1" },
			...{ component: "", severity: "error", message: "m", stack: "", user_id: "", trace_id: "" },
			...{ context: context === undefined ? "" : JSON.stringify(context) },
			...error,
		})),
		format: "JSONEachRow",
	});
}

export interface TestSpan {
	readonly name: string;
	readonly parent: string;
	readonly start_ns: number;
	readonly end_ns: number;
}

export interface TestProfile {
	readonly ts: number;
	readonly operation: string;
	readonly wall_ns: number;
	readonly cpu_ns?: number;
	readonly alloc_bytes?: number;
	readonly success?: boolean;
	readonly spans?: readonly TestSpan[];
}

/** Ids follow the order of the list. */
export async function insertProfiles(
	client: ClickHouse,
	project: string,
	profiles: readonly TestProfile[],
	{ firstId = 1 } = {},
): Promise<void> {
	await client.insert({
		table: "profiles",
		values: profiles.map(({ ts, spans = [], ...profile }, i) => ({
			...{
				project,
				id: String(firstId + i),
				ts: clickHouseTime(new Date(ts)),
				component: "",
				user_id: "",
				trace_id: "",
			},
			...{ cpu_ns: null, alloc_bytes: null, success: true },
			...profile,
			span_names: spans.map(({ name }) => name),
			span_parents: spans.map(({ parent }) => parent),
			span_starts_ns: spans.map(({ start_ns }) => start_ns),
			span_ends_ns: spans.map(({ end_ns }) => end_ns),
		})),
		format: "JSONEachRow",
	});
}
