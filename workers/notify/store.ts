/** What is known of firings, and the record of who was told of them: rows in ClickHouse, nothing else. */
import { type FailingChannel, failingChannels } from "../../query/measures/alerting/channels.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { clickHouseTime } from "../../schema/definitions.ts";
import type { Severity } from "../../schema/wire/index.ts";
import type { NoticeKind } from "./message.ts";
import type { Firing, KnownNotice, Notice, NoticeStatus } from "./plan.ts";
import type { Destination } from "./recipients.ts";
import type { Attempt } from "./retry.ts";

/** A firing with what people read of it. */
export interface ToldFiring extends Firing {
	readonly project: string;
	readonly metric: string;
	readonly value: number | null;
	readonly threshold: number | null;
	readonly message: string;
}

/** A notice with the name of its rule, which may be deleted by the time that it is over. */
export interface StoredNotice extends KnownNotice {
	readonly rule_name: string;
	readonly detail: string;
}

export interface Undelivered {
	readonly project: string;
	readonly channel: string;
	readonly detail: string;
}

export interface AttemptRow extends Attempt {
	readonly project: string;
	readonly message_id: string;
	readonly alert_id: string;
	readonly channel: string;
	readonly status_code: number;
	readonly detail: string;
	readonly duration_ms: number;
}

const DAY_MS = 86_400_000;
/** Nothing repeats less often than every 30 days. */
const LOOK_BACK_MS = 100 * DAY_MS;
/** What is over is looked at for so long: its last messages are tried for a day. */
const OVER_MS = 26 * 3_600_000;
const BURNS = "kind = 'transition' AND to_state IN ('firing', 'no_data', 'recovering')";

export class NoticeStore {
	readonly #client: ClickHouse;
	readonly #now: () => number;
	#version = 0;

	constructor(client: ClickHouse, now: () => number) {
		this.#client = client;
		this.#now = now;
	}

	/** Firings of a project, or of all: those that burn and those that were over not long ago, in the order of time. */
	async firings(project?: string): Promise<ToldFiring[]> {
		const now = this.#now();
		const rows = await this.#client.answers.rows<FiringRow>(
			`SELECT project, alert_id, firing_id, any(instance) AS of_instance, argMax(labels, ts) AS of_labels,
				argMax(severity, recorded_at) AS how_bad, toUnixTimestamp64Milli(minIf(ts, notice = 'fire')) AS fired_ms,
				toUnixTimestamp64Milli(minIf(recorded_at, notice = 'fire')) AS recorded_ms, countIf(notice = 'fire') AS fires,
				countIf(notice = 'resolve') AS resolves, toUnixTimestamp64Milli(maxIf(ts, notice = 'resolve')) AS resolved_ms,
				countIf(kind = 'acknowledge') AS acknowledges, toUnixTimestamp64Milli(minIf(ts, kind = 'acknowledge')) AS acknowledged_ms,
				maxIf(recorded_at, notice = 'resolve') AS over,
				argMaxIf(metric, ts, ${BURNS}) AS of_metric, argMaxIf(value, ts, ${BURNS}) AS of_value,
				argMaxIf(threshold, ts, ${BURNS}) AS of_threshold,
				if(resolves > 0, argMaxIf(message, ts, notice = 'resolve'), argMaxIf(message, ts, ${BURNS})) AS says
			FROM alert_transitions
			WHERE firing_id != '' AND (notice != '' OR kind = 'acknowledge' OR ${BURNS}) AND ts >= {since:DateTime64(3, 'UTC')}
				${project === undefined ? "" : "AND project = {project:String}"}
			GROUP BY project, alert_id, firing_id
			HAVING fires > 0 AND (resolves = 0 OR over >= {over_since:DateTime64(3, 'UTC')})
			ORDER BY fired_ms, firing_id`,
			{
				since: clickHouseTime(new Date(now - LOOK_BACK_MS)),
				over_since: clickHouseTime(new Date(now - OVER_MS)),
				project: project ?? "",
			},
		);
		return rows.map(toFiring);
	}

	/** Notices of these firings, and all that are planned. */
	notices(project: string, firing_ids: readonly string[]): Promise<StoredNotice[]> {
		return this.#notices("status = 'planned' OR firing_id IN {ids:Array(String)}", { project, ids: firing_ids });
	}

	noticesOf(project: string, message_id: string): Promise<StoredNotice[]> {
		return this.#notices("message_id = {message_id:String}", { project, message_id });
	}

	async attempts(project: string, message_ids: readonly string[]): Promise<Map<string, Attempt[]>> {
		const found = new Map<string, Attempt[]>();
		if (message_ids.length === 0) return found;
		const rows = await this.#client.answers.rows<{
			message_id: string;
			attempt: number;
			outcome: Attempt["outcome"];
			started_ms: string;
			retry_ms: string | null;
		}>(
			`SELECT message_id, attempt, outcome, toUnixTimestamp64Milli(started_at) AS started_ms,
				toUnixTimestamp64Milli(retry_at) AS retry_ms
			FROM alert_delivery_attempts FINAL WHERE project = {project:String} AND message_id IN {ids:Array(String)} ORDER BY attempt`,
			{ project, ids: message_ids },
		);
		for (const { message_id, attempt, outcome, started_ms, retry_ms } of rows) {
			const of = found.get(message_id) ?? [];
			const retry_at = retry_ms === null ? null : Number(retry_ms);
			found.set(message_id, [...of, { attempt, outcome, started_at: Number(started_ms), retry_at }]);
		}
		return found;
	}

	/** The claim: once this is stored nobody plans them again. */
	async claim(project: string, notices: readonly (Notice & { readonly rule_name: string })[]): Promise<void> {
		await this.#write(project, notices, "planned", "");
	}

	async settle(project: string, notices: readonly StoredNotice[], status: NoticeStatus, detail = ""): Promise<void> {
		await this.#write(project, notices, status, detail);
	}

	async attempt(row: AttemptRow): Promise<void> {
		await this.#client.insert({
			table: "alert_delivery_attempts",
			values: [
				{
					...row,
					version: this.#nextVersion(),
					started_at: clickHouseTime(new Date(row.started_at)),
					retry_at: row.retry_at === null ? null : clickHouseTime(new Date(row.retry_at)),
				},
			],
			format: "JSONEachRow",
		});
	}

	/** Channels of a project that fail. */
	async failing(project: string): Promise<FailingChannel[]> {
		const { sql, params, read } = failingChannels(this.#now());
		return read(await this.#client.answers.rows(sql, { ...params.values, project }));
	}

	/** A line in the history of the alert: somebody was not told. */
	async note({ alert_id, instance, firing_id }: Notice, { project, channel, detail }: Undelivered): Promise<void> {
		const now = clickHouseTime(new Date(this.#now()));
		await this.#client.insert({
			table: "alert_transitions",
			values: [
				{
					...{ project, alert_id, ts: now, recorded_at: now, kind: "undelivered", instance, firing_id },
					reason: `${channel}: ${detail}`,
				},
			],
			format: "JSONEachRow",
		});
	}

	async #write(
		project: string,
		notices: readonly (Notice & { readonly rule_name: string })[],
		status: NoticeStatus,
		detail: string,
	): Promise<void> {
		if (notices.length === 0) return;
		const version = this.#nextVersion();
		await this.#client.insert({
			table: "alert_deliveries",
			values: notices.map(({ delivery_id, message_id, alert_id, firing_id, instance, kind, level, ...rest }) => ({
				...{ project, alert_id, delivery_id, version, message_id, firing_id, instance, level, kind, status, detail },
				channel: rest.destination.key,
				target: JSON.stringify({ destination: rest.destination, rule_name: rest.rule_name }),
				created_at: clickHouseTime(new Date(rest.created_at)),
			})),
			format: "JSONEachRow",
		});
	}

	async #notices(where: string, params: Record<string, unknown>): Promise<StoredNotice[]> {
		const rows = await this.#client.answers.rows<NoticeRow>(
			`SELECT alert_id, delivery_id, message_id, firing_id, instance, level, kind, status, target, detail,
				toUnixTimestamp64Milli(created_at) AS created_ms
			FROM alert_deliveries FINAL WHERE project = {project:String} AND (${where}) ORDER BY created_ms, delivery_id`,
			params,
		);
		return rows.map(({ target, created_ms, ...row }) => ({
			...row,
			...(JSON.parse(target) as { destination: Destination; rule_name: string }),
			created_at: Number(created_ms),
		}));
	}

	/** Microseconds of the clock, always above the one before. */
	#nextVersion(): number {
		this.#version = Math.max(this.#now() * 1_000, this.#version + 1);
		return this.#version;
	}
}

interface NoticeRow {
	alert_id: string;
	delivery_id: string;
	message_id: string;
	firing_id: string;
	instance: string;
	level: number;
	kind: NoticeKind;
	status: NoticeStatus;
	target: string;
	detail: string;
	created_ms: string;
}

interface FiringRow {
	project: string;
	alert_id: string;
	firing_id: string;
	of_instance: string;
	of_labels: Record<string, string>;
	how_bad: Severity;
	fired_ms: string;
	recorded_ms: string;
	resolves: string;
	resolved_ms: string;
	acknowledges: string;
	acknowledged_ms: string;
	of_metric: string;
	of_value: number | null;
	of_threshold: number | null;
	says: string;
}

function toFiring(row: FiringRow): ToldFiring {
	return {
		...{ project: row.project, alert_id: row.alert_id, firing_id: row.firing_id, instance: row.of_instance },
		...{ labels: row.of_labels, severity: row.how_bad, metric: row.of_metric, message: row.says },
		...{ value: row.of_value, threshold: row.of_threshold },
		...{ fired_at: Number(row.fired_ms), recorded_at: Number(row.recorded_ms) },
		resolved_at: Number(row.resolves) > 0 ? Number(row.resolved_ms) : null,
		acknowledged_at: Number(row.acknowledges) > 0 ? Number(row.acknowledged_ms) : null,
	};
}
