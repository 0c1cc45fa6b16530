/** Where alerts are kept: the standing of instances and rules, and the history. */

import type { Instance } from "../../query/measures/alerting/advance.ts";
import type { Notice, Standing } from "../../query/measures/alerting/machine.ts";
import { RULE_ROW } from "../../query/measures/alerting/records.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { clickHouseTime } from "../../schema/definitions.ts";
import type { AlertState, HistoryKind, Severity } from "../../schema/wire/index.ts";

/** One row of the history. */
export interface HistoryRow {
	readonly project: string;
	readonly alert_id: string;
	/** Milliseconds since the epoch: the instant that was evaluated. */
	readonly ts: number;
	readonly kind: HistoryKind;
	readonly instance: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly from_state: AlertState | "";
	readonly to_state: AlertState | "";
	readonly metric: string;
	readonly operator: string;
	readonly value: number | null;
	readonly threshold: number | null;
	/** The firing that begins, goes on or ends; empty outside of one. */
	readonly firing_id: string;
	readonly notice: NonNullable<Notice> | "";
	readonly reason: string;
	readonly message: string;
	readonly severity: Severity;
	readonly actor: string;
	readonly rule_version: number;
}

export interface StoredInstance extends Instance {
	readonly instance: string;
	readonly labels: Readonly<Record<string, string>>;
	/** Of the condition that decided last, and what people were told of it. */
	readonly metric: string;
	readonly operator: string;
	readonly message: string;
	readonly severity: Severity;
	readonly version: number;
}

/** How far a rule is evaluated, and what is wrong with it. */
export interface Evaluated {
	/** Milliseconds since the epoch. */
	readonly evaluated_at: number;
	/** Why the last evaluation failed; empty when it did not. */
	readonly error: string;
}

/** The same, and as which rule. */
export interface RuleProgress extends Evaluated {
	/** Digest of what it looks at; empty while it is disabled. */
	readonly watching: string;
	readonly rule_version: number;
	readonly version: number;
}

export interface StoredAlert {
	readonly progress: RuleProgress | undefined;
	readonly instances: readonly StoredInstance[];
}

/** What an evaluation of a rule leaves. */
export interface AlertChanges {
	readonly project: string;
	readonly alert_id: string;
	/** Undefined takes the rule itself away. */
	readonly progress: Omit<RuleProgress, "version"> | undefined;
	readonly instances: readonly Omit<StoredInstance, "version">[];
	/** Instances that are no more. */
	readonly gone: readonly string[];
	/** The newest version that it is made from: what it leaves is newer, whatever the clock says. */
	readonly after: number;
	readonly history: readonly HistoryRow[];
}

interface Row {
	alert_id: string;
	instance: string;
	version: string;
	evaluated_ms: string;
	label_set: string;
	labels: Record<string, string>;
	standing: string;
	recent: string;
	metric: string;
	operator: string;
	message: string;
	severity: string;
	watching: string;
	rule_version: string;
	error: string;
}

export class AlertStore {
	readonly #client: ClickHouse;
	readonly #now: () => number;

	constructor(client: ClickHouse, now: () => number) {
		this.#client = client;
		this.#now = now;
	}

	/** How far the rules of all projects are evaluated, by project and alert. */
	async progress(): Promise<Map<string, Map<string, Evaluated>>> {
		const rows = await this.#client.answers.rows<{ project: string; alert_id: string; done: string; error: string }>(
			`SELECT project, alert_id, error, toUnixTimestamp64Milli(evaluated_at) AS done FROM alert_instances FINAL
				WHERE instance = {rule:String} AND deleted = 0`,
			{ rule: RULE_ROW },
		);
		const found = new Map<string, Map<string, Evaluated>>();
		for (const { project, alert_id, done, error } of rows) {
			const of = found.get(project) ?? new Map<string, Evaluated>();
			found.set(project, of.set(alert_id, { evaluated_at: Number(done), error }));
		}
		return found;
	}

	/** All that is kept of the alerts of a project. */
	async load(project: string): Promise<Map<string, StoredAlert>> {
		const rows = await this.#client.answers.rows<Row>(
			`SELECT alert_id, instance, version, toUnixTimestamp64Milli(evaluated_at) AS evaluated_ms, label_set, labels, standing,
				recent, metric, operator, message, severity, watching, rule_version, error
				FROM alert_instances FINAL WHERE project = {project:String} AND deleted = 0`,
			{ project },
		);
		const alerts = new Map<string, { progress: RuleProgress | undefined; instances: StoredInstance[] }>();
		for (const row of rows) {
			const alert = alerts.get(row.alert_id) ?? { progress: undefined, instances: [] };
			alerts.set(row.alert_id, alert);
			if (row.instance === RULE_ROW) alert.progress = toProgress(row);
			else alert.instances.push(toInstance(row));
		}
		return alerts;
	}

	/**
	 * Stores what evaluations leave. The history goes first: an evaluation that ends between the two is done again from where it
	 * began, and writes the same rows of history again.
	 */
	async save(changes: readonly AlertChanges[]): Promise<void> {
		const history = changes.flatMap((change) => change.history);
		await this.write(history);
		const values = changes.flatMap((change) => this.#rowsOf(change));
		if (values.length === 0) return;
		await this.#client.insert({ table: "alert_instances", values, format: "JSONEachRow" });
	}

	async write(history: readonly HistoryRow[]): Promise<void> {
		if (history.length === 0) return;
		const recorded_at = clickHouseTime(new Date(this.#now()));
		await this.#client.insert({
			table: "alert_transitions",
			values: history.map((row) => ({ ...row, ts: clickHouseTime(new Date(row.ts)), recorded_at })),
			format: "JSONEachRow",
		});
	}

	#rowsOf({ project, alert_id, progress, instances, gone, after }: AlertChanges): object[] {
		const version = Math.max(this.#now() * 1_000, after + 1);
		const base = { project, alert_id, version, deleted: 0 };
		const none = { ...base, deleted: 1, evaluated_at: clickHouseTime(new Date(this.#now())) };
		return [
			progress === undefined
				? { ...none, instance: RULE_ROW }
				: { ...base, ...progress, instance: RULE_ROW, evaluated_at: clickHouseTime(new Date(progress.evaluated_at)) },
			...instances.map(({ labelSet, standing, evaluated_at, ...instance }) => ({
				...{ ...base, ...instance, label_set: labelSet, state: standing.state, standing: JSON.stringify(standing) },
				// Those of an instance come after what was read of it.
				version,
				evaluated_at: clickHouseTime(new Date(evaluated_at)),
			})),
			...gone.map((instance) => ({ ...none, instance })),
		];
	}
}

function toProgress(row: Row): RuleProgress {
	return {
		...{ evaluated_at: Number(row.evaluated_ms), watching: row.watching, rule_version: Number(row.rule_version) },
		...{ error: row.error, version: Number(row.version) },
	};
}

function toInstance(row: Row): StoredInstance {
	return {
		...{ instance: row.instance, labelSet: row.label_set, labels: row.labels, recent: row.recent },
		standing: JSON.parse(row.standing) as Standing,
		evaluated_at: Number(row.evaluated_ms),
		...{ metric: row.metric, operator: row.operator, message: row.message, severity: row.severity as Severity },
		version: Number(row.version),
	};
}
