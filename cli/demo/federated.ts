// Federated learning: participants, a training every few days, and its privacy.
import type { BatchRecord } from "../../schema/wire/index.ts";
import { type Day, digits, HOUR_MS, MINUTE_MS } from "./world.ts";

const PARTICIPANTS = Array.from({ length: 8 }, (_, i) => ({
	participant_id: `node_${String(i + 1).padStart(3, "0")}`,
	organization: ["University A", "Hospital B", "Clinic Süd", "Lab 4"][i % 4]!,
	location: i < 3 ? "US-East" : i < 6 ? "EU-Central" : "AP-South",
	cluster_id: i < 3 ? "us_east" : i < 6 ? "eu_central" : "ap_south",
}));
const EVERY_DAYS = 4;
const ROUND_MS = 6 * MINUTE_MS;

export function* federated(day: Day): Iterable<BatchRecord> {
	const event = (name: string, timestamp: number, properties: object): BatchRecord => ({
		...{ type: "event", event: name, timestamp: Math.round(timestamp), properties: { ...properties } },
	});
	if (day.index === 0) {
		for (const one of PARTICIPANTS) yield event("fl.client.registered", day.start, one);
		const config = { target_delta: 1e-5, max_epsilon: 8, neighboring_relation: "add_remove" };
		yield event("fl.privacy.config", day.start, config);
	}
	if (day.index % 15 === 1) yield* audits(day, event);
	// The last one is still running when the demonstration ends.
	if ((day.count - 1 - day.index) % EVERY_DAYS === 0) yield* training(day, event);
}

type Event = (name: string, timestamp: number, properties: object) => BatchRecord;

function* audits(day: Day, event: Event): Iterable<BatchRecord> {
	const { random } = day;
	for (const { participant_id } of PARTICIPANTS) {
		const rows = random.whole(1_000, 9_000);
		const cells = rows * 40;
		yield event("fl.client.data_report", day.start + HOUR_MS, {
			...{ participant_id, rows, cells, invalid_rows: Math.floor(rows * random.between(0, 0.04)) },
			...{ missing_cells: Math.floor(cells * random.between(0, 0.08)), features_available: 50, features_selected: 40 },
		});
	}
	const attacks = [
		["membership_inference", 0.06, undefined],
		["model_inversion", 0.03, 0.5],
		["property_inference", 0.07, 0.6],
	] as const;
	for (const [attack, advantage, baseline_accuracy] of attacks) {
		yield event("fl.attack_eval", day.start + 2 * HOUR_MS, {
			...{ attack, advantage, auc: digits(0.5 + advantage / 2, 3), tpr: digits(0.3 + advantage, 3), fpr: 0.3 },
			...(baseline_accuracy === undefined ? {} : { baseline_accuracy, accuracy: baseline_accuracy + advantage }),
		});
	}
}

function* training(day: Day, event: Event): Iterable<BatchRecord> {
	const { random } = day;
	const isLast = day.index === day.count - 1;
	const rounds = random.whole(12, 20);
	// So that the running one has rounds behind it, whatever the hour.
	const start = isLast ? day.end - 5.5 * ROUND_MS : day.start + 8 * HOUR_MS;
	const session_id = `fed_train_${String(day.index).padStart(3, "0")}`;
	const fails = !isLast && random.chance(0.15);
	yield event("fl.session.started", start, {
		...{ session_id, model: "llama3.2-federated", target_metric: "accuracy", target_value: 0.9 },
		...{ baseline_value: 0.8, planned_rounds: rounds },
	});
	const done = fails ? Math.ceil(rounds / 3) : rounds;
	for (let server_round = 1; server_round <= done; server_round++) {
		const end = start + server_round * ROUND_MS;
		let failed = 0;
		for (const { participant_id, cluster_id } of PARTICIPANTS) {
			const ok = !random.chance(0.03);
			if (!ok) failed++;
			const bytes_up_raw = random.whole(6e7, 9e7);
			yield event("fl.client.update", end - random.whole(1_000, 60_000), {
				...{
					session_id,
					server_round,
					participant_id,
					status: ok ? "ok" : "timeout",
					num_examples: random.whole(200, 900),
				},
				...{ compute_seconds: random.whole(200, 320), devices: 4 },
				...(ok
					? {
							...{ bytes_up: Math.round(bytes_up_raw * 0.2), bytes_up_raw, bytes_down: random.whole(2e7, 4e7) },
							...{ transfer_seconds: random.whole(10, 40), contribution: digits(random.between(0.2, 1), 3) },
							contribution_method: "shapley",
							peer_cluster: random.chance(0.85) ? cluster_id : "us_east",
						}
					: {}),
			});
		}
		const accuracy = digits(0.8 + 0.12 * (1 - Math.exp(-server_round / 6)) + 0.002 * random.normal(), 4);
		yield event("fl.round.completed", end, {
			...{
				session_id,
				server_round,
				accuracy,
				loss: digits(1.6 * Math.exp(-server_round / 7) + 0.2, 5),
				eval: "central",
			},
			...{ num_selected: PARTICIPANTS.length, num_completed: PARTICIPANTS.length - failed, num_failed: failed },
		});
		yield event("fl.secagg.round", end + 10, {
			session_id,
			server_round,
			secure_seconds: digits(random.between(9, 12), 2),
			plain_seconds: 9,
		});
		yield event("fl.secagg.exchange", end - 90_000, { ok: !random.chance(0.02), duration_ms: random.whole(20, 60) });
	}
	yield event("fl.privacy.release", start + done * ROUND_MS + 500, {
		...{
			noise_multiplier: 4,
			sample_size: 100,
			population_size: 2_000,
			sampling_method: "poisson",
			clipping_norm: 1.5,
		},
		count: done,
	});
	yield event("fl.session.ended", start + done * ROUND_MS + 1_000, {
		session_id,
		status: fails ? "failed" : "completed",
	});
}
