import fc from "fast-check";
import { expect, test } from "vitest";
import { LocalBus } from "../../schema/live/bus.ts";
import {
	INTEREST_CHANNEL,
	INTEREST_INTERVAL_MS,
	LIVE_VERSION,
	type LiveFrame,
	type LivePart,
	type ProjectInterest,
	projectChannel,
} from "../../schema/live/frames.ts";
import { KEPT_TAGS, keptValue } from "../../schema/live/kept-tags.ts";
import { nameMatcher } from "../../schema/live/patterns.ts";
import type { METRIC_KINDS } from "../../schema/wire/ingest.ts";
import { until } from "../../tests/server.ts";
import { OpenBatch } from "../batch.ts";
import { SeriesRegistry } from "../series.ts";
import { LIVE_SPAN_MS } from "./fold.ts";
import { LiveTap } from "./tap.ts";

const NOW = Date.parse("2026-11-01T12:00:00Z");

/** An ingest process without its disk: what is committed goes to the tap, what it tells is gathered by project. */
function ingesting(interest: Readonly<Record<string, ProjectInterest>>) {
	const bus = new LocalBus();
	const registry = new SeriesRegistry({ perProject: 1_000_000 });
	const batch = new OpenBatch(1);
	const errors: unknown[] = [];
	let now = NOW;
	const tap = new LiveTap({ bus, registry, source: "me", clock: () => now, onError: (error) => errors.push(error) });
	const frames: LiveFrame[] = [];
	for (const project of ["p", "größe", "other"]) {
		bus.subscribe(projectChannel(project), (message) => frames.push(message as LiveFrame));
	}
	const say = (projects: Readonly<Record<string, ProjectInterest>>) =>
		bus.publish(INTEREST_CHANNEL, { type: "interest", v: LIVE_VERSION, source: "viewers", projects });
	say(interest);
	return {
		...{ bus, registry, batch, errors, frames, tap, say },
		commit: () => tap.commit(batch.seal()),
		pass: (ms: number) => {
			now += ms;
		},
	};
}

const watches = (...names: string[]): ProjectInterest => ({ names, logs: false });

interface Point {
	readonly project: string;
	readonly name: string;
	readonly kind: (typeof METRIC_KINDS)[number];
	readonly tags: readonly (readonly [string, string])[];
	readonly ts: number;
	readonly value: number;
}

const names = [...Array.from({ length: 400 }, (_, i) => `many.${i}`), "größe", "http.server.request.duration"];
const pointArbitrary: fc.Arbitrary<Point> = fc.record({
	project: fc.constantFrom("p", "größe", "other"),
	name: fc.constantFrom(...names, ...Array.from({ length: 400 }, () => "http.server.request.duration")),
	kind: fc.constantFrom("gauge", "counter", "distribution"),
	tags: fc
		.record({ status: fc.constantFrom("200", "500"), error: fc.constantFrom("", "a", "b"), route: fc.string() })
		.map(
			({ status, error, route }) =>
				[
					...(error === "" ? [] : [["error.type", error] as const]),
					["http.response.status_code", status],
					["http.route", route],
				] as const,
		),
	ts: fc.integer({ min: NOW - 2 * LIVE_SPAN_MS, max: NOW + 2 * LIVE_SPAN_MS }),
	value: fc.integer({ min: -1_000, max: 1_000 }),
});

/** What a frame says of points, worked out one by one. */
function truth(points: readonly Point[], interest: Readonly<Record<string, ProjectInterest>>): Map<string, object> {
	const groups = new Map<string, Point[]>();
	for (const point of points) {
		const watched = interest[point.project];
		if (!watched || !nameMatcher(watched.names)(point.name)) continue;
		if (point.ts < NOW - LIVE_SPAN_MS || point.ts > NOW + LIVE_SPAN_MS) continue;
		const kept = point.tags.filter(([tag]) => KEPT_TAGS[point.name]?.includes(tag));
		const tags = Object.fromEntries(kept.map(([tag, value]) => [tag, keptValue(tag, value)]));
		const key = JSON.stringify([point.project, point.name, point.kind, tags]);
		groups.set(key, [...(groups.get(key) ?? []), point]);
	}
	return new Map(
		[...groups].map(([key, of]) => {
			const values = of.map(({ value }) => value);
			const last_at = Math.max(...of.map(({ ts }) => ts));
			return [
				key,
				{
					...{ n: of.length, sum: values.reduce((a, b) => a + b, 0) },
					...{ min: Math.min(...values), max: Math.max(...values), last_at },
					last: of.filter(({ ts }) => ts === last_at).map(({ value }) => value),
				},
			];
		}),
	);
}

test("frames say of each commit what its points say, by project, name, kind and kept tags, and nothing that nobody watches", async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.array(pointArbitrary, { minLength: 1, maxLength: 600 }), { minLength: 1, maxLength: 3 }),
			fc.constantFrom<Readonly<Record<string, ProjectInterest>>>(
				{ p: watches("*") },
				{ p: watches("http.*", "many.1*"), größe: watches("größe", "http.server.request.duration") },
				{ other: watches("nothing.of.this") },
			),
			async (commits, interest) => {
				const { registry, batch, commit, frames, tap, errors } = ingesting(interest);
				for (const points of commits) {
					for (const { project, name, kind, tags, ts, value } of points) {
						batch.seriesPoints(registry.resolve(project, name, tags, kind, "")!, [ts], [value]);
					}
					commit();
				}
				await tap.settled();
				tap.close();
				const found = new Map(
					frames.flatMap(({ project, parts }) =>
						parts.map(({ name, kind, tags, n, sum, min, max, last, last_at }) => [
							JSON.stringify([project, name, kind, tags]),
							{ n, sum, min, max, last_at, last },
						]),
					),
				) as Map<string, LivePart>;
				const expected = truth(commits.flat(), interest);
				expect([...found.keys()].sort()).toEqual([...expected.keys()].sort());
				for (const [key, { last, ...rest }] of found) {
					const { last: lasts, ...sums } = expected.get(key) as { last: number[] };
					expect(rest).toEqual(sums);
					// Of several with one time any may be the last.
					expect(lasts).toContain(last);
				}
				expect(frames.every(({ left_out }) => left_out.metrics === 0)).toBe(true);
				expect(errors).toEqual([]);
			},
		),
		{ numRuns: 60, seed: 7 },
	);
});

test("running totals are told as increases: a reset counts from zero, the first of a series and late ones tell nothing", async () => {
	const { registry, batch, commit, frames, tap } = ingesting({ p: watches("total") });
	const series = (host: string) => registry.resolve("p", "total", [["host", host]], "cumulative", "")!;
	batch.seriesPoints(series("a"), [NOW, NOW + 10, NOW + 20, NOW + 15, NOW + 30], [100, 130, 150, 9_999, 7]);
	batch.seriesPoints(series("b"), [NOW], [5_000]);
	commit();
	batch.seriesPoints(series("b"), [NOW + 40], [5_001]);
	commit();
	await tap.settled();
	tap.close();
	expect(frames.flatMap(({ parts }) => parts)).toEqual([
		{
			...{ signal: "metric", name: "total", kind: "cumulative", tags: {} },
			...{ n: 4, sum: 30 + 20 + 7 + 1, min: 1, max: 30, last: 1, last_at: NOW + 40 },
		},
	]);
});

test("what a running total grew by while nobody watched it is not told as one increase", async () => {
	const { registry, batch, commit, frames, tap, say } = ingesting({ p: watches("total") });
	const total = (value: number, ts: number) => {
		batch.seriesPoints(registry.resolve("p", "total", [], "cumulative", "")!, [ts], [value]);
		commit();
	};
	total(1, NOW);
	await tap.settled();
	// Others are watched meanwhile, then nobody is.
	say({ p: watches("another") });
	total(100, NOW + 1);
	await tap.settled();
	say({ p: watches("total") });
	total(103, NOW + 2);
	await tap.settled();
	say({});
	total(900, NOW + 3);
	say({ p: watches("total") });
	total(1_000, NOW + 4);
	total(1_004, NOW + 5);
	await tap.settled();
	tap.close();
	expect(frames.flatMap(({ parts }) => parts).reduce((sum, part) => sum + part.sum, 0)).toBe(3 + 4);
});

test("events are counted by name, calls of models with how they ended; lines come whole, and those too many are counted", async () => {
	const { batch, commit, frames, tap } = ingesting({ p: { names: ["model_inference_completed", "a.*"], logs: true } });
	const ids = { event_id: "", user_id: "", account_id: "", session_id: "" };
	const event = (name: string, strings: [string, string][] = [], numbers: [string, number][] = []) =>
		batch.event("p", { ...ids, event: name, ts: NOW, strings, numbers }, NOW);
	event("a.b");
	event("a.b");
	event("nobody.asked");
	event("model_inference_completed", [["error_type", "timeout"]], [["latency_ms", 30_000]]);
	event("model_inference_completed", [["success", "false"]]);
	event("model_inference_completed", [["success", "true"]], [["latency_ms", 40]]);
	for (let i = 0; i < 250; i++) {
		batch.log(
			"p",
			{
				ts: NOW + i,
				level: "ERROR",
				component: "api",
				message: `größe ${i}`,
				context: '{"a":1}',
				trace_id: "t",
				span_id: "s",
			},
			NOW,
		);
	}
	batch.log(
		"other",
		{ ts: NOW, level: "INFO", component: "", message: "x", context: "", trace_id: "", span_id: "" },
		NOW,
	);
	commit();
	await tap.settled();
	tap.close();
	expect(frames.map(({ project }) => project)).toEqual(["p"]);
	const [{ parts, logs, left_out }] = frames as [LiveFrame];
	expect(parts.map(({ name, tags, n, sum }) => ({ name, tags, n, sum }))).toEqual([
		{ name: "a.b", tags: {}, n: 2, sum: 0 },
		{ name: "model_inference_completed", tags: { error_type: "timeout", latency_ms: "known" }, n: 1, sum: 30_000 },
		{ name: "model_inference_completed", tags: { success: "false" }, n: 1, sum: 0 },
		{ name: "model_inference_completed", tags: { latency_ms: "known" }, n: 1, sum: 40 },
	]);
	expect(logs[3]).toEqual({
		...{ ts: NOW + 3, id: expect.stringMatching(/^\d+$/), level: "ERROR", component: "api", message: "größe 3" },
		...{ context: '{"a":1}', trace_id: "t", span_id: "s" },
	});
	expect(logs.length + left_out.logs).toBe(250);
	expect(left_out.logs).toBeGreaterThan(0);
});

test("frames of a project are numbered without holes, whoever watches what in between", async () => {
	const { registry, batch, commit, frames, tap, say, pass } = ingesting({ p: watches("x") });
	const point = (project = "p") => {
		batch.seriesPoints(registry.resolve(project, "x", [], "gauge", "")!, [NOW], [1]);
		commit();
	};
	for (let i = 0; i < 3; i++) {
		point();
		await until(() => frames.length === i + 1);
	}
	// Who watches and does not say so again is forgotten, and nothing is told any more.
	pass(3 * INTEREST_INTERVAL_MS);
	tap.forgetSilent();
	point();
	await tap.settled();
	say({ p: watches("x"), other: watches("x") });
	point();
	point("other");
	await tap.settled();
	tap.close();
	expect(frames.map(({ project, seq }) => [project, seq])).toEqual([
		["p", 0],
		["p", 1],
		["p", 2],
		["p", 3],
		["other", 0],
	]);
});
