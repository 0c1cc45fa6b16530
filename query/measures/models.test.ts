import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../../schema/migrate.ts";
import { render } from "../../schema/render.ts";
import { retentionDays } from "../../schema/retention.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { randomFrom } from "../../tests/support/random.ts";
import { insertEvents, type TestEvent } from "../../tests/support/records.ts";
import { type Asker, Queries } from "../run.ts";
import { bucketsOver } from "../time/buckets.ts";
import { modelService } from "./model-service.ts";
import { type Model, type ModelCalls, type ModelScope, modelCalls, modelCover } from "./models.ts";
import { reachOf } from "./scope.ts";

const ZONES = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"];
/** Both changes of the clock lie inside: Lord Howe's on the 3rd of October (UTC), New York's on the 1st of November. */
const FROM = Date.parse("2026-09-30T00:00:00Z");
const TO = Date.parse("2026-11-05T00:00:00Z");
const base = { now: TO, reach: reachOf(NO_EXPIRY) };
const MODELS = ["gpt-4", "mistral-7b «fr»", "a'b\"/c\\", ""];

let database: TestDatabase;
let asker: Asker;
let all: TestEvent[];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	asker = new Queries({ client: database.client, secondLock: false }).of("p");
	all = eventsOf(5, 6_000);
	// Late and shuffled: three inserts, each with every third event.
	for (const part of [2, 0, 1]) {
		await insertEvents(
			database.client,
			"p",
			all.filter((_, i) => i % 3 === part),
		);
	}
	await insertEvents(database.client, "other", eventsOf(6, 200));
});
afterAll(() => database?.stop());

function eventsOf(seed: number, n: number): TestEvent[] {
	const u = randomFrom(seed);
	const pick = <T>(from: readonly T[]): T => from[Math.floor(u() * from.length)]!;
	return Array.from({ length: n }, (_, i) => {
		const properties: Record<string, string | number> = {};
		const set = (name: string, value: string | number, chance = 0.8) => {
			if (value !== "" && u() < chance) properties[name] = value;
		};
		set("model", pick(MODELS), 1);
		set("success", pick(["true", "true", "true", "false", "False", 1, 0]));
		set("error_type", pick(["timeout", "cancelled", "rate_limit", 'it\'s "odd"']), 0.3);
		set("latency_ms", i % 50 === 0 ? 0 : Math.exp(12 * u() - 3), 0.9);
		set("response_chars", Math.floor(u() * 1_000));
		set("input_tokens", Math.floor(u() * 100), 0.6);
		set("output_tokens", Math.floor(u() * 100), 0.6);
		set("tokens", Math.floor(u() * 500), 0.4);
		set("memory_mb", u() * 4_000, 0.3);
		set("cpu_percent", u() * 100, 0.3);
		const ts = Math.floor(FROM + u() * (TO - FROM));
		// Some lie exactly on boundaries, where an off-by-one would show.
		return { event: "model_inference_completed", ts: i % 7 === 0 ? ts - (ts % 900_000) : ts, properties };
	});
}

interface Sums extends ModelCalls {
	readonly latencies: number[];
}

/** The same counts and sums in plain code. */
function sumsOf(events: readonly TestEvent[]): Sums {
	const properties = events.map((event) => event.properties!);
	const count = (of: (p: Record<string, string | number>) => boolean) => properties.filter(of).length;
	const sum = (values: readonly (string | number | undefined)[]) =>
		values.reduce<number>((total, value) => total + Number(value ?? 0), 0);
	const named = (name: string) => properties.flatMap((p) => p[name] ?? []);
	const saysFailed = (p: Record<string, string | number>) => ["false", "False", 0].includes(p.success ?? "");
	const latencies = properties
		.filter((p) => p.error_type !== "timeout" && p.error_type !== "cancelled")
		.flatMap((p) => (p.latency_ms === undefined ? [] : [Number(p.latency_ms)]));
	const tokens = properties.flatMap((p) => {
		const parts = [p.input_tokens, p.output_tokens].filter((part) => part !== undefined);
		if (parts.length < 2 && p.tokens !== undefined) return [Number(p.tokens)];
		return parts.length === 0 ? [] : [sum(parts)];
	});
	return {
		requests: properties.length,
		cancelled: count((p) => p.error_type === "cancelled"),
		timeouts: count((p) => p.error_type === "timeout"),
		failed: count((p) =>
			p.error_type === undefined ? saysFailed(p) : p.error_type !== "timeout" && p.error_type !== "cancelled",
		),
		timed: latencies.length,
		latency_ms: sum(latencies),
		measured: named("response_chars").length,
		response_chars: sum(named("response_chars")),
		metered: tokens.length,
		tokens: sum(tokens),
		memory_samples: named("memory_mb").length,
		memory_mb: sum(named("memory_mb")),
		cpu_samples: named("cpu_percent").length,
		cpu_percent: sum(named("cpu_percent")),
		latencies,
	};
}

function expectSums(found: ModelCalls, expected: Sums): void {
	for (const [name, value] of Object.entries(expected)) {
		if (typeof value !== "number") continue;
		const got = found[name as keyof ModelCalls];
		expect(Math.abs(got - value), `${name}: ${got} for ${value}`).toBeLessThanOrEqual(1e-9 * Math.max(1, value));
	}
}

/** Within 1 % of the values around the rank, which is what the sketch promises; 2 % where it has one bucket for two, at 1. */
function expectQuantile(found: number | null, values: readonly number[], level: number): void {
	expect(found === null).toBe(values.length === 0);
	if (values.length === 0) return;
	const sorted = [...values].sort((a, b) => a - b);
	const rank = level * (sorted.length - 1);
	const around = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!].flatMap((value) => {
		const error = Math.abs(value - 1) < 0.0203 ? 0.0203 : 0.0101;
		return [value * (1 - error), value * (1 + error)];
	});
	expect(found).toBeGreaterThanOrEqual(Math.min(...around));
	expect(found).toBeLessThanOrEqual(Math.max(...around));
}

const scopes = fc
	.record({
		zone: fc.constantFrom(...ZONES),
		daily: fc.boolean(),
		end: fc.integer({ min: FROM + 1, max: TO }),
		days: fc.double({ min: 0.001, max: 35, noNaN: true }),
		model: fc.constantFrom(undefined, ...MODELS.map((name) => name || "unknown")),
		step: fc.constantFrom(1, 900_000, 3_600_000, 86_400_000),
	})
	.map(({ zone, daily, end, days, model, step }): ModelScope => {
		const at = end - (end % step);
		const start = at - Math.ceil((days * 86_400_000) / step) * step;
		return { ...base, start, end: at, model, buckets: daily ? bucketsOver(start, at, "1d", zone) : undefined };
	});

const expectedOf = ({ start, end, model }: ModelScope): Map<string, TestEvent[]> => {
	const found = new Map<string, TestEvent[]>();
	for (const event of all.filter(({ ts }) => ts >= start && ts < end)) {
		const name = String(event.properties!.model ?? "unknown");
		if (model === undefined || model === name) found.set(name, [...(found.get(name) ?? []), event]);
	}
	return found;
};

test("calls of every model, over any window and by the days of any zone, equal the events themselves", async () => {
	await fc.assert(
		fc.asyncProperty(scopes, fc.constantFrom("calls", "rollups"), async (scope, source) => {
			const expected = expectedOf(scope);
			const found = await asker.ask(modelCalls(scope, source));
			expect(found.map(({ name }) => name).sort()).toEqual([...expected.keys()].sort());
			const requests = found.map((model) => model.requests);
			expect(requests).toEqual([...requests].sort((a, b) => b - a));
			for (const model of found) expectModel(model, expected.get(model.name)!, scope);
		}),
		{ numRuns: 60, seed: 4 },
	);
});

function expectModel(model: Model, events: readonly TestEvent[], { buckets }: ModelScope): void {
	const sums = sumsOf(events);
	expectSums(model, sums);
	expectQuantile(model.p95_ms, sums.latencies, 0.95);
	expectQuantile(model.p99_ms, sums.latencies, 0.99);
	const byBucket = new Map<number, TestEvent[]>();
	for (const event of events) {
		const t = buckets?.starts.findLast((start) => start * 1_000 <= event.ts) ?? 0;
		byBucket.set(t, [...(byBucket.get(t) ?? []), event]);
	}
	expect([...model.buckets.keys()].sort()).toEqual([...byBucket.keys()].sort());
	for (const [t, some] of byBucket) expectSums(model.buckets.get(t)!, sumsOf(some));
}

describe("a window is covered", () => {
	const hour = (text: string) => Date.parse(`2026-10-${text}:00Z`);
	const [start, end] = [hour("01T22:30"), hour("04T02:10")];
	const in_days = (days: number, zone: string) => {
		const to = end + days * 86_400_000;
		return modelCover({ start, end: to, buckets: bucketsOver(start, to, "1d", zone) });
	};
	test("by whole hours where it is short, and hours that a day of the zone divides by their calls", () => {
		const whole = { start: hour("01T23:00"), end: hour("04T02:00") };
		expect(in_days(0, "Asia/Kathmandu")).toEqual({
			...{ whole, step: "hour", dividesDays: true, divided: [hour("02T18:00"), hour("03T18:00")] },
		});
		expect(in_days(0, "UTC")).toEqual({ whole, step: "hour", dividesDays: false, divided: [] });
	});
	test("by whole days where it is long, and by their hours where a day of the zone divides them", () => {
		const whole = { start: hour("02T00:00"), end: hour("10T00:00") };
		expect(in_days(6, "UTC")).toEqual({ whole, step: "day", dividesDays: false, divided: [] });
		expect(in_days(6, "Europe/Paris")).toEqual({ whole, step: "day", dividesDays: true, divided: [] });
		expect(in_days(6, "Asia/Kathmandu").divided).toHaveLength(8);
	});
	test("by calls alone when it has no whole hour", () => {
		expect(modelCover({ start: hour("01T22:30"), end: hour("01T23:20") }).whole).toBeUndefined();
	});
});

test("what was stored before the tables existed is filled in, and filling in twice changes nothing", async () => {
	const scope: ModelScope = { ...base, start: FROM, end: TO };
	const judgements = async () => {
		const query = "SELECT * FROM judgements ORDER BY ALL";
		return (await database.client.query({ query, format: "JSONEachRow" })).json();
	};
	const verdict = (event: string, properties: Record<string, string | number>): TestEvent => ({
		event,
		ts: TO,
		properties,
	});
	await insertEvents(database.client, "judges", [
		verdict("feedback.submitted", { rating: "up", model: "m", target_type: "response", target_id: "c'1" }),
		verdict("feedback.submitted", { rating: 7, scale: 10, source: "not kept" }),
		verdict("gen_ai.evaluation.result", {
			name: "Coherence",
			value: "3",
			source: "Human",
			evaluator: "é",
			scale_min: 0,
		}),
		verdict("gen_ai.evaluation.result", {
			"gen_ai.evaluation.name": "relevance",
			"gen_ai.evaluation.score.value": 0.4,
		}),
	]);
	const before = await asker.ask(modelCalls(scope, "rollups"));
	const judged = await judgements();
	expect(judged).toHaveLength(4);
	for (const name of ["model_calls", "model_hours", "model_day_sums", "judgements"]) {
		const { text } = migrations().find((migration) => migration.name === name)!;
		for (const query of render(text, { database: "tidemark", days: retentionDays(NO_EXPIRY) })) {
			if (/^(TRUNCATE|INSERT)/m.test(query)) await database.client.command({ query });
		}
	}
	expect(await judgements()).toEqual(judged);
	const after = await asker.ask(modelCalls(scope, "rollups"));
	const rounded = (models: readonly Model[]) =>
		models.map(({ buckets: _, ...model }) =>
			Object.fromEntries(
				Object.entries(model).map(([name, value]) => [
					name,
					typeof value === "number" ? Number(value.toPrecision(10)) : value,
				]),
			),
		);
	expect(rounded(after)).toEqual(rounded(before));
});

test("the backend is the model of the latest success, and as fast as its calls of five minutes that were timed", async () => {
	const at = (seconds: number) => TO + 86_400_000 - seconds * 1_000;
	const call = (seconds: number, properties: Record<string, string | number>): TestEvent => ({
		...{ event: "model_inference_completed", ts: at(seconds), properties },
	});
	await insertEvents(database.client, "service", [
		call(1, { model: "broken", error_type: "timeout", latency_ms: 30_000 }),
		call(2, { success: "true" }),
		call(3, { model: "newest", latency_ms: 100 }),
		call(200, { model: "older", success: "true", latency_ms: 300 }),
		call(301, { model: "old", success: "true", latency_ms: 9_000 }),
		call(0, { model: "after", success: "true", latency_ms: 1 }),
	]);
	const service = new Queries({ client: database.client, secondLock: false }).of("service");
	expect(await service.ask(modelService({ ...base, start: FROM, end: at(0) }))).toEqual({
		...{ model: "newest", latency_ms: 200 },
	});
});
