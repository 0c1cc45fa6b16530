/** Profiles of the monitoring document: how long an operation takes and where in it the time goes. */
import { z } from "zod";
import {
	count,
	explanation,
	meta,
	milliseconds,
	percent,
	ratio,
	timeframes,
	timestamp,
	windowParameters,
} from "./common.ts";

export const PROFILING_TIMEFRAMES = ["1h", "24h", "7d", "30d"] as const;

export const profilingQuery = z.strictObject({
	operation: z.string().min(1).max(200).optional().describe("Which operation; needed."),
	timeframe: timeframes(PROFILING_TIMEFRAMES),
	...windowParameters,
	compare: z
		.enum(["previous"])
		.optional()
		.describe("Compares the window with one of the same length: previous is the one just before it."),
	compare_start: windowParameters.start.describe(
		"Start of the window to compare with, instead of compare. RFC 3339, or epoch.",
	),
	compare_end: windowParameters.end.describe(
		"Its end (not included). Default: as long after compare_start as the window is.",
	),
});

const spread = (unit: string) =>
	z
		.object({
			avg: z.number(),
			p50: z.number(),
			p95: z.number(),
			p99: z.number(),
			max: z.number(),
			total: z.number().describe("Of all runs together."),
		})
		.nullable()
		.describe(`${unit}, over the runs that say it; null when none does.`);

const levels = (describe: string) =>
	z.object({ avg: percent, p50: percent, p95: percent, p99: percent }).nullable().describe(describe);

const comparison = z
	.object({
		start: timestamp,
		end: timestamp,
		calls: count,
		success_rate: ratio,
		wall_ms: spread("Time that passed, milliseconds"),
		cpu_ms: spread("Time on the processor, milliseconds"),
		alloc_bytes: spread("Memory allocated, bytes"),
		change_percentage: z
			.object({
				wall_ms: levels("Time that passed"),
				cpu_ms: levels("Time on the processor"),
				alloc_bytes: levels("Memory allocated"),
			})
			.describe(
				"From there to the window of the question, percent; null where one of them has no runs that say it, or 0.",
			),
		p_value: z
			.number()
			.nullable()
			.describe(
				"How likely wall times as different as these are if nothing had changed. Null below 8 runs in a window.",
			),
		verdict: z
			.enum(["faster", "slower", "no_difference"])
			.nullable()
			.describe("A difference is told when p_value is under 0.01. Null where p_value is."),
		spans: z
			.array(
				z.object({
					name: z.string(),
					parent: z.string().nullable().describe("Null for the operation itself."),
					self_ms: milliseconds.describe("Of a run on average, in the window of the question, milliseconds."),
					compared_self_ms: milliseconds.describe("Of a run on average, in the window that it is compared with."),
					change_ms: milliseconds,
				}),
			)
			.describe("Where runs became longer or shorter: the 20 kinds of spans that changed most."),
	})
	.describe("The same of another window, and what changed; only where it is asked for.");

export const profilingAnswer = z.object({
	operation: z.string(),
	timeframe: z.string(),
	calls: count,
	success_rate: ratio,
	wall_ms: spread("Time that passed, milliseconds"),
	cpu_ms: spread("Time on the processor, milliseconds"),
	alloc_bytes: spread("Memory allocated, bytes"),
	cpu_share: z
		.number()
		.nullable()
		.describe("Time on the processor / time that passed; above 1 where several threads run."),
	slowest: z
		.array(
			z.object({
				profile_id: z.string(),
				timestamp,
				wall_ms: milliseconds,
				cpu_ms: milliseconds,
				alloc_bytes: count,
				success: z.boolean(),
				component: z.string().nullable(),
				user_id: z.string().nullable(),
				trace_id: z.string().nullable(),
			}),
		)
		.describe("The 10 runs that took longest."),
	flame: z
		.array(
			z.object({
				name: z.string(),
				parent: z.string().nullable().describe("Null for the operation itself."),
				self_ms: milliseconds.describe("Milliseconds in which none of its children ran."),
				total_ms: milliseconds,
				calls: z.number().int(),
			}),
		)
		.describe("Spans by name and parent over all runs: the operation first, then those that took longest."),
	comparison: comparison.optional(),
	low_sample: z.array(z.string()).optional().describe("Percentiles of fewer values than they need to mean something."),
	meta,
	explain: explanation.optional(),
});
export type ProfilingQuery = z.input<typeof profilingQuery>;
export type ProfilingAnswer = z.infer<typeof profilingAnswer>;
