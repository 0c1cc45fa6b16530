/** Synthetic tests of the monitoring document: what is run, from where, how often, and what came of it. */
import { z } from "zod";
import { explanation, meta, milliseconds, percent, timeframes, timestamp, windowParameters } from "./common.ts";
import { type AssertionType, assertion } from "./synthetic-assertions.ts";

export const SYNTHETIC_TYPES = ["http", "tcp", "dns", "heartbeat"] as const;
export type SyntheticType = (typeof SYNTHETIC_TYPES)[number];
export const SYNTHETIC_TIMEFRAMES = ["1h", "6h", "24h", "7d", "30d"] as const;
export const RECORD_TYPES = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"] as const;
/** Where a secret stood. */
export const MASKED = "********";

const MIN_SECONDS = 10;
const MAX_SECONDS = 86_400;
const MAX_LOCATIONS = 20;

const location = z.string().regex(/^[\w.-]{1,64}$/, "must be the TIDEMARK_LOCATION of a worker");
const host = z.string().min(1).max(253);
const port = z.number().int().min(1).max(65_535);
const url = z
	.string()
	.max(4_000)
	.superRefine((text, context) => {
		const refuse = (message: string) =>
			context.addIssue({ code: "custom", message, params: { valid_options: ["https://api.example.com/health"] } });
		if (!URL.canParse(text)) return refuse("must be a URL");
		const { protocol, username, password } = new URL(text);
		if (protocol !== "http:" && protocol !== "https:") return refuse("must be an http or https URL");
		if (username !== "" || password !== "") return refuse("must have no password: send it in the header authorization");
	});

const common = {
	name: z.string().trim().min(1).max(200),
	component: z
		.string()
		.min(1)
		.max(200)
		.optional()
		.describe("Part of the system whose health it tells. Default: the name of the test."),
	enabled: z.boolean().default(true),
	frequency_minutes: z
		.number()
		.positive()
		.max(MAX_SECONDS / 60)
		.optional()
		.describe("Time from run to run. Default 5."),
	frequency_seconds: z
		.number()
		.min(MIN_SECONDS)
		.max(MAX_SECONDS)
		.optional()
		.describe(`The same in seconds, at least ${MIN_SECONDS}.`),
};
/** What is run by workers. */
const active = {
	locations: z
		.array(location)
		.min(1)
		.max(MAX_LOCATIONS)
		.refine((names) => new Set(names).size === names.length, "names a location twice")
		.optional()
		.describe("Workers that run it, by their TIDEMARK_LOCATION. Default: the location of the server that is asked."),
	quorum: z
		.number()
		.int()
		.min(1)
		.max(MAX_LOCATIONS)
		.optional()
		.describe("How many locations must fail for the test to be down. Default: more than half."),
	retries: z
		.number()
		.int()
		.min(0)
		.max(5)
		.default(1)
		.describe("How often a run that failed is tried again before it counts as failed."),
	retry_delay_ms: z.number().int().min(0).max(60_000).default(1_000),
	timeout_ms: z.number().int().min(100).max(60_000).default(10_000).describe("Of one attempt."),
	degraded_ms: z.number().positive().optional().describe("A run that takes longer is degraded; it still is ok."),
	failed_ms: z.number().positive().optional().describe("A run that takes longer has failed."),
	assertions: z.array(assertion).max(50).default([]),
};

const http = z.strictObject({
	type: z.literal("http"),
	...{ ...common, ...active },
	url,
	method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]).default("GET"),
	headers: z.record(z.string().min(1).max(200), z.string().max(8_000)).default({}).describe("Answers mask the values."),
	body: z.string().max(100_000).optional().describe("Answers mask it."),
	follow_redirects: z.number().int().min(0).max(10).default(5).describe("0: the redirect is the answer."),
	verify_certificate: z.boolean().default(true),
});
const tcp = z.strictObject({
	type: z.literal("tcp"),
	...{ ...common, ...active },
	...{ host, port },
	tls: z.boolean().default(false),
	verify_certificate: z.boolean().default(true),
});
const dns = z.strictObject({
	type: z.literal("dns"),
	...{ ...common, ...active },
	host: host.describe("Name to look up."),
	record_type: z.enum(RECORD_TYPES).default("A"),
	server: host.optional().describe("Name server to ask. Default: those of the worker's system."),
	port: port.optional().describe("Of the name server. Default 53."),
});
const heartbeat = z.strictObject({
	type: z.literal("heartbeat"),
	...common,
	grace_seconds: z
		.number()
		.min(0)
		.max(MAX_SECONDS)
		.default(60)
		.describe("How much later than its time a call may come before it is missed."),
});

/** What can be asserted of each type; a heartbeat asserts nothing. */
const ASSERTABLE: Readonly<Record<Exclude<SyntheticType, "heartbeat">, readonly AssertionType[]>> = {
	http: ["status_code", "response_time", "header", "body", "json_path", "tls_days_left"],
	tcp: ["response_time", "tls_days_left"],
	dns: ["response_time", "dns_record"],
};

/** What creating a test takes. */
export const syntheticTestBody = z
	.discriminatedUnion("type", [http, tcp, dns, heartbeat])
	.superRefine((test, context) => {
		const refuse = (path: PropertyKey[], message: string, valid_options: readonly unknown[] = []) =>
			context.addIssue({ code: "custom", path, message, params: { valid_options } });
		if (test.frequency_minutes !== undefined && test.frequency_seconds !== undefined) {
			refuse(["frequency_seconds"], "frequency_minutes says it already: send one of them");
		}
		if (frequencyOf(test) < MIN_SECONDS) refuse(["frequency_minutes"], `must be at least ${MIN_SECONDS} seconds`);
		if (test.type === "heartbeat") return;
		const { quorum, locations, degraded_ms, failed_ms } = test;
		if (quorum !== undefined && quorum > (locations?.length ?? 1)) {
			refuse(["quorum"], "is more than there are locations", [`1 to ${locations?.length ?? 1}`]);
		}
		if (degraded_ms !== undefined && failed_ms !== undefined && degraded_ms >= failed_ms) {
			refuse(["degraded_ms"], "must be less than failed_ms", [`less than ${failed_ms}`]);
		}
		const possible = ASSERTABLE[test.type];
		for (const [index, { type }] of test.assertions.entries()) {
			if (!possible.includes(type)) {
				refuse(["assertions", index, "type"], `a ${test.type} test cannot assert ${type}`, possible);
			}
		}
	});
export type SyntheticTestBody = z.infer<typeof syntheticTestBody>;
export type NewSyntheticTest = z.input<typeof syntheticTestBody>;

/** Changes of a test; which members there are follows from its type. */
export const syntheticTestPatch = z
	.record(z.string(), z.unknown())
	.describe(
		"Members of a new test, but for its type; what is not named stays. Values of headers and a body that are sent back masked stay too; other locations without a quorum have the usual one.",
	);
type Changes<S extends z.ZodType> = Partial<Omit<z.input<S>, "type">>;
export type SyntheticTestPatch =
	| Changes<typeof http>
	| Changes<typeof tcp>
	| Changes<typeof dns>
	| Changes<typeof heartbeat>;

const DEFAULT_FREQUENCY_SECONDS = 300;

function frequencyOf({ frequency_minutes, frequency_seconds }: SyntheticTestBody): number {
	return frequency_seconds ?? (frequency_minutes === undefined ? DEFAULT_FREQUENCY_SECONDS : frequency_minutes * 60);
}

const settled = { component: z.string(), frequency_seconds: z.number() };
const settledActive = { ...settled, locations: z.array(location).min(1), quorum: z.number().int() };
const minutes = { frequency_minutes: true } as const;
// Sealed texts are longer than what was sent.
const secrets = { headers: z.record(z.string(), z.string()), body: z.string().optional() };
const settledHttp = http.omit(minutes).extend({ ...settledActive, ...secrets });
const settledTcp = tcp.omit(minutes).extend(settledActive);
const settledDns = dns.omit(minutes).extend(settledActive);
const settledHeartbeat = heartbeat.omit(minutes).extend(settled);

/** What is stored of a test: all defaults settled, secrets sealed. */
export const syntheticTest = z.discriminatedUnion("type", [
	settledHttp,
	settledTcp,
	settledDns,
	settledHeartbeat.extend({ token_hash: z.string().describe("SHA-256 of the token in its URL.") }),
]);
export type SyntheticTest = z.infer<typeof syntheticTest>;
export type ActiveTest = Exclude<SyntheticTest, { type: "heartbeat" }>;
export type HeartbeatTest = Extract<SyntheticTest, { type: "heartbeat" }>;

/** A new test with all that it left open. @param here the location of the server that is asked */
export function settle(
	body: SyntheticTestBody,
	here: string,
): Exclude<SyntheticTest, HeartbeatTest> | Omit<HeartbeatTest, "token_hash"> {
	const { frequency_minutes: _, ...rest } = body;
	const common = { component: body.component ?? body.name, frequency_seconds: frequencyOf(body) };
	if (rest.type === "heartbeat") return { ...rest, ...common };
	const locations = rest.locations ?? [here];
	return { ...rest, ...common, locations, quorum: rest.quorum ?? majority(locations) };
}

/** More than half of them. */
export function majority(locations: readonly string[]): number {
	return Math.floor(locations.length / 2) + 1;
}

const standing = {
	test_id: z.string(),
	created_at: timestamp,
	updated_at: timestamp,
	warnings: z.array(z.string()).describe("What is accepted, and may not do what it seems to."),
};
export const syntheticTestAnswer = z.discriminatedUnion("type", [
	settledHttp.extend(standing).describe("Values of headers and the body are masked."),
	settledTcp.extend(standing),
	settledDns.extend(standing),
	settledHeartbeat.extend({
		...standing,
		heartbeat_url: z
			.string()
			.describe("Path to call by GET or POST each time. Shown once, when the test is made; masked from then on."),
	}),
]);
export type SyntheticTestAnswer = z.infer<typeof syntheticTestAnswer>;

export const syntheticTestsQuery = z.strictObject({
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
});
export type SyntheticTestsQuery = z.input<typeof syntheticTestsQuery>;
export const syntheticTestsAnswer = z.object({
	synthetic_tests: z.array(syntheticTestAnswer).describe("In the order they were created."),
	total: z.number().int().describe("How many."),
	next_cursor: z.string().nullable(),
});
export type SyntheticTestsAnswer = z.infer<typeof syntheticTestsAnswer>;

const phases = z
	.object({ dns: milliseconds, connect: milliseconds, tls: milliseconds, ttfb: milliseconds, download: milliseconds })
	.describe("By phase, milliseconds; null where a run has no such phase.");
export const RUN_STATUSES = ["passed", "degraded", "failed"] as const;
export const runStatus = z.enum(RUN_STATUSES);
export type RunStatus = z.infer<typeof runStatus>;

/** One run at one location. */
export const syntheticRun = z.object({
	location: z.string().nullable(),
	timestamp,
	ok: z.boolean(),
	status: runStatus,
	status_code: z.number().int().nullable(),
	duration_ms: milliseconds,
	timings: phases,
	tls_days_left: z.number().nullable(),
	attempts: z.number().int(),
	error: z.string().nullable().describe("What failed, in words."),
});
export type SyntheticRun = z.infer<typeof syntheticRun>;

export const runTestQuery = z.strictObject({
	location: location.optional().describe("Default: all locations of the test."),
});
export type RunTestQuery = z.input<typeof runTestQuery>;
export const runTestAnswer = z.object({
	test_id: z.string(),
	status: z.enum(["healthy", "degraded", "down"]).describe("By the quorum of the test, of the runs of this answer."),
	runs: z.array(syntheticRun),
	away: z.array(z.string()).describe("Locations without a worker that answered."),
});
export type RunTestAnswer = z.infer<typeof runTestAnswer>;

export const syntheticResultsQuery = z.strictObject({
	timeframe: timeframes(SYNTHETIC_TIMEFRAMES),
	...windowParameters,
	limit: z.coerce.number().int().min(1).max(1_000).default(100).describe("Most failures that are listed."),
});
export type SyntheticResultsQuery = z.input<typeof syntheticResultsQuery>;
const responseTime = z.object({ p50: milliseconds, p95: milliseconds }).describe("Of the runs that were ok.");
export const syntheticResultsAnswer = z.object({
	test_id: z.string(),
	name: z.string(),
	type: z.enum(SYNTHETIC_TYPES),
	timeframe: z.string(),
	status: z
		.enum(["healthy", "degraded", "down"])
		.nullable()
		.describe(
			"By the last run of each location: down when as many as the quorum failed, degraded when any failed or was slow. Null when none ran within three intervals before the end of the window.",
		),
	uptime_percentage: percent.describe(
		"Share of the observed time in which results were ok, percent, over all locations.",
	),
	runs: z.number().int(),
	failures_count: z.number().int(),
	response_time: responseTime,
	timings: phases.describe("Medians of the runs that were ok."),
	tls_days_left: z.number().nullable().describe("As of the newest run over TLS."),
	locations: z.array(
		z.object({
			location: z.string().nullable().describe("Null for heartbeats."),
			last_status: runStatus,
			last_run: timestamp,
			last_error: z.string().nullable(),
			uptime_percentage: percent,
			runs: z.number().int(),
			failures_count: z.number().int(),
			response_time: responseTime,
			timings: phases,
		}),
	),
	failures: z
		.array(
			z.object({
				timestamp,
				location: z.string().nullable(),
				status_code: z.number().int().nullable(),
				duration_ms: milliseconds,
				error: z.string().nullable(),
			}),
		)
		.describe("The newest first."),
	meta,
	explain: explanation.optional(),
});
export type SyntheticResultsAnswer = z.infer<typeof syntheticResultsAnswer>;
