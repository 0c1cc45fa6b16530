import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AiPerformanceAnswer, aiConversationsAnswer, aiPerformanceAnswer } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { type Reads, startReads } from "../../tests/support/reads.ts";
import { insertEvents, insertSeries, type TestEvent } from "../../tests/support/records.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["rates", "judged", "gauges", "days", "talks", "moods", "tongues", "quiet"];
	reads = await startReads(database.client, { projects, now: NOW });
});
afterAll(() => database?.stop());

type Parameters = Record<string, string | number>;
async function ask(project: string, path: string, parameters: Parameters = {}) {
	const { status, body } = await reads.get(project, path, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return body;
}
const performance = async (project: string, parameters?: Parameters) =>
	aiPerformanceAnswer.strict().parse(await ask(project, "/analytics/ai/performance", parameters));
const conversations = async (project: string, parameters?: Parameters) =>
	aiConversationsAnswer.strict().parse(await ask(project, "/analytics/ai/conversations", parameters));

type Properties = Readonly<Record<string, string | number>>;
const call = (ts: number, properties: Properties): TestEvent => ({
	event: "model_inference_completed",
	ts,
	properties,
});
const rate = (properties: Properties, ts = NOW - MINUTE): TestEvent => ({
	event: "feedback.submitted",
	ts,
	properties,
});
const judge = (properties: Properties): TestEvent => ({
	...{ event: "gen_ai.evaluation.result", ts: NOW - MINUTE, properties },
});
const times = <T>(n: number, of: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => of(i));
const modelOf = ({ models }: AiPerformanceAnswer, name: string) => models.find((model) => model.name === name)!;
const units = (shares: readonly (number | null)[], digits: number) =>
	shares.reduce<number>((total, share) => total + Math.round((share ?? 0) * 10 ** digits), 0);

describe("models", () => {
	test("success, timeout and error are all that was not cancelled: they add up to exactly 1, however they round", async () => {
		const ways = fc.array(fc.nat(40), { minLength: 4, maxLength: 4 });
		const counts = fc.sample(ways, { numRuns: 40, seed: 3 });
		const kinds = ["", "timeout", "rate_limit", "cancelled"];
		await insertEvents(
			database.client,
			"rates",
			counts.flatMap((of, m) =>
				of.flatMap((n, kind) =>
					times(n, (i) => call(NOW - (i + 1) * MINUTE, { model: `m${m}`, error_type: kinds[kind]!, latency_ms: 5 })),
				),
			),
		);
		const answer = await performance("rates");
		for (const [m, [ok = 0, timeout = 0, error = 0, cancelled = 0]] of counts.entries()) {
			const model = modelOf(answer, `m${m}`);
			const ended = ok + timeout + error;
			expect(model).toMatchObject({ requests: ended + cancelled, cancelled });
			const rates = [model.success_rate, model.timeout_rate, model.error_rate];
			if (ended === 0) expect(rates).toEqual([null, null, null]);
			else {
				expect(units(rates, 4)).toBe(10_000);
				expect(Math.abs(model.timeout_rate! - timeout / ended)).toBeLessThan(0.0001);
			}
		}
	});

	test("one source makes a score, the most trusted; scales are mapped, what lies outside them does not count", async () => {
		await insertEvents(database.client, "judged", [
			call(NOW - MINUTE, { model: "a" }),
			call(NOW - MINUTE, { model: "b" }),
			judge({ model: "a", name: "coherence", value: 0.5, scale_min: 0, scale_max: 1, source: "human", evaluator: "z" }),
			judge({ model: "a", name: "Coherence", value: 1, scale_min: 0, scale_max: 1, source: "human", evaluator: "y" }),
			judge({ model: "a", name: "coherence", value: 1, source: "llm_judge" }),
			judge({ model: "a", name: "coherence", value: 7, source: "human" }),
			judge({ model: "a", name: "relevance", value: 2, source: "code", evaluator: "rules" }),
			judge({ model: "a", name: "relevance", value: 5, source: "imported" }),
			judge({ model: "a", name: "humour", value: 5, source: "human" }),
			// Four ratings are too few; feedback on other things is not about answers.
			...times(4, () => rate({ model: "a", target_type: "response", rating: 4 })),
			...times(9, () => rate({ model: "a", target_type: "feature", target_id: "chat", rating: 1 })),
			...times(4, () => rate({ model: "b", rating: "up" })),
			rate({ model: "b", rating: "thumbs_down" }),
			rate({ model: "b", rating: 6 }),
		]);
		const a = modelOf(await performance("judged"), "a").quality_metrics;
		expect(a).toMatchObject({ coherence_score: 4, relevance_score: 2, user_satisfaction: null });
		expect(a.evaluations).toEqual({
			coherence: { n: 2, source: "human", evaluators: ["y", "z"] },
			relevance: { n: 1, source: "code", evaluators: ["rules"] },
		});
		expect(a.ratings).toEqual({ n: 4, binary: false });
		const b = modelOf(await performance("judged", { model: "b" }), "b").quality_metrics;
		expect(b).toMatchObject({ user_satisfaction: 4.2, ratings: { n: 5, binary: true }, coherence_score: null });
	});

	test("a verdict that names no model is on the one whose call it names", async () => {
		// The helper numbers event_ids from 0: the third call here is "2".
		await insertEvents(database.client, "quiet", [
			call(NOW - 40 * DAY, { model: "old" }),
			call(NOW - MINUTE, { model: "old" }),
			call(NOW - MINUTE, { model: "x" }),
			...times(5, () => rate({ target_type: "response", target_id: "0", rating: 2 })),
			...times(5, () => rate({ target_type: "response", target_id: "2", rating: 5 })),
			rate({ target_type: "response", target_id: "nobody's", rating: 1 }),
		]);
		const answer = await performance("quiet");
		expect(answer.models.map(({ name, quality_metrics }) => [name, quality_metrics.user_satisfaction])).toEqual([
			["old", 2],
			["x", 5],
		]);
		expect((await performance("quiet", { model: "x" })).models).toHaveLength(1);
		expect((await performance("quiet", { model: "never" })).models).toEqual([]);
	});

	test("what a request does not say of memory and processor, gauges tagged with its model do", async () => {
		await insertEvents(database.client, "gauges", [
			call(NOW - MINUTE, { model: "says", memory_mb: 100, cpu_percent: 10 }),
			call(NOW - MINUTE, { model: "silent" }),
			call(NOW - MINUTE, { model: "hosted" }),
		]);
		const gauge = (name: string, model: string, values: readonly number[]) => ({
			...{ name, tags: { model }, points: values.map((value, i) => [NOW - (i + 1) * MINUTE, value] as const) },
		});
		await insertSeries(database.client, "gauges", [
			gauge("process.memory.usage", "silent", [2 ** 20, 3 * 2 ** 20]),
			gauge("process.memory.usage", "says", [2 ** 40]),
			gauge("process.cpu.utilization", "silent", [0.25, 0.75]),
		]);
		const used = (await performance("gauges")).models.map(({ name, resource_usage }) => [
			name,
			resource_usage.avg_memory_mb,
			resource_usage.avg_cpu_percent,
		]);
		expect(new Set(used)).toEqual(
			new Set([
				["says", 100, 10],
				["silent", 2, 50],
				["hosted", null, null],
			]),
		);
	});

	test("trends have every day of the zone, those without a request too; as_of is not counted", async () => {
		const midnight = Date.parse("2026-11-16T18:15:00Z");
		await insertEvents(database.client, "days", [
			call(midnight - 1, { model: "m", latency_ms: 100 }),
			call(midnight, { model: "m", latency_ms: 200 }),
			call(midnight + 1, { model: "m", latency_ms: 9_000, error_type: "timeout" }),
			call(NOW, { model: "m", latency_ms: 7 }),
		]);
		const { trends, models } = await performance("days", {
			...{ timezone: "Asia/Kathmandu", start: "2026-11-15T18:15:00Z", as_of: "2026-11-18T15:00:00Z" },
		});
		expect(models[0]!.requests).toBe(3);
		expect(trends.request_volume).toEqual([
			{ date: "2026-11-16", count: 1 },
			{ date: "2026-11-17", count: 2 },
			{ date: "2026-11-18", count: 0, partial: true },
		]);
		expect(trends.response_times.map(({ avg_ms }) => avg_ms)).toEqual([100, 200, null]);
	});
});

describe("conversations", () => {
	const started = (id: string, ts: number): TestEvent => ({
		...{ event: "conversation.started", ts, properties: { conversation_id: id } },
	});
	const ended = (id: string, ts: number, properties: Properties): TestEvent => ({
		...{ event: "conversation.ended", ts, properties: { conversation_id: id, ...properties } },
	});
	const rated = (id: string, rating: number, ts = NOW - MINUTE) =>
		rate({ target_type: "conversation", target_id: id, rating }, ts);

	test("shares of ratings, topics and moods add up; a conversation counts with its latest rating", async () => {
		const topics = ["a", "b", "b", "", "a", "b", "unclassified"];
		await insertEvents(database.client, "talks", [
			...topics.map((_, i) => started(`c${i}`, NOW - DAY + i)),
			...topics.map((topic, i) =>
				ended(`c${i}`, NOW - DAY + MINUTE, {
					...{ outcome: i < 3 ? "completed" : "abandoned", sentiment: ["positive", "neutral", "negative"][i % 3]! },
					...(topic === "" ? {} : { topic }),
				}),
			),
			...topics.map((_, i) => rated(`c${i}`, (i % 5) + 1)),
			rated("c0", 5, NOW - 2),
			rated("c0", 1, NOW),
			rated("nobody's", 1),
		]);
		const answer = await conversations("talks");
		const { conversation_metrics: metrics, topic_analysis: topicsFound } = answer;
		expect(metrics).toMatchObject({ total_conversations: 7, completion_rate: 0.4286, rated: 7, response_rate: 1 });
		// 5 (once 1), 2, 3, 4, 5, 1, 2.
		expect(metrics.satisfaction_distribution).toEqual({
			...{ very_satisfied: 0.2857, satisfied: 0.1428, neutral: 0.1429, unsatisfied: 0.2857, very_unsatisfied: 0.1429 },
		});
		expect(units(Object.values(metrics.satisfaction_distribution), 4)).toBe(10_000);
		expect(topicsFound.map(({ topic, count }) => [topic, count])).toEqual([
			["b", 3],
			["a", 2],
			["unclassified", 2],
		]);
		expect(
			units(
				topicsFound.map(({ percentage }) => percentage),
				1,
			),
		).toBe(1_000);
		expect(topicsFound[0]).toMatchObject({ avg_satisfaction: null, resolution_rate: null });
		const { positive, neutral, negative, trend } = answer.sentiment_analysis;
		expect([positive, neutral, negative, trend]).toEqual([0.4286, 0.2857, 0.2857, null]);
		expect(answer.sentiment_basis).toEqual({ of: "conversations", labelled: 7, coverage: 1 });
		expect(answer.conversation_metrics.avg_length).toBeNull();
		expect(answer.meta.missing.map(({ field }) => field)).toContain("conversation_metrics.avg_length");
	});

	test("a change of mood is one when it is large enough, no chance, and the window before was looked at", async () => {
		const message = (ts: number, compound: number): TestEvent => ({
			...{ event: "chat.message.sent", ts },
			properties: { role: "user", sentiment: "neutral", sentiment_method: "lexicon", sentiment_compound: compound },
		});
		const window = (days: number) => ({ start: new Date(NOW - days * DAY).toISOString() });
		await insertEvents(database.client, "moods", [
			...times(50, (i) => message(NOW - DAY + i, 0.5 + (i % 10) / 100)),
			...times(50, (i) => message(NOW - 2 * DAY + i, (i % 10) / 100)),
			// Noise with a mean 0.03 above.
			...times(10, (i) => message(NOW - 3 * DAY + i, i % 2 ? 1 : -0.94)),
		]);
		const trend = async (days: number, end = 0) => {
			const until = { end: new Date(NOW - end * DAY).toISOString() };
			return (await conversations("moods", { ...window(days), ...until })).sentiment_analysis.trend;
		};
		expect(await trend(1)).toBe("improving");
		expect(await trend(2, 1)).toBe("stable");
		// Nothing is known of the four days before.
		expect(await trend(4)).toBeNull();
		const { sentiment_basis, meta } = await conversations("moods", window(1));
		expect(sentiment_basis).toEqual({ of: "user_messages", labelled: 50, coverage: 1 });
		expect(meta.methods.sentiment_analysis).toContain("lexicon");
	});

	test("languages have their English names, the ten most used and the others; what is no tag is unknown", async () => {
		const tags = ["en-US", "en_GB", "EN", "pt-BR", "nb", "tlh", "not a tag", "", "und"];
		const more = ["de", "fr", "es", "it", "nl", "sv", "pl", "cs"];
		await insertEvents(
			database.client,
			"tongues",
			[...tags, ...tags, ...more].flatMap((language, i) => [
				started(`c${i}`, NOW - DAY + i),
				ended(`c${i}`, NOW - DAY + MINUTE, language === "" ? {} : { language }),
			]),
		);
		const { language_usage: usage } = await conversations("tongues");
		expect(Object.keys(usage)).toHaveLength(12);
		expect(units(Object.values(usage), 4)).toBe(10_000);
		expect(usage.english).toBeCloseTo(6 / 26, 3);
		expect(usage.unknown).toBeCloseTo(6 / 26, 3);
		expect(usage.other).toBeCloseTo(2 / 26, 3);
		expect(usage).toMatchObject({ portuguese: expect.any(Number), norwegian_bokmål: expect.any(Number) });
	});
});

test("parameters that the routes do not have are refused with those that they do", async () => {
	for (const [path, parameters, parameter] of [
		["/analytics/ai/performance", { timeframe: "month" }, "timeframe"],
		["/analytics/ai/performance", { models: "x" }, "models"],
		["/analytics/ai/conversations", { timeframe: "7d" }, "timeframe"],
	] as const) {
		const { status, body } = await reads.get("quiet", path, parameters as Parameters);
		expect(status).toBe(400);
		expect(body).toMatchObject({ code: 400, details: { parameter } });
	}
});
