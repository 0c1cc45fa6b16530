/** Alerts: what is asked and answered about rules, their instances and their history. */
import { z } from "zod";
import { conditions } from "./alert-conditions.ts";
import { alertRule, type NewAlert, patient, SEVERITIES } from "./alert-rules.ts";
import { timestamp } from "./common.ts";

/** Where an instance of a rule stands. */
export const ALERT_STATES = ["ok", "pending", "firing", "recovering", "no_data", "error"] as const;
export type AlertState = (typeof ALERT_STATES)[number];
const alertState = z.enum(ALERT_STATES);

const inItsUnit = z.number().nullable().describe("In the unit of the measure.");

export const alertInstance = z.object({
	instance: z.string().describe("Names the instance of its rule."),
	labels: z.record(z.string(), z.string()),
	state: alertState,
	since: timestamp.describe("When it came into its state."),
	value: inItsUnit.describe("The last one; of a firing instance it satisfies the operator."),
	threshold: inItsUnit,
	firing_id: z.string().nullable().describe("From firing to ok it is one."),
	trigger_count: z.number().int(),
	last_triggered: timestamp.nullable(),
	acknowledged: z
		.object({ at: timestamp, by: z.string().describe("Id of a key."), note: z.string() })
		.nullable()
		.describe("Holds until it is ok again."),
});
export type AlertInstance = z.infer<typeof alertInstance>;

/** A stretch of time in which an instance fired. */
export const alertEpisode = z.object({
	labels: z.record(z.string(), z.string()),
	start: timestamp,
	end: timestamp.nullable().describe("Null when it fires at the end of the window."),
	peak_value: inItsUnit.describe("The most extreme value while it fired."),
	threshold: inItsUnit,
});
export const backtestAnswer = z.object({
	window: z.object({ start: timestamp, end: timestamp }),
	evaluations: z.number().int().describe("Instants at which the conditions were evaluated."),
	firings: z.number().int().describe("How often it would have fired, of all instances."),
	instances: z.number().int().describe("Label sets that were seen."),
	firing_seconds: z.number().describe("Sum over the instances."),
	no_data_evaluations: z.number().int().describe("Evaluations of an instance without data."),
	episodes: z.array(alertEpisode).describe("In the order of their start, at most 1,000."),
});
export type BacktestAnswer = z.infer<typeof backtestAnswer>;

const rule = {
	...alertRule.shape,
	conditions: conditions.describe("As they are evaluated: one dialect, with all defaults."),
	notifications: z.array(z.looseObject({ type: z.string() })).describe("Secrets are masked."),
};
const standing = {
	alert_id: z.string(),
	status: z.enum(["active", "disabled"]).describe("Whether it is enabled; whether it fires is `state`."),
	state: alertState.describe("The most serious one of its instances."),
	created_at: timestamp,
	updated_at: timestamp,
	last_triggered: timestamp.nullable().describe("When an instance last began to fire."),
	trigger_count: z.number().int().describe("How often an instance began to fire."),
	evaluated_through: timestamp.nullable().describe("The last evaluated instant; null before the first."),
	error: z.string().nullable().describe("Why the last evaluation failed."),
};

export const alertAnswer = z.object({
	...rule,
	...standing,
	instances: z.array(alertInstance).describe("Those that are not ok first, at most 1,000."),
	warnings: z.array(z.string()).describe("What is accepted, and may not do what it seems to."),
});
export type AlertAnswer = z.infer<typeof alertAnswer>;

export const createdAlertAnswer = alertAnswer.extend({
	backtest: backtestAnswer
		.nullable()
		.describe("When it would have fired in the last seven days; null when that takes too long."),
	backtest_skipped: z.string().optional().describe("Why there is no backtest."),
});
export type CreatedAlertAnswer = z.infer<typeof createdAlertAnswer>;

export const alertsQuery = z.strictObject({
	status: z.enum(["active", "disabled"]).optional(),
	state: alertState.optional(),
	severity: z.enum(SEVERITIES).optional(),
	name: z.string().max(200).optional().describe("Text that the name contains, in any case."),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
});
export type AlertsQuery = z.input<typeof alertsQuery>;
export const listedAlert = z.object({
	...standing,
	name: z.string(),
	severity: z.enum(SEVERITIES),
	labels: z.record(z.string(), z.string()),
	firing_instances: z.number().int(),
});
export const alertsAnswer = z.object({
	alerts: z.array(listedAlert).describe("In the order they were created."),
	total_alerts: z.number().int().describe("Rules, whatever the filters."),
	active_alerts: z.number().int().describe("Enabled rules."),
	triggered_last_24h: z.number().int().describe("Rules that fired in the last 24 hours."),
	firings_last_24h: z.number().int().describe("How often instances began to fire in the last 24 hours."),
	evaluation: z
		.object({
			through: timestamp.nullable().describe("Every enabled rule is evaluated up to here."),
			lag_seconds: z
				.number()
				.nullable()
				.describe("Behind the last due instant. More than a minute: records are late in being stored."),
		})
		.describe("Whether the evaluation keeps up."),
	next_cursor: z.string().nullable(),
});
export type AlertsAnswer = z.infer<typeof alertsAnswer>;

export const acknowledgeBody = z.strictObject({
	note: z.string().max(2_000).default(""),
	instance: z.string().max(100).optional().describe("Default: every instance that fires."),
});
export type Acknowledge = z.input<typeof acknowledgeBody>;
export const acknowledgeAnswer = z.object({
	alert_id: z.string(),
	acknowledged: z.array(z.object({ instance: z.string(), firing_id: z.string() })),
});
export type AcknowledgeAnswer = z.infer<typeof acknowledgeAnswer>;

export const HISTORY_KINDS = ["transition", "acknowledge", "late_data", "gap", "undelivered"] as const;
export type HistoryKind = (typeof HISTORY_KINDS)[number];
export const alertHistoryQuery = z.strictObject({
	kind: z.enum(HISTORY_KINDS).optional(),
	instance: z.string().max(100).optional(),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
});
export type AlertHistoryQuery = z.input<typeof alertHistoryQuery>;
export const alertHistoryEntry = z.object({
	timestamp: timestamp.describe("The instant that was evaluated, or when it was acknowledged."),
	recorded_at: timestamp,
	kind: z
		.enum(HISTORY_KINDS)
		.describe(
			"late_data: records that came late change what was decided. gap: instants that were not evaluated. undelivered: people who could not be told.",
		),
	instance: z.string(),
	labels: z.record(z.string(), z.string()),
	from: z.string().nullable(),
	to: z.string().nullable(),
	value: inItsUnit,
	threshold: inItsUnit,
	firing_id: z.string().nullable(),
	reason: z.string(),
	message: z.string(),
});
export type AlertHistoryEntry = z.infer<typeof alertHistoryEntry>;
export const alertHistoryAnswer = z.object({
	alert_id: z.string(),
	history: z.array(alertHistoryEntry).describe("Newest first."),
	next_cursor: z.string().nullable(),
});
export type AlertHistoryAnswer = z.infer<typeof alertHistoryAnswer>;

const { name: ruleName, ...untitled } = alertRule.shape;
export const backtestBody = z
	.strictObject({
		...untitled,
		name: ruleName.default("backtest"),
		conditions: conditions.optional(),
		alert_id: z.string().max(100).optional().describe("A stored rule, instead of one in the request."),
		start: z.string().optional().describe("RFC 3339 or epoch. Default: seven days before the end."),
		end: z.string().optional().describe("RFC 3339 or epoch. Default: now."),
	})
	.refine((body) => (body.conditions === undefined) !== (body.alert_id === undefined), {
		message: "either a rule with conditions, or the alert_id of one",
		path: ["conditions"],
	});
/** As it is sent: what a rule without a word about it does, its backtest does. */
export const sentBacktest = z.preprocess(patient, backtestBody);
export type Backtest = Omit<z.input<typeof backtestBody>, "conditions" | "severity"> &
	Partial<Pick<NewAlert, "conditions" | "severity">>;

export const testAlertAnswer = z.object({
	alert_id: z.string(),
	deliveries: z.array(
		z.object({ channel: z.string(), status: z.enum(["sent", "failed"]), detail: z.string().nullable() }),
	),
});
export type TestAlertAnswer = z.infer<typeof testAlertAnswer>;
