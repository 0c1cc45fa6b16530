/** Whether the evaluation of all rules keeps up: looked up every few seconds, told at any time. */
import { type EvaluatedRule, lagOf } from "../../query/measures/alerting/lag.ts";
import type { Definitions } from "../../schema/definitions.ts";
import type { AlertRule } from "../../schema/wire/index.ts";
import type { AlertStore } from "./store.ts";

export interface EvaluationStanding {
	/** Of the rule that is furthest behind its last due instant, by the clock. Grows while ClickHouse or Redis is away. */
	readonly lag_seconds: number;
	/** Rules whose last evaluation failed, or that cannot be read. */
	readonly failing: number;
}

export class Standing {
	readonly #rules: Definitions<AlertRule>;
	readonly #store: AlertStore;
	readonly #now: () => number;
	#known: { readonly enabled: readonly EvaluatedRule[]; readonly failing: number } | undefined;

	constructor(rules: Definitions<AlertRule>, store: AlertStore, now: () => number) {
		this.#rules = rules;
		this.#store = store;
		this.#now = now;
	}

	/** @throws when ClickHouse is away; what was known stays */
	async refresh(): Promise<void> {
		const [{ definitions, unreadable }, progress] = await Promise.all([this.#rules.scan(), this.#store.progress()]);
		const enabled = definitions.filter(({ body }) => body.enabled);
		const of = ({ project, id }: { project: string; id: string }) => progress.get(project)?.get(id);
		this.#known = {
			enabled: enabled.map((rule) => ({
				body: { interval: rule.body.interval, evaluation_delay: rule.body.evaluation_delay },
				updated_at: rule.updated_at,
				evaluated_at: of(rule)?.evaluated_at,
			})),
			failing: unreadable.length + enabled.filter((rule) => (of(rule)?.error ?? "") !== "").length,
		};
	}

	/** Undefined before the first look. */
	get(): EvaluationStanding | undefined {
		if (!this.#known) return undefined;
		const now = this.#now();
		const lag_ms = this.#known.enabled.reduce((most, rule) => Math.max(most, lagOf(rule, now)), 0);
		return { lag_seconds: lag_ms / 1_000, failing: this.#known.failing };
	}
}
