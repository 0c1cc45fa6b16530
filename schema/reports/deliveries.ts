/** Attempts to deliver reports: written before anything is sent, so that one that was interrupted is known. */
import type { ClickHouse } from "../clickhouse.ts";
import { clickHouseTime } from "../definitions.ts";

/** `started` while there is no connection, `sending` once bytes may have left; a process that was killed leaves it at that. */
export type DeliveryOutcome = "started" | "sending" | "sent" | "retry" | "failed" | "unsure";

export interface DeliveryAttempt {
	readonly project: string;
	readonly report_id: string;
	readonly run_id: string;
	readonly delivery_id: string;
	readonly attempt: number;
	readonly type: "email" | "webhook";
	/** Without what is secret in an address. */
	readonly target: string;
	readonly outcome: DeliveryOutcome;
	readonly status_code: number;
	readonly detail: string;
	readonly duration_ms: number;
	/** Milliseconds since the epoch. */
	readonly started_at: number;
}

export class Deliveries {
	readonly #client: ClickHouse;
	#version = 0;

	constructor(client: ClickHouse) {
		this.#client = client;
	}

	async put(attempt: DeliveryAttempt): Promise<void> {
		this.#version = Math.max(Date.now() * 1_000, this.#version + 1);
		const row = {
			...attempt,
			version: String(this.#version),
			started_at: clickHouseTime(new Date(attempt.started_at)),
		};
		await this.#client.insert({ table: "report_deliveries", values: [row], format: "JSONEachRow" });
	}

	/** All attempts of these runs, the first first. */
	async of(project: string, report_id: string, run_ids: readonly string[]): Promise<DeliveryAttempt[]> {
		if (run_ids.length === 0) return [];
		const result = await this.#client.query({
			query: `SELECT project, report_id, run_id, delivery_id, attempt, type, target, outcome, status_code, detail, duration_ms,
					toUnixTimestamp64Milli(started_at) AS started_ms
				FROM report_deliveries FINAL
				WHERE project = {project:String} AND report_id = {report_id:String} AND run_id IN {run_ids:Array(String)}
				ORDER BY delivery_id, attempt`,
			query_params: { project, report_id, run_ids },
			format: "JSONEachRow",
		});
		const rows = await result.json<DeliveryAttempt & { started_ms: string }>();
		return rows.map(({ started_ms, ...row }) => ({ ...row, started_at: Number(started_ms) }));
	}
}
