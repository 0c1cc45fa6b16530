/**
 * Records as they are sent, and the answer. These schemas are the contract: the hot path checks by hand, a property test
 * proves that it decides as they do, and zod explains what is wrong when it refuses.
 */
import { z } from "zod";

/** Limits of one record; those of a request are settings. */
export const RECORD_LIMITS = {
	tags: 64,
	nameBytes: 200,
	tagValueBytes: 1_024,
	/** A longer message is cut and marked, not refused. */
	messageBytes: 65_536,
	idBytes: 200,
	/** JSON text of a context, properties or stack trace. */
	documentBytes: 262_144,
	depth: 32,
	seriesPoints: 10_000,
	profileSpans: 2_000,
} as const;

export const METRIC_KINDS = ["gauge", "counter", "cumulative", "distribution"] as const;
export const LOG_LEVELS = ["debug", "info", "warning", "error", "critical"] as const;
/** Spellings that are accepted for a level, after lower-casing. */
export const LEVEL_ALIASES: Readonly<Record<string, LogLevel>> = {
	trace: "debug",
	verbose: "debug",
	notice: "info",
	information: "info",
	warn: "warning",
	err: "error",
	fatal: "critical",
	crit: "critical",
	emerg: "critical",
	emergency: "critical",
	alert: "critical",
	panic: "critical",
};

export type MetricKind = (typeof METRIC_KINDS)[number];
export type LogLevel = (typeof LOG_LEVELS)[number];

function shallow(value: unknown, left: number): boolean {
	if (typeof value !== "object" || value === null) return true;
	return left > 0 && Object.values(value).every((member) => shallow(member, left - 1));
}
/** Whether all numbers are finite: JSON can write 1e400, a double cannot hold it. */
function finite(value: unknown, left: number): boolean {
	if (typeof value === "number") return Number.isFinite(value);
	return (
		typeof value !== "object" ||
		value === null ||
		left === 0 ||
		Object.values(value).every((member) => finite(member, left - 1))
	);
}
/** The level that a text names, in any case and with the usual aliases; undefined when it names none. */
export function parseLevel(text: string): LogLevel | undefined {
	const lower = text.toLowerCase();
	if ((LOG_LEVELS as readonly string[]).includes(lower)) return lower as LogLevel;
	return Object.hasOwn(LEVEL_ALIASES, lower) ? LEVEL_ALIASES[lower] : undefined;
}

/** JSON can write half of a pair ("\ud83d"), UTF-8 cannot: it is stored as U+FFFD, whichever half it was. */
export const HALF_PAIR = /\p{Surrogate}/u;

const bytes = (max: number) => (text: string) => Buffer.byteLength(text) <= max;
const name = z
	.string()
	.min(1, "must not be empty")
	.refine(bytes(RECORD_LIMITS.nameBytes), `longer than ${RECORD_LIMITS.nameBytes} bytes`)
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
	.regex(/^[^\u0000-\u001f\u007f]*$/, "must not have control characters");
const id = z.string().refine(bytes(RECORD_LIMITS.idBytes), `longer than ${RECORD_LIMITS.idBytes} bytes`);
/** RFC 3339 text, or epoch in s, ms, µs or ns (told apart by size). */
const timestamp = z.union([z.string(), z.number()]);
const tagValue = z.union([
	z.string().refine(bytes(RECORD_LIMITS.tagValueBytes), `longer than ${RECORD_LIMITS.tagValueBytes} bytes`),
	z.number(),
	z.boolean(),
]);
const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
/** Not `z.record`: that passes over a member called `__proto__`. */
const tags = z
	.custom<Record<string, string | number | boolean>>(isObject, { error: "must be an object" })
	.superRefine((value, context) => {
		const keys = Object.keys(value);
		if (keys.length > RECORD_LIMITS.tags) {
			context.addIssue(`more than ${RECORD_LIMITS.tags} tags`);
			// An issue each for a million tags would take seconds.
			return;
		}
		for (const key of keys) {
			const wrong = name.safeParse(key).error ?? tagValue.safeParse(value[key]).error;
			if (wrong) context.addIssue({ code: "custom", path: [key], message: wrong.issues[0]!.message });
		}
	})
	.meta({ type: "object", additionalProperties: { type: ["string", "number", "boolean"] } });
const document = z
	.custom<Record<string, unknown>>(isObject, { error: "must be an object" })
	.refine((value) => shallow(value, RECORD_LIMITS.depth), `nested more than ${RECORD_LIMITS.depth} deep`)
	.refine((value) => finite(value, RECORD_LIMITS.depth), "has a number that is beyond the range of a double")
	.meta({ type: "object" });

const level = z
	.string()
	.refine((text) => parseLevel(text) !== undefined, `must be one of ${LOG_LEVELS.join(", ")} or a usual alias`);

const metric = { name, tags: tags.optional(), unit: id.optional(), kind: z.enum(METRIC_KINDS).optional() };

/** One point. */
export const metricPoint = z.object({ ...metric, value: z.number(), timestamp: timestamp.optional() });
/** Many points of one series. */
export const metricSeries = z
	.object({
		...metric,
		timestamps: z.array(timestamp).min(1).max(RECORD_LIMITS.seriesPoints),
		values: z.array(z.number()).min(1).max(RECORD_LIMITS.seriesPoints),
	})
	.refine((record) => record.timestamps.length === record.values.length, {
		path: ["values"],
		message: "as many values as timestamps",
	});
export const metricRecord = z.union([metricSeries, metricPoint]);

export const eventRecord = z.object({
	event: name,
	properties: document.optional(),
	timestamp: timestamp.optional(),
	user_id: id.optional(),
	session_id: id.optional(),
	account_id: id.optional(),
	event_id: id.refine((text) => !HALF_PAIR.test(text), "has half of a surrogate pair").optional(),
});

export const logRecord = z.object({
	message: z.string(),
	level: level.optional(),
	component: id.optional(),
	context: document.optional(),
	trace_id: id.optional(),
	span_id: id.optional(),
	timestamp: timestamp.optional(),
});

export const errorRecord = z.object({
	error_message: z.string().min(1),
	error_type: name,
	stack_trace: z.string().optional(),
	context: document.optional(),
	severity: level.optional(),
	component: id.optional(),
	timestamp: timestamp.optional(),
});

/** Nanoseconds or bytes: whole up to 2^53, beyond it and between whole numbers as near as a double comes. */
const amount = z
	.number()
	.min(0)
	.lt(2 ** 63);

export const profileSpan = z
	.object({
		name,
		/** Name of the span around it; absent or null, the operation itself. */
		parent: name.nullish(),
		/** From the start of the profile; only differences count, so any other zero does as well. */
		start_ns: amount,
		end_ns: amount,
	})
	.refine(({ start_ns, end_ns }) => end_ns >= start_ns, { path: ["end_ns"], message: "before start_ns" });

export const profileRecord = z.object({
	operation: name,
	wall_ns: amount.describe("Time that passed, ns"),
	cpu_ns: amount.optional().describe("Time on the processor, ns"),
	alloc_bytes: amount.optional().describe("Memory allocated, bytes"),
	spans: z.array(profileSpan).max(RECORD_LIMITS.profileSpans).optional(),
	success: z.boolean().optional().describe("Absent: true"),
	component: id.optional(),
	user_id: id.optional(),
	trace_id: id.optional(),
	timestamp: timestamp.optional(),
});

export type MetricPoint = z.input<typeof metricPoint>;
export type MetricSeries = z.input<typeof metricSeries>;
export type MetricRecord = MetricPoint | MetricSeries;
export type EventRecord = z.input<typeof eventRecord>;
export type LogRecord = z.input<typeof logRecord>;
export type ErrorRecord = z.input<typeof errorRecord>;
export type ProfileRecord = z.input<typeof profileRecord>;
/** A line of `POST /v1/ingest/batch`. */
export type BatchRecord =
	| ({ type: "metric" } & MetricRecord)
	| ({ type: "event" } & EventRecord)
	| ({ type: "log" } & LogRecord)
	| ({ type: "error" } & ErrorRecord)
	| ({ type: "profile" } & ProfileRecord);

export const rejectedRecord = z.object({
	/** Position in the request, from 0. */
	index: z.number().int(),
	reason: z.string(),
	/** Path of the member that is wrong; empty when the record as a whole is. */
	field: z.string(),
});
export type RejectedRecord = z.infer<typeof rejectedRecord>;

/** What became of an error that was accepted. */
export const reportedError = z.object({
	error_id: z.string().describe("Of this record, as errors/analysis and issues show it."),
	issue_id: z.string().describe("Fingerprint: type and top calls, of its causes too."),
	is_new: z
		.boolean()
		.nullable()
		.describe(
			"Whether no error of this issue was received before. Null when that is not known: several processes take in errors, or the server has just started.",
		),
});
export type ReportedError = z.infer<typeof reportedError>;

/** Answer of every ingest route: 202 durable, 200 with `?wait=true` (can be queried), 400 when nothing was valid. */
export const ingestAnswer = z.object({
	accepted: z.number().int(),
	rejected: z.array(rejectedRecord),
	/** Error routes only: the fingerprint of each accepted record, in order. */
	issue_ids: z.array(z.string()).optional(),
	/** The same records, each with its own id and whether its issue is new. */
	errors: z.array(reportedError).optional(),
});
export type IngestAnswer = z.infer<typeof ingestAnswer>;
