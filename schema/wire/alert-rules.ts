/** Alert rules as they are sent and stored. */
import { z } from "zod";
import { isSealed } from "../secret-box.ts";
import { conditions, duration, MAX_LEAVES, type NewCondition } from "./alert-conditions.ts";
import { zone } from "./common.ts";

const DAY_SECONDS = 86_400;
export const SEVERITIES = ["low", "medium", "high", "critical"] as const;
export type Severity = (typeof SEVERITIES)[number];
/** How bad an alert is, in the words of the analytics document. */
export const ALERT_LEVELS = {
	low: "info",
	medium: "warning",
	high: "error",
	critical: "critical",
} as const satisfies Record<Severity, string>;
/** Words of other tools for the same. */
const SEVERITY_ALIASES: Readonly<Record<string, Severity>> = { info: "low", warning: "medium", error: "high" };
export const severity = z.preprocess(
	(word) => (typeof word === "string" ? (SEVERITY_ALIASES[word] ?? word) : word),
	z.enum(SEVERITIES),
);

export const NO_DATA_POLICIES = ["keep_last", "ok", "alert"] as const;
export type NoDataPolicy = (typeof NO_DATA_POLICIES)[number];

export const MAX_LABELS = 32;
const MAX_GROUP_BY = 5;
const MAX_NOTIFICATIONS = 20;
const MAX_RECIPIENTS = 50;
const MAX_HEADERS = 20;
const MAX_LEVELS = 10;

const name = z.string().trim().min(1).max(200);
const shortText = z.string().min(1).max(1_000);
/** Sealed, a secret is longer than what somebody may send. */
const atMost = (length: number) => (text: string) =>
	text.length <= length || isSealed(text.slice(text.lastIndexOf("/") + 1));
/** What an answer shows instead of a secret; sent back it would overwrite the secret. */
export const MASK = "***";
const secret = z
	.string()
	.min(1)
	.refine(atMost(1_000), "is too long")
	.refine((text) => !text.includes(MASK), `is masked: send the secret itself, not ${MASK}`);
const address = z.url({ protocol: /^https?$/ }).max(2_000);
const secretAddress = z
	.url({ protocol: /^https?$/ })
	.refine(atMost(2_000), "is too long")
	.refine((text) => !text.includes(MASK), `is masked: send the address itself, not ${MASK}`);

export const severityMapping = z.partialRecord(z.enum(SEVERITIES), z.enum(["critical", "error", "warning", "info"]));
const notification = z.discriminatedUnion("type", [
	z.strictObject({
		type: z.literal("email"),
		recipients: z.array(z.email()).min(1).max(MAX_RECIPIENTS),
	}),
	z.strictObject({
		type: z.literal("webhook"),
		url: secretAddress,
		headers: z
			.record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "is no name of a header"), secret)
			.refine((headers) => Object.keys(headers).length <= MAX_HEADERS, `at most ${MAX_HEADERS} headers`)
			.optional()
			.describe("Values are secrets: they are not answered."),
	}),
	z.strictObject({
		type: z.literal("slack"),
		webhook_url: secretAddress,
		channel: shortText.optional(),
	}),
	z.strictObject({
		type: z.literal("pagerduty"),
		integration_key: secret,
		severity_mapping: severityMapping.optional(),
	}),
	z.strictObject({
		type: z.literal("teams"),
		webhook_url: secretAddress,
		format: z.enum(["adaptive_card"]).optional(),
	}),
	z.strictObject({
		type: z.literal("contact"),
		contact: name.describe("A contact of the notification channels."),
	}),
]);
export type Notification = z.infer<typeof notification>;

const escalationPolicy = z.strictObject({
	levels: z
		.array(
			z.strictObject({
				delay_minutes: z.number().int().min(0).max(10_080),
				notify: z.array(name).min(1).max(MAX_RECIPIENTS).describe("Contacts of the notification channels."),
			}),
		)
		.min(1)
		.max(MAX_LEVELS)
		.refine(
			(levels) => levels.every((level, i) => i === 0 || level.delay_minutes > levels[i - 1]!.delay_minutes),
			"each level comes later than the one before",
		),
});

const labels = z
	.record(z.string().min(1).max(200), z.string().max(1_000))
	.refine((given) => Object.keys(given).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`);
const steady = (text: string) => duration(text, { min: 0, max: 7 * DAY_SECONDS });

const fields = {
	name,
	description: z.string().max(5_000),
	conditions: conditions.describe(`At most ${MAX_LEAVES}, those within others included.`),
	logic: z
		.enum(["AND", "OR"])
		.describe("How the conditions of the list belong together. Default: all of them have to hold."),
	notifications: z.array(notification).max(MAX_NOTIFICATIONS),
	severity: severity.describe("info, warning and error stand for low, medium and high."),
	enabled: z.boolean(),
	for: steady("Fires when the conditions have held at every evaluation for so long."),
	keep_firing_for: steady(
		"Goes on firing for so long after the conditions stopped to hold. Default: 1h for rules of anomaly_detection alone, else 0s.",
	),
	no_data: z
		.enum(NO_DATA_POLICIES)
		.describe("Without data: stay as it was, count as fine, or alert once that has lasted as long as `for`."),
	group_by: z
		.array(z.string().min(1).max(200))
		.max(MAX_GROUP_BY)
		.refine((tags) => new Set(tags).size === tags.length, "names a tag twice")
		.describe("One instance for each combination of these tags."),
	labels: labels.describe("Of the rule; instances have those of `group_by` too."),
	runbook_url: address.nullable(),
	message: z
		.string()
		.max(5_000)
		.nullable()
		.describe(
			"Template: {{value}}, {{threshold}}, {{metric}}, {{name}}, {{severity}}, {{labels.x}}. Default: made from the rule.",
		),
	escalation_policy: escalationPolicy.nullable(),
	repeat_interval: duration("While it fires, the notice is repeated so often.", {
		min: 60,
		max: 30 * DAY_SECONDS,
	}).nullable(),
	interval: duration("How often it is evaluated, at whole multiples since 1970.", {
		min: 60,
		max: DAY_SECONDS,
		step: 60,
	}),
	evaluation_delay: duration("How long records of a minute are waited for.", { min: 0, max: 3_600 }),
	timezone: zone.describe("IANA zone; by its clock hours of the week are compared."),
	allow_unknown: z.boolean().describe("Accepts a metric or an event that nobody has sent yet."),
};

/** What is stored of a rule. */
export const alertRule = z.strictObject({
	...fields,
	description: fields.description.default(""),
	logic: fields.logic.default("AND"),
	notifications: fields.notifications.default([]),
	severity: fields.severity.default("medium"),
	enabled: fields.enabled.default(true),
	for: fields.for.default("0s"),
	keep_firing_for: fields.keep_firing_for.default("0s"),
	no_data: fields.no_data.default("keep_last"),
	group_by: fields.group_by.default([]),
	labels: fields.labels.default({}),
	runbook_url: fields.runbook_url.default(null),
	message: fields.message.default(null),
	escalation_policy: fields.escalation_policy.default(null),
	repeat_interval: fields.repeat_interval.default(null),
	interval: fields.interval.default("1m"),
	evaluation_delay: fields.evaluation_delay.default("10s"),
	timezone: fields.timezone.default("UTC"),
	allow_unknown: fields.allow_unknown.default(false),
});
export type AlertRule = z.infer<typeof alertRule>;

/**
 * A rule as it is sent. What strays from the usual comes and goes for a while: without an hour's patience one incident would be many
 * alerts.
 */
export const newAlertRule = z.preprocess(patient, alertRule);

/** Gives a rule of nothing but anomalies that does not say how long it keeps firing the hour that it needs. */
export function patient(input: unknown): unknown {
	if (typeof input !== "object" || input === null || Array.isArray(input)) return input;
	const { keep_firing_for, conditions: given } = input as Record<string, unknown>;
	if (keep_firing_for !== undefined || !Array.isArray(given)) return input;
	const isAnomaly = (one: unknown) => (one as { type?: unknown } | null)?.type === "anomaly_detection";
	return given.length > 0 && given.every(isAnomaly) ? { ...input, keep_firing_for: "1h" } : input;
}
/** A rule as it may be sent: more than one word for some things. */
interface Sent {
	conditions: readonly NewCondition[];
	severity?: Severity | "info" | "warning" | "error";
}
export type NewAlert = Omit<z.input<typeof alertRule>, keyof Sent> & Sent;

/** Changes of a rule: what is not named stays. */
export const alertPatch = z.strictObject(fields).partial();
export type AlertPatch = Omit<z.input<typeof alertPatch>, keyof Sent> & Partial<Sent>;
