import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { z } from "zod";
import {
	errorRecord,
	eventRecord,
	logRecord,
	metricPoint,
	metricSeries,
	profileRecord,
	RECORD_LIMITS,
} from "../../schema/wire/ingest.ts";
import { parseError } from "./error.ts";
import { parseEvent } from "./event.ts";
import { parseLog } from "./log.ts";
import { parseMetric } from "./metric.ts";
import { Problem } from "./problem.ts";
import { parseProfile } from "./profile.ts";
import { parseTimestamp, timeBounds } from "./time.ts";

const NOW = Date.UTC(2026, 4, 17, 12);
const BOUNDS = timeBounds(NOW, 90);

const key = fc.constantFrom(
	"__proto__",
	"constructor",
	"a",
	"user_id",
	"session_id",
	"",
	"x".repeat(201),
	"é",
	"tab\t",
);
const scalar = fc.oneof(
	fc.constantFrom(null, true, "", "text", "NaN", "\0", "x".repeat(300), "warn", "ERROR", "odd", "info"),
	fc.double(),
	fc.integer(),
);
const anything = fc.oneof({ weight: 3, arbitrary: scalar }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) });
const object = fc.oneof(fc.dictionary(key, anything, { maxKeys: 4 }), anything);
const name = fc.oneof(
	{ weight: 5, arbitrary: fc.constantFrom("cpu", "日本", "x".repeat(200)) },
	{ weight: 1, arbitrary: anything },
);
const time = fc.oneof(
	{ weight: 4, arbitrary: fc.integer({ min: NOW - 10 ** 9, max: NOW }) },
	{
		weight: 1,
		arbitrary: fc.constantFrom("2026-05-01T00:00:00Z", "2026-13-01T00:00:00Z", 1e300, -1, "0000-01-01T00:00:00Z"),
	},
	{ weight: 1, arbitrary: anything },
);

/** Records of one kind with members that are mostly right, each sometimes missing and sometimes anything. */
function records(members: Record<string, fc.Arbitrary<unknown>>, required: string[]): fc.Arbitrary<unknown> {
	const some = fc.record(members, { requiredKeys: required });
	return fc.oneof(
		{ weight: 12, arbitrary: some },
		{ weight: 2, arbitrary: fc.record(members, { requiredKeys: [] }) },
		{ weight: 1, arbitrary: anything },
	);
}

const text = (good: string[]) =>
	fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: anything });
const number = fc.oneof(
	{ weight: 6, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
	{ weight: 1, arbitrary: anything },
);

const amount = fc.oneof(
	{ weight: 8, arbitrary: fc.constantFrom(0, 1.5, 7, 2 ** 53, 2 ** 62) },
	{ weight: 1, arbitrary: fc.constantFrom(-1, 2 ** 63, Number.NaN) },
	{ weight: 1, arbitrary: anything },
);
const span = fc.oneof(
	{
		weight: 12,
		arbitrary: fc.record(
			{
				name: text(["tokenize", "größe"]),
				parent: text(["run"]),
				start_ns: fc.constantFrom(0, 1),
				end_ns: fc.constantFrom(1, 9),
			},
			{ requiredKeys: ["name", "start_ns", "end_ns"] },
		),
	},
	{ weight: 1, arbitrary: fc.record({ name, parent: name, start_ns: amount, end_ns: amount }, { requiredKeys: [] }) },
	{ weight: 1, arbitrary: anything },
);

const CASES: [string, z.ZodType, (record: unknown) => unknown, fc.Arbitrary<unknown>][] = [
	[
		"a metric point",
		metricPoint,
		(record) => parseMetric(record, BOUNDS),
		records(
			{ name, value: number, tags: object, unit: text(["s"]), kind: text(["gauge", "counter"]), timestamp: time },
			["name", "value"],
		),
	],
	[
		"a metric series",
		metricSeries,
		(record) => parseMetric(record, BOUNDS),
		fc.nat(3).chain((n) =>
			records(
				{
					name,
					timestamps: fc.oneof(
						{ weight: 6, arbitrary: fc.array(time, { minLength: n, maxLength: n }) },
						{ weight: 1, arbitrary: anything },
					),
					values: fc.oneof(
						{ weight: 6, arbitrary: fc.array(number, { minLength: n, maxLength: n }) },
						{ weight: 1, arbitrary: anything },
					),
					tags: object,
				},
				["name", "timestamps", "values"],
			),
		),
	],
	[
		"an event",
		eventRecord,
		(record) => parseEvent(record, BOUNDS),
		records({ event: name, properties: object, user_id: text(["u"]), event_id: text(["e"]), timestamp: time }, [
			"event",
		]),
	],
	[
		"a log line",
		logRecord,
		(record) => parseLog(record, BOUNDS),
		records(
			{
				message: text(["hello", ""]),
				level: text(["info", "WARN"]),
				component: text(["api"]),
				context: object,
				timestamp: time,
			},
			["message"],
		),
	],
	[
		"an error",
		errorRecord,
		(record) => parseError(record, BOUNDS),
		records(
			{
				error_message: text(["boom"]),
				error_type: name,
				stack_trace: text(["at a.js:1"]),
				context: object,
				severity: text(["fatal"]),
			},
			["error_message", "error_type"],
		),
	],
	[
		"a profile",
		profileRecord,
		(record) => parseProfile(record, BOUNDS),
		records(
			{
				operation: name,
				wall_ns: amount,
				cpu_ns: amount,
				alloc_bytes: amount,
				spans: fc.oneof({ weight: 9, arbitrary: fc.array(span, { maxLength: 3 }) }, { weight: 1, arbitrary: anything }),
				success: fc.oneof({ weight: 9, arbitrary: fc.boolean() }, { weight: 1, arbitrary: anything }),
				component: text(["api"]),
				user_id: text(["u"]),
				trace_id: text(["t"]),
				timestamp: time,
			},
			["operation", "wall_ns"],
		),
	],
];

describe.each(CASES)("the hand-written check of %s", (_, schema, parse, arbitrary) => {
	it("decides as the contract does, but for times, and names a field when it refuses", () => {
		let accepted = 0;
		fc.assert(
			fc.property(arbitrary, (record) => {
				const result = parse(record);
				const valid = schema.safeParse(record).success;
				if (!(result instanceof Problem)) {
					accepted++;
					expect(valid).toBe(true);
				} else if (valid) expect(result.field).toMatch(/^timestamp|^properties\.user_id|^properties\.session_id/);
				else expect(result.reason).not.toBe("not a valid record");
			}),
			{ numRuns: 2_000 },
		);
		expect(accepted).toBeGreaterThan(50);
	});
});

describe("timestamps", () => {
	it.each([
		[NOW / 1_000, NOW],
		[NOW, NOW],
		[NOW * 1e3, NOW],
		[NOW * 1e6, NOW],
		["2026-05-17T12:00:00Z", NOW],
		["2026-05-17T12:00:00.123456789Z", NOW + 123],
		["2026-05-17T17:45:00+05:45", NOW],
		["2026-05-17 12:00:00z", NOW],
		[undefined, NOW],
		[NOW + 3_600_000, NOW + 3_600_000],
	])("%s is read as %d", (value, ms) => {
		expect(parseTimestamp(value, BOUNDS)).toBe(ms);
	});

	it.each([
		[NOW + 3_600_001, "more than 1 hour in the future"],
		["9999-12-31T23:59:59Z", "more than 1 hour in the future"],
		["0000-01-01T00:00:00Z", "older than the retention of 90 days"],
		[0, "older than the retention of 90 days"],
		["2026-02-30T00:00:00Z", "must be RFC 3339 text"],
		["2026-05-17", "must be RFC 3339 text"],
		["yesterday", "must be RFC 3339 text"],
		[true, "must be RFC 3339 text or an epoch number"],
	])("%s is refused: %s", (value, reason) => {
		expect(parseTimestamp(value, BOUNDS)).toMatchObject({
			field: "timestamp",
			reason: expect.stringContaining(reason),
		});
	});
});

describe("events", () => {
	it("take their ids from the properties, but no session of a reserved family", () => {
		const properties = {
			user_id: 7,
			session_id: "s",
			nested: { deep: { x: 1 } },
			list: [1, 2],
			yes: true,
			nothing: null,
		};
		expect(parseEvent({ event: "a", properties }, BOUNDS)).toMatchObject({
			user_id: "7",
			session_id: "s",
			strings: [
				["list", "[1,2]"],
				["yes", "true"],
			],
			numbers: [["nested.deep.x", 1]],
		});
		const training = parseEvent({ event: "fl.round.completed", properties: { session_id: "s" } }, BOUNDS);
		expect(training).toMatchObject({ session_id: "", strings: [["session_id", "s"]] });
	});
});

describe("log messages", () => {
	it("over the limit are cut between characters and marked", () => {
		const row = parseLog({ message: "ü".repeat(RECORD_LIMITS.messageBytes) }, BOUNDS) as { message: string };
		expect(Buffer.byteLength(row.message)).toBeLessThanOrEqual(RECORD_LIMITS.messageBytes);
		expect(row.message).toMatch(/^ü+ …\[cut\]$/);
	});
});

describe("profiles", () => {
	const good = { operation: "run", wall_ns: 1_000 };

	it("succeed unless they say otherwise, and a span without a parent stands below the operation", () => {
		const spans = [
			{ name: "a", start_ns: 0, end_ns: 10.4 },
			{ name: "b", parent: null, start_ns: 1, end_ns: 2 },
			{ name: "c", parent: "a", start_ns: 1, end_ns: 1 },
		];
		expect(parseProfile({ ...good, cpu_ns: 0, spans }, BOUNDS)).toEqual({
			...{ ts: NOW, operation: "run", component: "", user_id: "", trace_id: "", success: true, wall_ns: 1_000 },
			cpu_ns: 0,
			alloc_bytes: undefined,
			spans: [
				{ name: "a", parent: "run", start_ns: 0, end_ns: 10 },
				{ name: "b", parent: "run", start_ns: 1, end_ns: 2 },
				{ name: "c", parent: "a", start_ns: 1, end_ns: 1 },
			],
		});
	});

	it.each([
		["wall_ns", { wall_ns: -1 }],
		["cpu_ns", { cpu_ns: null }],
		["alloc_bytes", { alloc_bytes: "1" }],
		["success", { success: "yes" }],
		["spans", { spans: Array.from({ length: 2_001 }, () => 0) }],
		[
			"spans.1.name",
			{
				spans: [
					{ name: "a", start_ns: 0, end_ns: 1 },
					{ name: "", start_ns: 0, end_ns: 1 },
				],
			},
		],
		["spans.0.end_ns", { spans: [{ name: "a", start_ns: 2, end_ns: 1 }] }],
		["spans.0.parent", { spans: [{ name: "a", parent: "x".repeat(201), start_ns: 0, end_ns: 1 }] }],
	])("are refused with the path of what is wrong: %s", (field, wrong) => {
		expect(parseProfile({ ...good, ...wrong }, BOUNDS)).toMatchObject({ field });
	});
});

describe("issues", () => {
	const stack = (line: number, id: string) =>
		`Error: no\n    at load (/app/src/load.js:${line}:7)\n    at /app/node_modules/x/y.js:1:1\n    at run (/app/src/job-${id}.js:3:1)`;
	it("keep their fingerprint over lines, columns and ids, and differ by type and by frames", () => {
		const of = (error_type: string, stack_trace: string) => {
			const { issueHigh, issueLow } = parseError({ error_message: "m", error_type, stack_trace }, BOUNDS) as {
				issueHigh: number;
				issueLow: number;
			};
			return `${issueHigh}-${issueLow}`;
		};
		expect(of("E", stack(10, "17"))).toBe(of("E", stack(99, "18")));
		expect(of("E", stack(10, "17"))).not.toBe(of("F", stack(10, "17")));
		expect(of("E", stack(10, "17"))).not.toBe(of("E", stack(10, "17").replace("load (", "save (")));
	});
});
