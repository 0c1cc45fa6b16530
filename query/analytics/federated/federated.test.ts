import { Hono } from "hono";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createAuth } from "../../../http/auth.ts";
import type { AppEnv } from "../../../http/env.ts";
import { errorHandler } from "../../../http/errors.ts";
import { KeyStore } from "../../../http/keys.ts";
import { LocalRateLimiter } from "../../../http/rate-limit.ts";
import { DEFAULT_RETENTION } from "../../../schema/retention.ts";
import {
	federatedParticipantsAnswer,
	federatedPrivacyAnswer,
	federatedTrainingAnswer,
	networkAnswer,
} from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { type Reads, startReads } from "../../../tests/support/reads.ts";
import { insertEvents, insertSeries, type TestEvent } from "../../../tests/support/records.ts";
import { queryRoutes } from "../../index.ts";
import { reachOf } from "../../measures/scope.ts";
import { Queries } from "../../run.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const AT = "/analytics/federated";

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["edges", "nodes", "budget", "quiet"];
	reads = await startReads(database.client, { projects, now: NOW });
});
afterAll(() => database?.stop());

async function ask(project: string, path: string, parameters: Record<string, string | number> = {}) {
	const { status, body } = await reads.get(project, path, parameters);
	expect(status, JSON.stringify(body)).toBe(200);
	return body;
}
const training = async (project: string, parameters?: Record<string, string | number>) =>
	federatedTrainingAnswer.strict().parse(await ask(project, `${AT}/training`, parameters));
const participants = async (project: string, parameters?: Record<string, string | number>) =>
	federatedParticipantsAnswer.strict().parse(await ask(project, `${AT}/participants`, parameters));
const privacy = async (project: string, parameters?: Record<string, string | number>) =>
	federatedPrivacyAnswer.strict().parse(await ask(project, `${AT}/privacy`, parameters));
const network = async (project: string, parameters?: Record<string, string | number>) =>
	networkAnswer.strict().parse(await ask(project, "/v1/monitoring/network", parameters));

type Properties = Readonly<Record<string, string | number>>;
describe("what a participant's heartbeats say", () => {
	const beat = (node_id: string, ts: number): TestEvent => ({
		event: "node.heartbeat",
		ts,
		properties: { node_id, interval_s: 60 },
	});
	const register = (participant_id: string, ts: number): TestEvent => ({
		event: "fl.client.registered",
		ts,
		properties: { participant_id },
	});

	test("uptime counts from the registration, each beat for two intervals, the one before the window for its rest", async () => {
		const start = NOW - HOUR;
		await insertEvents(database.client, "nodes", [
			// Alive from the start on by the beat before it, for a minute; then a gap; then 10 minutes of beats and two more.
			...[register("a", NOW - 9 * DAY), beat("a", start - MINUTE)],
			...Array.from({ length: 11 }, (_, i) => beat("a", start + (20 + i) * MINUTE)),
			// Registered in the middle: half of the time is looked at, and it was there for all of that.
			register("b", NOW - 30 * MINUTE),
			...Array.from({ length: 60 }, (_, i) => beat("b", start + i * MINUTE)),
			...[register("c", NOW - 9 * DAY), beat("server", NOW - MINUTE), beat("fl_server", NOW - MINUTE)],
		]);
		const answer = await participants("nodes", { start, end: NOW });
		const uptime = Object.fromEntries(answer.participants.map((node) => [node.participant_id, node.uptime_percentage]));
		expect(uptime).toEqual({ a: Math.round((1_000 * 13) / 60) / 10, b: 100, c: null });
		expect(answer.network_topology).toMatchObject({ total_nodes: 3, active_nodes: 1 });
	});
});

describe("the privacy budget", () => {
	const at = (days: number) => NOW - days * DAY;
	const config = (days: number, properties: Properties): TestEvent => ({
		event: "fl.privacy.config",
		ts: at(days),
		properties,
	});
	const release = (days: number, properties: Properties): TestEvent => ({
		event: "fl.privacy.release",
		ts: at(days),
		properties,
	});
	const poisson = {
		noise_multiplier: 2,
		sample_size: 100,
		population_size: 1_000,
		sampling_method: "poisson",
		clipping_norm: 1.5,
	};
	const spentAt = async (days: number) =>
		(await privacy("budget", { as_of: at(days) })).privacy_metrics.differential_privacy;

	beforeAll(async () => {
		await insertEvents(database.client, "budget", [
			release(80, { ...poisson, count: 1_000 }),
			config(70, { target_delta: 1e-5, max_epsilon: 3 }),
			release(60, { ...poisson, count: 60 }),
			release(50, { ...poisson, count: 40 }),
			// The budget is raised: what was spent stays spent.
			config(40, { max_epsilon: 6 }),
			release(30, { ...poisson, sampling_method: "fixed", noise_multiplier: 20 }),
			release(20, { sample_size: 100, clipping_norm: 1 }),
		]);
	});

	test("counts all releases since the first configuration, whatever the window, and never what came before", async () => {
		expect(await spentAt(75)).toMatchObject({
			epsilon: null,
			epsilon_spent: null,
			reason: expect.stringMatching(/config/),
		});
		expect(await spentAt(65)).toMatchObject({
			epsilon: 3,
			delta: 1e-5,
			epsilon_spent: 0,
			privacy_budget_used: 0,
			releases: 0,
			reason: null,
		});
		const spent = await spentAt(45);
		expect(spent.releases).toBe(100);
		expect(spent.epsilon_spent).toBeLessThanOrEqual(2.58666);
		expect(spent.epsilon_spent).toBeGreaterThan(0.98 * 2.58665);
		expect(spent.privacy_budget_used).toBeCloseTo(spent.epsilon_spent! / 3, 5);
		expect(spent).toMatchObject({ noise_level: 0.03, noise_multiplier: 2 });
	});

	test("never falls: not by a new configuration, and a release of unknown sampling costs in full", async () => {
		const [before, raised, more] = [await spentAt(45), await spentAt(35), await spentAt(25)];
		expect(raised.epsilon_spent).toBe(before.epsilon_spent);
		expect(raised.privacy_budget_used).toBeCloseTo(before.epsilon_spent! / 6, 5);
		expect(more.epsilon_spent).toBeGreaterThan(raised.epsilon_spent!);
		expect(more.noise_level).toBe(0.3);
	});

	test("is unknown from the first release on that does not say its noise", async () => {
		expect(await spentAt(15)).toMatchObject({
			epsilon: 6,
			epsilon_spent: null,
			privacy_budget_used: null,
			releases: 102,
			noise_level: null,
			reason: "a release lacks noise_multiplier",
		});
		const { meta, risk_assessment: risk } = await privacy("budget", { as_of: at(15) });
		expect(meta.missing).toContainEqual({
			field: "privacy_metrics.differential_privacy.privacy_budget_used",
			needs: "event fl.privacy.release with noise_multiplier",
		});
		expect(risk.membership_inference_risk).toBeNull();
	});

	test("bounds what an attacker learns where no attack was tried; others are not known to be low", async () => {
		const { risk_assessment: risk } = await privacy("budget", { as_of: at(45) });
		expect(risk).toEqual({
			...{ membership_inference_risk: "critical", membership_inference_method: "dp_bound", model_inversion_risk: null },
			...{ property_inference_risk: null, overall_risk_score: null, evaluated_attacks: [] },
		});
	});
});

describe("attacks and controls", () => {
	const attack = (days: number, properties: Properties): TestEvent => ({
		event: "fl.attack_eval",
		ts: NOW - days * DAY,
		properties,
	});

	test("the newest evaluation of an attack counts, for 30 days", async () => {
		await insertEvents(database.client, "quiet", [
			attack(20, { attack: "membership_inference", advantage: 0.5 }),
			attack(5, { attack: "membership_inference", tpr: 0.35, fpr: 0.3 }),
			attack(29, { attack: "property_inference", accuracy: 0.8, baseline_accuracy: 0.5 }),
			attack(31, { attack: "model_inversion", advantage: 0.5, accuracy: 0.9, baseline_accuracy: 0.1 }),
			attack(3, { attack: "gradient_leakage", advantage: 0.1 }),
			attack(2, { attack: "unheard_of", auc: 0.7 }),
		]);
		const answer = await privacy("quiet", { start: NOW - DAY, end: NOW });
		expect(answer.risk_assessment).toEqual({
			...{ membership_inference_risk: "low", membership_inference_method: "attack_eval", model_inversion_risk: null },
			...{ property_inference_risk: "high", overall_risk_score: Number((1 - 0.95 * 0.7 * 0.9).toFixed(4)) },
			evaluated_attacks: ["gradient_leakage", "membership_inference", "property_inference"],
		});
	});

	test("nothing complies without evidence, and the answer says what of", async () => {
		const { compliance, meta } = await privacy("quiet");
		expect(compliance).toMatchObject({
			gdpr_compliant: null,
			hipaa_compliant: null,
			sox_compliant: null,
			audit_trail_complete: null,
		});
		expect(new Set(compliance.controls.map(({ status }) => status))).toEqual(new Set(["not_tested"]));
		const missing = meta.missing.map(({ field }) => field);
		for (const name of ["gdpr_compliant", "hipaa_compliant", "sox_compliant", "audit_trail_complete"]) {
			expect(missing).toContain(`compliance.${name}`);
		}
	});
});

describe("edges", () => {
	const event = (name: string, ts: number, properties: Properties): TestEvent => ({ event: name, ts, properties });

	test("a session whose start comes twice is one; ids may be numbers, numbers may be texts, and names of any kind", async () => {
		await insertEvents(database.client, "edges", [
			event("fl.session.started", NOW - 2 * DAY, { session_id: 7, model: 'o\'Brien / "x"', target_value: "0.5" }),
			event("fl.session.started", NOW - DAY, { session_id: 7, target_metric: "Accuracy" }),
			{
				event: "fl.round.completed",
				ts: NOW - DAY,
				session_id: "7",
				properties: { server_round: "1", accuracy: 0.75 },
			},
			event("fl.client.update", NOW - DAY, {
				session_id: 7,
				server_round: 1,
				participant_id: 3,
				status: "OK",
				update_cosine: 0.5,
			}),
			event("fl.client.update", NOW - DAY, {
				session_id: 7,
				server_round: 1,
				participant_id: "fl_server",
				status: "ok",
				contribution: 0.2,
				contribution_method: "cosine",
			}),
		]);
		const { training_sessions: found } = await training("edges");
		expect(found).toHaveLength(1);
		expect(found[0]).toMatchObject({
			...{
				session_id: "7",
				model: 'o\'Brien / "x"',
				status: "running",
				completed_at: null,
				duration_minutes: null,
				rounds: 1,
			},
			started_at: new Date(NOW - 2 * DAY).toISOString(),
			participants: { total: 2, active: 2, dropped: 0 },
			convergence: { achieved: true, reason: "target_reached", final_accuracy: 0.75, improvement: null },
			resource_usage: { total_compute_hours: null, avg_bandwidth_mbps: null, data_transferred_gb: null },
		});
		// Its first start lies before this window.
		expect((await training("edges", { start: NOW - 36 * HOUR })).training_sessions).toEqual([]);
		expect((await training("edges", { start: NOW - 36 * HOUR })).aggregated_metrics.total_sessions).toBe(0);
		const { participants: who } = await participants("edges");
		expect(who).toHaveLength(1);
		expect(who[0]).toMatchObject({
			participant_id: "3",
			avg_contribution_quality: 0.75,
			contribution_method: "cosine",
			reliability_score: 1,
		});
	});

	test("peers that nothing came back from have no round trip, and are lost", async () => {
		await insertSeries(database.client, "edges", [
			{
				name: "net.ping",
				kind: "distribution",
				tags: { src: "x", dst: "y", sent: "4", received: "0" },
				points: [[NOW - 1_000, 0]],
			},
			{
				name: "net.ping",
				kind: "distribution",
				tags: { src: "z", dst: "fl_server" },
				points: [
					[NOW - 1_000, 12],
					[NOW, 500],
				],
			},
			{ name: "net.ping", kind: "distribution", tags: { src: "z" }, points: [[NOW - 1_000, 90]] },
			{ name: "system.network.io", kind: "counter", tags: { "host.name": "z" }, points: [[NOW - 1_000, 900]] },
		]);
		const answer = await network("edges", { timeframe: "1h", include_peer_details: "true" });
		expect(answer).toMatchObject({ avg_latency: 12, packet_loss_rate: 100, bandwidth_utilization: null });
		expect(answer.peer_details).toEqual([
			...["x", "y"].map((peer_id) => ({
				peer_id,
				rtt_p50_ms: null,
				rtt_p95_ms: null,
				packet_loss_rate: 100,
				last_seen: null,
				bytes: null,
			})),
			{
				peer_id: "z",
				rtt_p50_ms: 12,
				rtt_p95_ms: 12,
				packet_loss_rate: null,
				last_seen: new Date(NOW - 1_000).toISOString(),
				bytes: 900,
				low_sample: ["rtt_p95_ms"],
			},
		]);
	});

	test.each([
		["/v1/monitoring/network?timeframe=6h", "timeframe"],
		["/v1/monitoring/network?include_peer_details=maybe", "include_peer_details"],
		[`${AT}/training?timeframe=30d`, "timeframe"],
		[`${AT}/privacy?start=2026-11-19T00:00:00Z`, "start"],
	])("%s is refused, naming %s", async (path, parameter) => {
		const { status, body } = await reads.get(
			"edges",
			path.split("?")[0]!,
			Object.fromEntries(new URLSearchParams(path.split("?")[1])),
		);
		expect([status, body.details.parameter]).toEqual([400, parameter]);
	});

	test("medians of pairs that are no longer kept are null and say so, details of peers are refused; the rest is answered", async () => {
		const { client } = database;
		const store = new KeyStore({ client });
		const { secret } = await store.create({ project: "edges", name: "short", roles: ["analytics_viewer"] });
		const requireRole = createAuth({ keys: store, limiter: new LocalRateLimiter() });
		const deps = { queries: new Queries({ client }), reach: reachOf(DEFAULT_RETENTION), requireRole, now: () => NOW };
		const short = new Hono<AppEnv>().onError(errorHandler((error) => console.error(error)));
		short.route("/", queryRoutes(deps));
		const window = `start=2026-06-01&end=${NOW}`;
		const get = (path: string) => short.request(`${path}${window}`, { headers: { "X-API-Key": secret } });
		const answer = await get(`${AT}/participants?`);
		expect(answer.status).toBe(200);
		const { network_topology: found, meta } = federatedParticipantsAnswer.parse(await answer.json());
		expect(found.connectivity_matrix).toEqual({ avg_latency: null, max_latency: null, reliability: 0 });
		expect(meta.methods["network_topology.connectivity_matrix.avg_latency"]).toMatch(/no longer kept/);
		expect((await get("/v1/monitoring/network?")).status).toBe(200);
		const refused = await get("/v1/monitoring/network?include_peer_details=true&");
		expect(refused.status).toBe(400);
		expect(await refused.json()).toMatchObject({ details: { reason: expect.stringMatching(/Raw points.*90 days/) } });
	});
});
