import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
	federatedParticipantsAnswer,
	federatedPrivacyAnswer,
	federatedTrainingAnswer,
	networkAnswer,
} from "../../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { randomFrom } from "../../../tests/support/random.ts";
import { type Reads, startReads } from "../../../tests/support/reads.ts";
import { insertEvents, insertSeries, type TestEvent, type TestSeries } from "../../../tests/support/records.ts";

const NOW = Date.parse("2026-11-18T15:00:00Z");
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const AT = "/analytics/federated";

const FAMILIES = [
	...["fl.round.completed", "fl.client.update", "fl.session.ended", "fl.client.registered", "node.heartbeat"],
	"fl.secagg.round",
];
const removed = new Set<string>();

let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["world", "twin", ...FAMILIES.map((name) => `without ${name}`)];
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
interface Known {
	readonly event: string;
	readonly ts: number;
	readonly p: Properties;
}

/** Sessions of 40 days with rounds and updates, some of them failed, some without numbers; odd names. */
function randomWorld(seed: number): { events: Known[]; pings: TestSeries[] } {
	const u = randomFrom(seed);
	const below = (n: number) => Math.floor(u() * n);
	const one = <T>(list: readonly T[]): T => list[below(list.length)]!;
	const nodes = Array.from({ length: 7 }, (_, i) => one(["node", "Knoten „ü“", "n'o\"d/e"]) + i);
	const events: Known[] = [];
	const add = (event: string, ts: number, p: Properties) => events.push({ event, ts: Math.round(ts), p });
	for (const [i, node] of nodes.slice(1).entries()) {
		for (const name of ["old", "new"]) {
			add("fl.client.registered", NOW - (name === "old" ? 50 : 20) * DAY + i, {
				...{ participant_id: node, organization: `${name} ${i}`, location: one(["EU", "US"]) },
				...(i === 0 ? {} : { cluster_id: `c/${i % 2}` }),
			});
		}
		for (let k = 0; k < 3; k++) {
			const total = 10 + below(100);
			add("fl.client.data_report", NOW - u() * 40 * DAY, {
				...{ participant_id: node, rows: total, invalid_rows: below(10), cells: 5 * total, missing_cells: below(9) },
				...{ features_available: 20, features_selected: below(20) },
			});
		}
		for (let t = NOW - (i + 1) * HOUR; t < NOW - i * MINUTE; t += 30_000 + below(60_000)) {
			add("node.heartbeat", t, { node_id: node, interval_s: 30 });
		}
	}
	for (let s = 0; s < 12; s++) {
		const session_id = `s ${s} é`;
		const started = NOW - u() * 40 * DAY;
		add("fl.session.started", started, {
			...{ session_id, model: one(["a", "b"]), target_metric: "accuracy", target_value: 0.8 + u() / 5 },
			...(u() < 0.7 ? { baseline_value: 0.5 } : {}),
		});
		const members = nodes.filter(() => u() < 0.8);
		let at = started;
		const rounds = below(8);
		for (let round = 1; round <= rounds; round++) {
			at += MINUTE * (1 + below(20));
			for (const participant_id of members) {
				if (u() < 0.2) continue;
				const status = one(["ok", "ok", "ok", "timeout", "rejected"]);
				add("fl.client.update", at - below(50_000), {
					...{ session_id, server_round: round, participant_id, status, compute_seconds: below(500) },
					...(u() < 0.5 ? { devices: 1 + below(4) } : {}),
					...(status === "ok"
						? { bytes_up: below(1e8), bytes_up_raw: 2e8, bytes_down: below(1e8), transfer_seconds: 1 + below(60) }
						: {}),
					...(status === "ok" ? { contribution: below(20) / 20, peer_cluster: `c/${below(2)}` } : {}),
				});
			}
			add("fl.round.completed", at, {
				session_id,
				server_round: round,
				accuracy: 0.5 + u() / 2,
				loss: 2 - round / 10,
				eval: "federated",
			});
			if (u() < 0.3)
				add("fl.round.completed", at + 1, { session_id, server_round: round, accuracy: u(), eval: "central" });
			if (u() < 0.9)
				add("fl.secagg.round", at + 5, {
					session_id,
					server_round: round,
					secure_seconds: 10 + u(),
					plain_seconds: 10,
				});
			add("fl.secagg.exchange", at + 6, { ok: u() < 0.8 ? "true" : "false", duration_ms: 5 });
		}
		if (u() < 0.8)
			add("fl.session.ended", at + MINUTE, {
				session_id,
				status: one(["completed", "completed", "failed", "cancelled"]),
			});
	}
	const pings: TestSeries[] = [];
	for (const [i, a] of [...nodes, "fl_server"].entries()) {
		for (const b of nodes.slice(0, i)) {
			for (const [src, dst, received] of [
				[a, b, "10"],
				[b, a, "9"],
				[a, b, "0"],
			] as const) {
				pings.push({
					name: "net.ping",
					kind: "distribution",
					tags: { src, dst, sent: "10", received },
					points: Array.from({ length: 1 + below(6) }, () => [NOW - Math.ceil(u() * 40 * DAY), 5 + 100 * u()] as const),
				});
			}
		}
	}
	return { events, pings };
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]) => (values.length === 0 ? null : sum(values) / values.length);
function median(values: readonly number[]): number | null {
	const sorted = [...values].sort((a, b) => a - b);
	if (sorted.length === 0) return null;
	return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}
const number = (known: Known, name: string) => known.p[name] as number;
const near = (got: number | null | undefined, wanted: number | null, by: number, what = "") => {
	if (wanted === null) expect(got, what).toBeNull();
	else expect(Math.abs((got ?? Number.NaN) - wanted), `${what}: ${got} for ${wanted}`).toBeLessThanOrEqual(by + 1e-9);
};
const rtt = (value: number | null) =>
	value === null ? null : value >= 10 ? Math.round(value) : Number(value.toPrecision(4));

describe("a random world, late, shuffled, and with a twin that sends the same names at the same times", () => {
	const { events, pings } = randomWorld(3);
	beforeAll(async () => {
		const insert = async (project: string, part: (i: number) => boolean) => {
			const some = events.filter((_, i) => part(i)).reverse();
			const rows = some.map(({ event, ts, p }): TestEvent => ({ event, ts, properties: p }));
			if (rows.length > 0) await insertEvents(database.client, project, rows);
		};
		for (const part of [2, 0, 1]) await insert("world", (i) => i % 3 === part);
		await insertSeries(
			database.client,
			"world",
			pings.map((series) => ({ ...series, points: series.points.slice(1) })).filter(({ points }) => points.length > 0),
		);
		await insertSeries(
			database.client,
			"world",
			pings.map((series) => ({ ...series, points: series.points.slice(0, 1) })),
		);
		const other = randomWorld(4);
		await insertEvents(
			database.client,
			"twin",
			other.events.map(({ event, ts, p }) => ({ event, ts, properties: { ...p, accuracy: 0.1 } })),
		);
		await insertSeries(database.client, "twin", other.pings);
	});

	const WINDOWS = [
		{ start: NOW - 30 * DAY, end: NOW, as_of: NOW },
		{ start: NOW - 12 * DAY, end: NOW - 5 * DAY, as_of: NOW - 5 * DAY },
		{ start: NOW - 35 * DAY, end: NOW - 20 * DAY, as_of: NOW - 2 * DAY },
		{ start: NOW - 2 * HOUR, end: NOW - 1, as_of: NOW - 1 },
	];
	const parameters = ({ start, end, as_of }: (typeof WINDOWS)[number]) => ({ start, end, as_of });
	const named = (name: string, from: number, to: number) =>
		events.filter(({ event, ts }) => event === name && ts >= from && ts < to);

	test.each(WINDOWS)("training from $start to $end as of $as_of", async (window) => {
		const answer = await training("world", parameters(window));
		const starts = named("fl.session.started", window.start, window.end);
		expect(answer.training_sessions.map(({ session_id }) => session_id).sort()).toEqual(
			starts.map(({ p }) => p.session_id).sort(),
		);
		for (const shown of answer.training_sessions) {
			const of = (name: string) => named(name, 0, window.as_of).filter(({ p }) => p.session_id === shown.session_id);
			const [start, end] = [starts.find(({ p }) => p.session_id === shown.session_id)!, of("fl.session.ended")[0]];
			expect(Date.parse(shown.started_at)).toBe(start.ts);
			expect(shown.model).toBe(start.p.model);
			expect(shown.completed_at).toBe(end === undefined ? null : new Date(end.ts).toISOString());
			if (end) expect(shown.status).toBe(end.p.status);
			near(shown.duration_minutes, end === undefined ? null : (end.ts - start.ts) / MINUTE, 0.05, "duration");
			const updates = of("fl.client.update").sort(
				(a, b) => number(a, "server_round") - number(b, "server_round") || a.ts - b.ts,
			);
			const rounds = of("fl.round.completed");
			const last = rounds.reduce((most, round) => Math.max(most, number(round, "server_round")), 0);
			const members = [...new Set(updates.map(({ p }) => p.participant_id))];
			const byMember = members.map((id) => updates.filter(({ p }) => p.participant_id === id));
			expect(shown.rounds).toBe(last);
			expect(shown.participants).toEqual({
				total: members.length,
				active: byMember.filter((mine) => mine.some(({ p }) => p.status === "ok" && p.server_round === last)).length,
				dropped: byMember.filter((mine) => mine.at(-1)!.p.status !== "ok").length,
			});
			const ofLast = rounds.filter(({ p }) => p.server_round === last);
			const final = (ofLast.find(({ p }) => p.eval === "central") ?? ofLast[0])?.p.accuracy as number | undefined;
			near(shown.convergence.final_accuracy, final ?? null, 5e-5, "accuracy");
			const improvement = final === undefined || start.p.baseline_value === undefined ? null : final - 0.5;
			near(shown.convergence.improvement, improvement, 5e-5, "improvement");
			expect(shown.convergence.achieved).toBe(final === undefined ? null : final >= (start.p.target_value as number));
			const compute = sum(
				updates.map((update) => number(update, "compute_seconds") * (number(update, "devices") ?? 1)),
			);
			near(shown.resource_usage.total_compute_hours, updates.length === 0 ? null : compute / 3_600, 5e-4, "hours");
			const moving = updates.filter(({ p }) => p.bytes_up !== undefined);
			const bytes = sum(moving.map((update) => number(update, "bytes_up") + number(update, "bytes_down")));
			near(shown.resource_usage.data_transferred_gb, moving.length === 0 ? null : bytes / 2 ** 30, 5e-5, "GiB");
			const seconds = ((end?.ts ?? window.as_of) - start.ts) / 1_000;
			const perMember = (8 * bytes) / new Set(moving.map(({ p }) => p.participant_id)).size / seconds / 1e6;
			near(shown.resource_usage.avg_bandwidth_mbps, moving.length === 0 ? null : perMember, perMember * 1e-3, "Mbps");
		}
		const ended = answer.training_sessions.filter(({ completed_at }) => completed_at !== null);
		const improved = ended.flatMap(({ convergence }) => convergence.improvement ?? []);
		near(answer.aggregated_metrics.total_sessions, starts.length, 0);
		near(answer.aggregated_metrics.avg_participants, mean(ended.map(({ participants: { total } }) => total!)), 0.005);
		near(answer.aggregated_metrics.avg_improvement, mean(improved), 1e-4);
		near(answer.aggregated_metrics.success_rate, mean(ended.map(({ status }) => Number(status === "completed"))), 5e-5);
	});

	test.each(WINDOWS)("participants from $start to $end", async (window) => {
		const answer = await participants("world", parameters(window));
		const registered = named("fl.client.registered", 0, window.end);
		const updates = named("fl.client.update", window.start, window.end);
		const ids = [...new Set([...registered, ...updates].map(({ p }) => p.participant_id as string))].sort();
		expect(answer.participants.map(({ participant_id }) => participant_id).sort()).toEqual(ids);
		const inWindow = pings
			.filter(({ tags }) => tags!.received !== "0")
			.flatMap(({ tags, points }) =>
				points
					.filter(([ts]) => ts >= window.start && ts < window.end)
					.map(([, value]) => ({ pair: [tags!.src!, tags!.dst!].sort().join("\0"), value })),
			);
		const pairs = new Map(
			[...new Set(inWindow.map(({ pair }) => pair))].map((pair) => [
				pair,
				median(inWindow.filter((ping) => ping.pair === pair).map(({ value }) => value))!,
			]),
		);
		for (const shown of answer.participants) {
			const id = shown.participant_id;
			const who = registered.filter(({ p }) => p.participant_id === id).sort((a, b) => b.ts - a.ts)[0]?.p;
			expect([shown.organization, shown.location, shown.cluster_id], id).toEqual(
				["organization", "location", "cluster_id"].map((name) => who?.[name] ?? null),
			);
			const mine = updates.filter(({ p }) => p.participant_id === id);
			const ok = mine.filter(({ p }) => p.status === "ok");
			expect(shown.sessions_participated).toBe(new Set(ok.map(({ p }) => p.session_id)).size);
			near(shown.reliability_score, mine.length === 0 ? null : ok.length / mine.length, 5e-5, "reliability");
			const scaled = ok.flatMap((update) => {
				const round = updates.filter(
					({ p }) =>
						p.session_id === update.p.session_id &&
						p.server_round === update.p.server_round &&
						p.contribution !== undefined,
				);
				const gains = round.map((other) => number(other, "contribution"));
				const [least, most] = [Math.min(...gains), Math.max(...gains)];
				return most > least ? (number(update, "contribution") - least) / (most - least) : [];
			});
			near(shown.avg_contribution_quality, mean(scaled), 5e-5, "contribution");
			expect(shown.contribution_method).toBe(scaled.length === 0 ? null : "scaled");
			const rates = ok.map(
				(update) =>
					(8 * (number(update, "bytes_up") + number(update, "bytes_down"))) / number(update, "transfer_seconds") / 1e6,
			);
			near(shown.bandwidth_mbps, median(rates), (median(rates) ?? 0) * 1e-3, "Mbps");
			const reports = named("fl.client.data_report", window.start, window.end).filter(
				({ p }) => p.participant_id === id,
			);
			const total = (name: string) => sum(reports.map((report) => number(report, name)));
			const quality =
				reports.length === 0
					? null
					: (1 - total("invalid_rows") / total("rows")) * (1 - total("missing_cells") / total("cells"));
			near(shown.data_quality_score, quality, 5e-5, "quality");
			near(
				shown.communication_latency_ms,
				rtt(pairs.get([id, "fl_server"].sort().join("\0")) ?? null),
				1e-9,
				"latency",
			);
		}
		const { network_topology: found } = answer;
		const nodes = new Set(registered.map(({ p }) => p.participant_id));
		expect(found.total_nodes).toBe(nodes.size);
		const alive = new Set(named("node.heartbeat", window.end - MINUTE, window.end).map(({ p }) => p.node_id));
		const heard = named("node.heartbeat", 0, window.as_of).length > 0;
		expect(found.active_nodes).toBe(heard ? [...alive].filter((node) => nodes.has(node)).length : null);
		for (const cluster of found.clusters) {
			const members = answer.participants
				.filter(({ cluster_id }) => cluster_id === cluster.cluster_id)
				.map(({ participant_id }) => participant_id);
			expect(cluster.nodes).toBe(members.length);
			const within = [...pairs]
				.filter(([pair]) => pair.split("\0").every((node) => members.includes(node)))
				.map(([, value]) => value);
			near(cluster.avg_latency, rtt(mean(within)), 1e-9, "cluster");
			const moved = updates.filter(
				({ p }) => members.includes(p.participant_id as string) && p.peer_cluster !== undefined,
			);
			const bytes = (some: readonly Known[]) =>
				sum(some.map((update) => number(update, "bytes_up") + number(update, "bytes_down")));
			const local =
				moved.length === 0
					? null
					: bytes(moved.filter(({ p }) => p.peer_cluster === cluster.cluster_id)) / bytes(moved);
			near(cluster.data_locality_score, local, 5e-5, "locality");
		}
		near(found.connectivity_matrix.avg_latency, rtt(mean([...pairs.values()])), 1e-9, "mean");
		near(
			found.connectivity_matrix.max_latency,
			rtt(pairs.size === 0 ? null : Math.max(...pairs.values())),
			1e-9,
			"max",
		);
		const packets = pings.map(
			({ tags, points }) =>
				[points.filter(([ts]) => ts >= window.start && ts < window.end).length, Number(tags!.received)] as const,
		);
		const sent = 10 * sum(packets.map(([n]) => n));
		near(
			found.connectivity_matrix.reliability,
			sent === 0 ? null : sum(packets.map(([n, received]) => n * received)) / sent,
			5e-5,
			"reliability",
		);
	});

	test.each(WINDOWS)("what is done for privacy from $start to $end", async (window) => {
		const { privacy_metrics: found } = await privacy("world", parameters(window));
		const rounds = named("fl.round.completed", window.start, window.end);
		const key = ({ p }: Known) => `${p.session_id} ${p.server_round}`;
		const secure = new Set(named("fl.secagg.round", 0, window.as_of).map(key));
		expect(found.secure_aggregation.enabled).toBe(
			rounds.length === 0 ? null : rounds.every((round) => secure.has(key(round))),
		);
		const exchanges = named("fl.secagg.exchange", window.start, window.end);
		expect(found.secure_aggregation.key_exchanges).toBe(exchanges.length);
		expect(found.secure_aggregation.failed_exchanges).toBe(exchanges.filter(({ p }) => p.ok === "false").length);
		const timed = named("fl.secagg.round", window.start, window.end);
		const overhead =
			sum(timed.map((round) => number(round, "secure_seconds"))) /
				sum(timed.map((round) => number(round, "plain_seconds"))) -
			1;
		near(found.secure_aggregation.encryption_overhead, timed.length === 0 ? null : overhead, 5e-5, "overhead");
		const up = named("fl.client.update", window.start, window.end).filter(({ p }) => p.bytes_up !== undefined);
		const bytes = mean(up.map((update) => number(update, "bytes_up")));
		near(found.data_minimization.avg_data_per_round, bytes === null ? null : bytes / 1_024, 5e-3, "KiB");
		near(found.data_minimization.compression_ratio, bytes === null ? null : bytes / 2e8, 5e-5, "compression");
		const reports = named("fl.client.data_report", window.start, window.end);
		const rate = sum(reports.map((report) => number(report, "features_selected"))) / (20 * reports.length);
		near(found.data_minimization.feature_selection_rate, reports.length === 0 ? null : rate, 5e-5, "features");
	});

	test.each([
		["fl.round.completed", `${AT}/training`, ["training_sessions[].rounds", "training_sessions[].participants.active"]],
		[
			"fl.client.update",
			`${AT}/training`,
			["training_sessions[].participants.total", "aggregated_metrics.avg_participants"],
		],
		["fl.session.ended", `${AT}/training`, ["training_sessions[].completed_at", "aggregated_metrics.success_rate"]],
		["fl.client.registered", `${AT}/participants`, ["network_topology.total_nodes", "participants[].organization"]],
		["node.heartbeat", `${AT}/participants`, ["network_topology.active_nodes", "participants[].uptime_percentage"]],
		["fl.secagg.round", `${AT}/privacy`, ["privacy_metrics.secure_aggregation.enabled"]],
		["fl.round.completed", `${AT}/privacy`, ["privacy_metrics.secure_aggregation.enabled"]],
	])("without any %s, %s misses %j", async (name, path, fields) => {
		const project = `without ${name}`;
		if (!removed.has(project)) {
			removed.add(project);
			const rest = events.filter(({ event }) => event !== name);
			await insertEvents(
				database.client,
				project,
				rest.map(({ event, ts, p }) => ({ event, ts, properties: p })),
			);
		}
		const { meta } = await ask(project, path);
		const missing = meta.missing.map(({ field }: { field: string }) => field);
		for (const field of fields) expect(missing).toContain(field);
		const whole = (await ask("world", path)).meta.missing.map(({ field }: { field: string }) => field);
		for (const field of fields) expect(whole).not.toContain(field);
	});

	test("the network's latency is of all pings that came back, its loss of all packets, of each node from either end", async () => {
		const answer = await network("world", { start: NOW - 20 * DAY, end: NOW, include_peer_details: "true" });
		const of = (keep: (tags: Readonly<Record<string, string>>) => boolean) =>
			pings
				.filter(({ tags }) => keep(tags!))
				.flatMap(({ tags, points }) =>
					points
						.filter(([ts]) => ts >= NOW - 20 * DAY)
						.map(([ts, value]) => ({ ts, value, received: Number(tags!.received) })),
				);
		const all = of(() => true);
		const back = (some: typeof all) => some.filter(({ received }) => received > 0);
		const loss = (some: typeof all) => 100 * (1 - sum(some.map(({ received }) => received)) / (10 * some.length));
		near(answer.avg_latency, mean(back(all).map(({ value }) => value)), 0.5);
		near(answer.packet_loss_rate, loss(all), 0.05);
		expect(answer.peer_details!.length).toBe(7);
		for (const peer of answer.peer_details!) {
			const mine = of(({ src, dst }) => src === peer.peer_id || dst === peer.peer_id);
			near(peer.rtt_p50_ms, rtt(median(back(mine).map(({ value }) => value))), 1e-9);
			near(peer.packet_loss_rate, loss(mine), 0.05);
			expect(Date.parse(peer.last_seen!)).toBe(Math.max(...back(mine).map(({ ts }) => ts)));
		}
		expect(await network("world")).not.toHaveProperty("peer_details");
	});
});
