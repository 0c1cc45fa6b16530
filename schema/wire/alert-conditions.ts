/** Conditions of alert rules, in both dialects of the monitoring document. */
import { z } from "zod";
import { DURATION, durationSeconds } from "../duration.ts";

const DAY_SECONDS = 86_400;
const MINUTE_SECONDS = 60;

/** A length of time between two bounds, in seconds, in whole steps. */
export function duration(text: string, bounds: { min: number; max: number; step?: number }) {
	const { min, max, step = 1 } = bounds;
	return z
		.string()
		.superRefine((value, context) => {
			const refuse = (message: string) =>
				context.addIssue({ code: "custom", message, params: { valid_options: ["30s", "5m", "1h", "1d", "1w"] } });
			if (!DURATION.test(value)) return refuse("must be a duration: a number and s, m, h, d or w");
			const seconds = durationSeconds(value);
			if (seconds < min) return refuse(`must be at least ${min} seconds`);
			if (seconds > max) return refuse(`must be at most ${max} seconds`);
			if (seconds % step !== 0) return refuse(`must be whole steps of ${step} seconds`);
		})
		.describe(`${text} A number and s, m, h, d or w.`);
}

/** Rollups are by the minute, and no bucket is read half. */
export const trailing = (text: string) =>
	duration(text, { min: MINUTE_SECONDS, max: 30 * DAY_SECONDS, step: MINUTE_SECONDS });

export const OPERATORS = [
	"greater_than",
	"greater_than_or_equal",
	"less_than",
	"less_than_or_equal",
	"equal",
	"not_equal",
] as const;
export type Operator = (typeof OPERATORS)[number];

/** The short dialect, and how people abbreviate the long one. */
export const OPERATOR_ALIASES: Readonly<Record<string, Operator>> = {
	">": "greater_than",
	">=": "greater_than_or_equal",
	"<": "less_than",
	"<=": "less_than_or_equal",
	"=": "equal",
	"==": "equal",
	"!=": "not_equal",
	greater_or_equal: "greater_than_or_equal",
	less_or_equal: "less_than_or_equal",
	equals: "equal",
	not_equals: "not_equal",
};

export const ALERT_AGGREGATIONS = [
	"avg",
	"sum",
	"min",
	"max",
	"count",
	"last",
	"rate",
	"per_minute",
	"p50",
	"p90",
	"p95",
	"p99",
] as const;
export type AlertAggregation = (typeof ALERT_AGGREGATIONS)[number];

export const SENSITIVITIES = ["low", "medium", "high"] as const;
export type Sensitivity = (typeof SENSITIVITIES)[number];

const MAX_FILTERS = 10;
const filterText = z.string().min(1).max(1_000);
/** What is measured: a name, and what part of its records. */
const measured = {
	metric: z
		.string()
		.min(1)
		.max(200)
		.describe(
			"A measure (`error_rate`, `response_time`, `cpu_utilization`, …), any ingested metric, `logs`, `events`, or `kpi:<kpi_id>`.",
		),
	aggregation: z
		.enum(ALERT_AGGREGATIONS)
		.optional()
		.describe("Over the timeframe. Default: increases are summed, everything else is averaged."),
	event: z.string().min(1).max(200).optional().describe("With the metric `events`: the name of the event."),
	query: z.string().max(10_000).optional().describe("With the metric `logs`: which lines count, as in /logs."),
	filter: z
		.record(z.string().min(1).max(200), filterText)
		.refine((filter) => Object.keys(filter).length <= MAX_FILTERS, `at most ${MAX_FILTERS} members`)
		.optional()
		.describe("Only records with these tags (of metrics) or properties (of events)."),
};
const limit = z.number().describe("In the unit of the measure: response times in milliseconds, rates as ratios.");
const recovery_threshold = limit
	.optional()
	.describe("While it fires, the value has to come back past this one: less extreme than the threshold.");

const threshold = z.strictObject({
	type: z.literal("threshold"),
	...measured,
	operator: z.enum(OPERATORS),
	threshold: limit,
	timeframe: trailing("The value is that of the time before the evaluation.").default("5m"),
	recovery_threshold,
});

const rateOfChange = z.strictObject({
	type: z.literal("rate_of_change"),
	...measured,
	operator: z.enum(OPERATORS),
	threshold: z.number().describe("Of the change: percent (20 is +20 %), or the measure's own unit."),
	change: z
		.enum(["percent", "absolute"])
		.default("percent")
		.describe("Against the time of the same length before. Percent of a value that was 0 is not known."),
	timeframe: trailing("Compared with the time of the same length before it.").default("5m"),
	recovery_threshold,
});

const absence = z.strictObject({
	type: z.literal("absence"),
	...measured,
	timeframe: trailing("Nothing was sent for so long.").default("5m"),
});

const anomaly = z.strictObject({
	type: z.literal("anomaly_detection"),
	...measured,
	sensitivity: z.enum(SENSITIVITIES).default("medium"),
	minimum_deviation: z
		.number()
		.positive()
		.max(1_000)
		.optional()
		.describe("Deviations, on the robust scale of the baseline, below which nothing is unusual."),
	direction: z.enum(["both", "above", "below"]).default("both"),
	timeframe: trailing("The value that is compared with the baseline.").default("5m"),
});

export const MAX_CONDITION_DEPTH = 5;
export const MAX_LEAVES = 20;

export type ThresholdCondition = z.infer<typeof threshold>;
export type RateOfChangeCondition = z.infer<typeof rateOfChange>;
export type AbsenceCondition = z.infer<typeof absence>;
export type AnomalyCondition = z.infer<typeof anomaly>;
/** A condition about one measure. */
export type Leaf = ThresholdCondition | RateOfChangeCondition | AbsenceCondition | AnomalyCondition;
export interface Compound {
	readonly type: "compound";
	readonly logic: "AND" | "OR" | "NOT";
	readonly sub_conditions: readonly Condition[];
}
export type Condition = Leaf | Compound;

type Dialects<S extends z.ZodType, Type extends string> = Omit<z.input<S>, "type" | "operator" | "threshold"> & {
	type?: Type;
	operator: Operator | ">" | ">=" | "<" | "<=" | "=" | "==" | "!=";
} & ({ threshold: number; value?: never } | { value: number; threshold?: never });
/** A condition as it may be sent, in either dialect. */
export type NewCondition =
	| Dialects<typeof threshold, "threshold">
	| (Dialects<typeof rateOfChange, "rate_of_change"> & { type: "rate_of_change" })
	| z.input<typeof absence>
	| z.input<typeof anomaly>
	| { type?: "compound"; logic: Compound["logic"]; sub_conditions: readonly NewCondition[] };

/** Both dialects become one: `>` is `greater_than`, `value` is `threshold`, a condition without a type is a threshold. */
function oneDialect(input: unknown): unknown {
	if (typeof input !== "object" || input === null || Array.isArray(input)) return input;
	const { value, ...rest } = input as Record<string, unknown>;
	const { operator } = rest;
	return {
		...{ type: "sub_conditions" in rest ? "compound" : "threshold", ...rest },
		...(typeof operator === "string" ? { operator: OPERATOR_ALIASES[operator] ?? operator } : {}),
		// Both at once is a mistake: the member that is left over is refused by its name.
		...(value === undefined ? {} : "threshold" in rest ? { value } : { threshold: value }),
	};
}

const compound = z.strictObject({
	type: z.literal("compound"),
	logic: z.enum(["AND", "OR", "NOT"]).describe("NOT has one condition. A part without data is neither true nor false."),
	get sub_conditions() {
		return z.array(condition).min(1).max(MAX_LEAVES);
	},
});
const condition: z.ZodType<Condition> = z
	.lazy(() =>
		z.preprocess(
			oneDialect,
			z
				.discriminatedUnion("type", [threshold, rateOfChange, absence, anomaly, compound])
				.superRefine(refuseContradictions),
		),
	)
	.meta({ id: "AlertCondition" }) as z.ZodType<Condition>;

function refuseContradictions(found: Condition, context: z.RefinementCtx): void {
	const refuse = (member: string, message: string) => context.addIssue({ code: "custom", message, path: [member] });
	if (found.type === "compound") {
		if (found.logic === "NOT" && found.sub_conditions.length !== 1) refuse("sub_conditions", "NOT has one condition");
		return;
	}
	if (found.metric === "events" && found.event === undefined)
		refuse("event", "the metric events needs the name of one");
	if (found.metric !== "events" && found.event !== undefined) refuse("event", "only the metric events has one");
	if (found.metric !== "logs" && found.query !== undefined) refuse("query", "only the metric logs has one");
	if (!("operator" in found) || found.recovery_threshold === undefined) return;
	const { operator, threshold: limit, recovery_threshold: recovery } = found;
	if (operator === "equal" || operator === "not_equal") {
		refuse("recovery_threshold", `${operator} has no nearer value to recover at`);
	} else if (operator.startsWith("greater") ? recovery > limit : recovery < limit) {
		refuse("recovery_threshold", `must not be ${operator.startsWith("greater") ? "above" : "below"} the threshold`);
	}
}

/** Conditions of a rule; how deep they are nested is looked at before anything is read. */
export const conditions = z.preprocess((input, context) => {
	const shape = shapeOf(input);
	const refuse = (message: string) => {
		context.addIssue({ code: "custom", message, params: { valid_options: [] } });
		return z.NEVER;
	};
	if (shape.depth > MAX_CONDITION_DEPTH)
		return refuse(`conditions are nested at most ${MAX_CONDITION_DEPTH} deep: a condition cannot contain itself`);
	if (shape.leaves > MAX_LEAVES) return refuse(`at most ${MAX_LEAVES} conditions, those within others included`);
	return input;
}, z.array(condition).min(1).max(MAX_LEAVES));

/** Without recursion: the depth is the client's. */
function shapeOf(input: unknown): { depth: number; leaves: number } {
	let depth = 0;
	let leaves = 0;
	const open: [unknown, number][] = [[input, 0]];
	for (let next = open.pop(); next && depth <= MAX_CONDITION_DEPTH; next = open.pop()) {
		const [value, level] = next;
		depth = Math.max(depth, level);
		if (Array.isArray(value)) for (const item of value) open.push([item, level + 1]);
		else if (typeof value === "object" && value !== null && "sub_conditions" in value)
			open.push([value.sub_conditions, level]);
		else leaves++;
	}
	return { depth, leaves };
}

/** All conditions about one measure, in the order of the rule. */
export function leavesOf(all: readonly Condition[]): Leaf[] {
	return all.flatMap((one) => (one.type === "compound" ? leavesOf(one.sub_conditions) : [one]));
}
