/** Rules on a real database under a clock of the test: what an evaluation does, without waiting for minutes to pass. */

import { reachOf } from "../../query/measures/scope.ts";
import { alertAsking } from "../../query/monitoring/alerts/asking.ts";
import { Queries } from "../../query/run.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { Definitions } from "../../schema/definitions.ts";
import { alertRule, kpiBody, type NewAlert } from "../../schema/wire/index.ts";
import { evaluateProject } from "../../workers/alerts/evaluator.ts";
import { AlertStore, type HistoryRow } from "../../workers/alerts/store.ts";
import { rowsOf } from "../server.ts";
import { NO_EXPIRY } from "../support/database.ts";
import { insertSeries } from "../support/records.ts";

export const MINUTE = 60_000;
export const START = Date.parse("2026-03-28T20:00:00Z");

export interface Told {
	readonly minute: number;
	readonly kind: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly from: string;
	readonly to: string;
	readonly value: number | null;
	readonly threshold: number | null;
	readonly notice: string;
	readonly firing_id: string;
	readonly reason: string;
}

export class Simulation {
	/** Milliseconds since the epoch. */
	now = START;
	/** Everything that those who tell people heard, in order. */
	readonly heard: HistoryRow[] = [];
	readonly rules: Definitions<ReturnType<typeof alertRule.parse>>;
	readonly #client: ClickHouse;

	constructor(client: ClickHouse) {
		this.#client = client;
		this.rules = new Definitions(client, "alert", alertRule, () => this.now);
	}

	/** A rule without the usual wait for late records. */
	rule(project: string, id: string, rule: Omit<NewAlert, "name"> & { name?: string }) {
		return this.rules.put(project, id, alertRule.parse({ name: id, evaluation_delay: "0s", ...rule }));
	}

	/** One value half a minute before the end of each of these minutes. */
	async values(
		project: string,
		name: string,
		values: Readonly<Record<number, number>>,
		tags: Record<string, string> = {},
	) {
		const points = Object.entries(values).map(
			([minute, value]) => [START + (Number(minute) - 0.5) * MINUTE, value] as const,
		);
		await insertSeries(this.#client, project, [{ name, tags, points }]);
	}

	/** Lets the clock go on to a minute, and evaluates with a worker that knows nothing but what is stored. */
	async evaluate(project: string, minute: number): Promise<boolean> {
		this.now = START + minute * MINUTE;
		const now = () => this.now;
		const queries = new Queries({ client: this.#client, secondLock: false });
		const kpis = new Definitions(this.#client, "kpi", kpiBody, now);
		return evaluateProject(
			{
				store: new AlertStore(this.#client, now),
				asking: (of) => alertAsking({ queries, reach: reachOf(NO_EXPIRY), kpis, now }, of),
				onHistory: (rows) => this.heard.push(...rows),
			},
			project,
			await this.rules.scan(project),
			this.now,
		);
	}

	/** The history of a rule as it is stored, oldest first. */
	async history(project: string, alert_id: string): Promise<Told[]> {
		return rowsOf<Told>(
			this.#client,
			`SELECT (toUnixTimestamp64Milli(ts) - {start:Int64}) / 60000 AS minute, kind, labels, from_state AS \`from\`, to_state AS \`to\`,
				value, threshold, notice, firing_id, reason
			FROM alert_transitions FINAL WHERE project = {project:String} AND alert_id = {alert_id:String} ORDER BY ts, kind, instance`,
			{ start: START, project, alert_id },
		);
	}

	/** `minute from→to`, as the shortest way to say what happened. */
	async path(project: string, alert_id: string): Promise<string[]> {
		return (await this.history(project, alert_id)).map(({ minute, kind, from, to }) =>
			kind === "transition" ? `${minute} ${from}→${to}` : `${minute} ${kind}`,
		);
	}
}
