/** Load tests of the monitoring document: a window that is watched, and what it did to the service. */
import { z } from "zod";
import { explanation, meta, percent, timestamp, windowParameters } from "./common.ts";

export const LOAD_METRICS = [
	"response_time",
	"response_time_p50",
	"response_time_p95",
	"response_time_p99",
	"error_rate",
	"throughput",
] as const;
export type LoadMetric = (typeof LOAD_METRICS)[number];
const MAX_MINUTES = 24 * 60;

const threshold = z
	.strictObject({
		max: z.number().optional(),
		min: z.number().optional(),
		max_change_percentage: z
			.number()
			.min(0)
			.optional()
			.describe("How much worse than the baseline it may get, percent: higher, or lower for throughput."),
	})
	.describe("In the unit of the metric.");

const DEFAULT_METRICS: readonly LoadMetric[] = ["response_time", "error_rate", "throughput"];
const targets = z
	.array(z.enum(LOAD_METRICS))
	.min(1)
	.refine((names) => new Set(names).size === names.length, "names a metric twice")
	.describe("response_time in ms (mean, or a percentile), error_rate as a ratio, throughput in requests a second.");

const fields = z.strictObject({
	test_id: z
		.string()
		.trim()
		.min(1)
		.max(200)
		.describe("Value of the tag `testid` of its traffic, and `test_id` of its `load_test.started`."),
	name: z.string().max(200).optional(),
	duration_minutes: z.number().positive().max(MAX_MINUTES),
	start: z
		.string()
		.max(40)
		.optional()
		.describe(
			"When it begins, or began: RFC 3339, or epoch. Default: with `load_test.started` of its test_id if that comes, else now.",
		),
	target_metrics: targets,
	thresholds: z
		.partialRecord(z.enum(LOAD_METRICS), threshold)
		.default({})
		.describe("A metric with none is compared with its baseline."),
});

/** What watching a load test takes. */
export const loadTestBody = fields
	.extend({
		target_metrics: targets
			.optional()
			.describe(`Default: ${DEFAULT_METRICS.join(", ")}, and those that have a threshold.`),
	})
	.superRefine(({ target_metrics, thresholds }, context) => {
		const unused = Object.keys(thresholds).find((metric) => target_metrics?.includes(metric as LoadMetric) === false);
		if (unused === undefined) return;
		const message = `${unused} is not among the target_metrics: it would not be looked at`;
		context.addIssue({
			code: "custom",
			message,
			path: ["thresholds", unused],
			params: { valid_options: target_metrics },
		});
	});
export type NewLoadTest = z.input<typeof loadTestBody>;

/** What is looked at when nobody says what. */
export function targetMetrics({ target_metrics, thresholds }: z.infer<typeof loadTestBody>): LoadMetric[] {
	const also = LOAD_METRICS.filter((metric) => metric in thresholds && !DEFAULT_METRICS.includes(metric));
	return target_metrics ?? [...DEFAULT_METRICS, ...also];
}

/** What is stored of one. */
export const loadTest = fields.omit({ start: true }).extend({
	/** Milliseconds since the epoch. */
	starts_at: z.number(),
	/** Whether a mark of its start moves it. */
	follows_marks: z.boolean(),
});
export type LoadTest = z.infer<typeof loadTest>;

export const loadTestQuery = z.strictObject({
	as_of: windowParameters.as_of,
	timezone: windowParameters.timezone,
	explain: windowParameters.explain,
});
export type LoadTestQuery = z.input<typeof loadTestQuery>;

const span = z.object({ start: timestamp, end: timestamp });
const value = z.number().nullable().describe("In the unit of the metric.");
export const LOAD_VERDICTS = ["passed", "failed", "no_data", "inconclusive"] as const;
const verdict = z
	.enum(LOAD_VERDICTS)
	.describe(
		"no_data: no traffic with the test id. inconclusive: no threshold is set and there is no baseline to compare with.",
	);

export const loadTestAnswer = z.object({
	load_test_id: z.string(),
	test_id: z.string(),
	name: z.string().nullable(),
	duration_minutes: z.number(),
	target_metrics: z.array(z.enum(LOAD_METRICS)),
	thresholds: fields.shape.thresholds,
	created_at: timestamp,
	status: z.enum(["scheduled", "running", "completed"]),
	progress: z.number().describe("Share of the window that is over, 0 to 1."),
	verdict: verdict.nullable().describe("Of all metrics together; preliminary while it runs, null before."),
	source: z.enum(["http", "k6"]).nullable().describe("Which records with the test id there are; null without any."),
	windows: z.object({ baseline: span, during: span, after: span }),
	traffic: z.object({
		first: timestamp.nullable().describe("First request with the test id in the window."),
		last: timestamp.nullable(),
		requests: z.number().int().nullable(),
	}),
	metrics: z.array(
		z.object({
			metric: z.enum(LOAD_METRICS),
			unit: z.enum(["ms", "1", "1/s"]),
			baseline: value.describe("Of the requests without this test id in a window of equal length before."),
			during: value.describe("Of the requests with the test id."),
			after: value.describe("Of the requests without it in a window of equal length after, as far as it is over."),
			change_percentage: percent.describe("During to baseline, percent."),
			after_change_percentage: percent.describe("After to baseline, percent."),
			effect_size: z
				.number()
				.nullable()
				.describe("Cliff's delta of during against baseline: −1 all lower, 0 none, 1 all higher."),
			effect: z.enum(["negligible", "small", "medium", "large"]).nullable(),
			p_value: z.number().nullable().describe("Two-sided Mann–Whitney U test over parts of the windows."),
			verdict,
			reasons: z.array(z.string()),
		}),
	),
	steps: z
		.array(
			z.object({
				vus: z.number().describe("Virtual users."),
				...span.shape,
				requests: z.number().int(),
				response_time: value,
				response_time_p95: value,
				error_rate: value,
				throughput: value,
			}),
		)
		.describe("Stretches of equally many virtual users, by k6's `vus` or by `load_test.started`."),
	meta,
	explain: explanation.optional(),
});

export const loadTestsQuery = z.strictObject({
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
});
export type LoadTestsQuery = z.input<typeof loadTestsQuery>;
export const loadTestsAnswer = z.object({
	load_tests: z
		.array(
			z.object({
				...{ load_test_id: z.string(), test_id: z.string(), name: z.string().nullable() },
				...{ duration_minutes: z.number(), target_metrics: z.array(z.enum(LOAD_METRICS)) },
				thresholds: fields.shape.thresholds,
				starts_at: timestamp.describe("As planned; a `load_test.started` may have moved it."),
				created_at: timestamp,
			}),
		)
		.describe("Newest first."),
	total: z.number().int(),
	next_cursor: z.string().nullable(),
});
export type LoadTestsAnswer = z.infer<typeof loadTestsAnswer>;
export type LoadTestAnswer = z.infer<typeof loadTestAnswer>;
