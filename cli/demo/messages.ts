// Logs, errors and profiles.
import { DAY_MS, type Day, type Family, inIncident, moments, type Random } from "./world.ts";

const LOGS: readonly (readonly [component: string, level: string, weight: number, text: (random: Random) => string])[] =
	[
		["api", "info", 60, (r) => `GET /v1/items/${r.whole(1, 99_999)} completed in ${r.whole(3, 240)} ms`],
		["api", "warning", 4, (r) => `slow request: POST /v1/chat took ${r.whole(1_000, 4_000)} ms`],
		["database", "debug", 12, (r) => `connection ${r.whole(1, 40)} returned to the pool`],
		["database", "warning", 3, (r) => `query took ${r.whole(1_000, 5_000)} ms: SELECT on orders`],
		["llm", "info", 16, (r) => `generated ${r.whole(20, 900)} tokens for conversation ${r.whole(1, 9_999)}`],
		["federated", "info", 3, (r) => `round ${r.whole(1, 25)} aggregated from ${r.whole(5, 8)} participants`],
		["auth", "error", 2, (r) => `token of user_${r.whole(1, 300)} expired`],
		["inference", "error", 2, (r) => `Model inference timeout after ${r.whole(20, 60)}s`],
	];

export const logs: Family = function* (day) {
	const { random } = day;
	for (const ms of moments(day, 420)) {
		const bad = inIncident(ms, day);
		const [component, level, , text] = bad ? LOGS.at(-1)! : random.weighted(LOGS.map((log) => [log, log[2]] as const));
		const context = { request_id: `req_${random.whole(1, 1e6)}`, duration_ms: random.whole(1, 2_000), host: "web-1" };
		yield { type: "log", message: text(random), level, component, context, timestamp: ms };
	}
	for (const ms of incidentMoments(day, 120)) {
		const message = `out of memory: ${random.whole(1, 9)} of ${random.whole(10, 16)} GiB could not be allocated`;
		const context = { model: "llama3.2:latest", prompt_length: random.whole(100, 9_000) };
		yield { type: "log", message, level: "critical", component: "inference", context, timestamp: ms };
	}
};

const ERRORS = [
	["TimeoutError", "inference", (r: Random) => `Model inference timeout after ${r.whole(20, 60)}s`, "run_inference"],
	["ConnectionError", "database", (r: Random) => `connection to 10.0.${r.whole(0, 9)}.7 refused`, "connect"],
	["ValueError", "api", (r: Random) => `invalid item id ${r.whole(1, 99_999)}`, "parse_item"],
	["OutOfMemoryError", "inference", (r: Random) => `tried to allocate ${r.whole(1, 9)} GiB`, "allocate"],
] as const;

export const errors: Family = function* (day) {
	const { random } = day;
	for (const ms of [...moments(day, 14), ...incidentMoments(day, 60)]) {
		const kinds = inIncident(ms, day) ? [ERRORS[0], ERRORS[3]] : ERRORS.slice(0, 3);
		const [error_type, component, message, where] = random.pick(kinds);
		const text = message(random);
		yield {
			...{ type: "error", error_message: text, error_type, component, severity: "error", timestamp: ms },
			stack_trace: `${error_type}: ${text}\n    at ${where} (${component}/main.ts:${where.length}:9)\n    at handle (server.ts:88:5)`,
			context: { user_id: `user_${String(random.whole(1, 300)).padStart(4, "0")}`, model: "llama3.2:latest" },
		};
	}
};

/** A pipeline with three spans, one of them within another. */
export const profiles: Family = function* (day) {
	const { random } = day;
	for (const ms of moments(day, 40)) {
		const wall_ns = Math.round(random.logNormal(2.1e8, 0.4));
		const at = (share: number) => Math.round(wall_ns * share);
		const operation = random.chance(0.8) ? "inference_pipeline" : "build_index";
		yield {
			...{ type: "profile", operation, wall_ns },
			...{ cpu_ns: at(0.7), alloc_bytes: random.whole(1e6, 5e7), success: !random.chance(0.02), timestamp: ms },
			spans: [
				{ name: "tokenize", parent: operation, start_ns: 0, end_ns: at(0.1) },
				{ name: "forward", parent: operation, start_ns: at(0.1), end_ns: at(0.8) },
				{ name: "attention", parent: "forward", start_ns: at(0.2), end_ns: at(0.5) },
			],
		};
	}
};

function incidentMoments(day: Day, count: number): number[] {
	const { random } = day;
	return Array.from({ length: count * 20 }, () => day.start + Math.floor(random.next() * DAY_MS))
		.filter((ms) => ms < day.end && inIncident(ms, day))
		.slice(0, count)
		.sort((a, b) => a - b);
}
