/** How many alert rules a minute are evaluated, how late, and for how much CPU: rules of every kind beside a steady load. */
import { setTimeout as sleep } from "node:timers/promises";
import { cpuMs } from "./processes.ts";
import { unit } from "./random.ts";
import type { Server } from "./server.ts";
import { type Spread, spread } from "./statistics.ts";

export interface AlertsResult {
	readonly rules: number;
	readonly minutes: number;
	readonly rules_per_minute: number;
	/** From the end of a minute to the moment when every rule of it is evaluated, seconds. */
	readonly lag_s: Spread;
	/** Of engine and program together, a minute, above what the load alone takes. */
	readonly cpu_ms: number;
	readonly cpu_ms_per_rule: number;
}

export interface AlertsOptions {
	readonly rules: number;
	readonly minutes: number;
	readonly seed: number;
	readonly report: (line: string) => void;
}

const METRICS = 100;
const HOSTS = 10;
const MINUTE_MS = 60_000;
const SEND_MS = 10_000;

export async function runAlerts(
	server: Server,
	{ rules, minutes, seed, report }: AlertsOptions,
): Promise<AlertsResult> {
	await server.truncate();
	let position = 0;
	const load = steadyLoad(server, () => unit(seed, position++, 0));
	try {
		// The usual work of the load, to be taken off.
		await nextMinute();
		const cpu = () => cpuMs(server.pid) + cpuMs(server.engine.pid);
		const [idle, since] = [cpu(), Date.now()];
		await nextMinute();
		const usual_ms = ((cpu() - idle) * MINUTE_MS) / (Date.now() - since);
		await define(server, rules);
		// The first evaluation finds connections and caches cold.
		await evaluated(server, rules, await nextMinute());
		const lags: number[] = [];
		const before = cpu();
		const started = Date.now();
		for (let i = 0; i < minutes; i++) {
			const at = await nextMinute();
			lags.push((await evaluated(server, rules, at)) / 1_000);
			report(`alerts: ${rules} rules of ${new Date(at).toISOString()} evaluated ${lags.at(-1)!.toFixed(1)} s later`);
		}
		const passed = (Date.now() - started) / MINUTE_MS;
		const cpu_ms = Math.max(0, (cpu() - before) / passed - usual_ms);
		return {
			...{ rules, minutes, rules_per_minute: rules, lag_s: spread(lags) },
			...{ cpu_ms, cpu_ms_per_rule: cpu_ms / rules },
		};
	} finally {
		load.stop();
		await server.sql("TRUNCATE TABLE definitions");
	}
}

async function nextMinute(): Promise<number> {
	const at = (Math.floor(Date.now() / MINUTE_MS) + 1) * MINUTE_MS;
	await sleep(at - Date.now());
	return at;
}

/** Milliseconds from the instant until no rule lacks its evaluation. */
async function evaluated(server: Server, rules: number, at: number): Promise<number> {
	for (;;) {
		const [row] = await server.rows<{ n: string }>(
			`SELECT count() AS n FROM alert_instances FINAL WHERE instance = '' AND deleted = 0 AND toUnixTimestamp64Milli(evaluated_at) >= ${at}`,
		);
		if (Number(row?.n) >= rules) return Date.now() - at;
		if (Date.now() - at > 5 * MINUTE_MS)
			throw new Error(`only ${row?.n} of ${rules} rules were evaluated within five minutes`);
		await sleep(100);
	}
}

/** Of every kind; each metric is watched by several, as teams do. */
async function define(server: Server, rules: number): Promise<void> {
	const now = new Date().toISOString().replace("T", " ").replace("Z", "");
	const rows = Array.from({ length: rules }, (_, i) => {
		const metric = `bench.metric.${i % METRICS}`;
		const threshold = (operator: string, limit: number, over: object = {}) => ({
			...{ type: "threshold", metric, operator, threshold: limit, timeframe: i % 3 === 0 ? "5m" : "1m" },
			...over,
		});
		const kinds = [
			[threshold("greater_than", 0.99)],
			[threshold("less_than", 0.001)],
			[threshold("greater_than", 0.9, { aggregation: "max" })],
			[threshold("greater_than", 0.05, { metric: "error_rate" })],
			[threshold("greater_than", 2_000, { metric: "response_time", aggregation: "p95" })],
			[threshold("greater_than", 100, { metric: "logs", query: "level:error" })],
			[{ type: "absence", metric, timeframe: "5m" }],
			[
				{
					type: "rate_of_change",
					metric,
					operator: "greater_than",
					threshold: 300,
					change: "percent",
					timeframe: "5m",
				},
			],
			[
				{
					type: "compound",
					logic: "AND",
					sub_conditions: [
						threshold("greater_than", 0.9),
						threshold("greater_than", 0.9, { metric: "cpu_utilization" }),
					],
				},
			],
			[threshold("greater_than", 0.99)],
		];
		const body = { name: `rule ${i}`, conditions: kinds[i % kinds.length], group_by: i % 10 === 9 ? ["host"] : [] };
		return {
			project: "default",
			kind: "alert",
			id: `bench_${i}`,
			version: 1,
			deleted: 0,
			body: JSON.stringify(body),
			created_at: now,
			updated_at: now,
		};
	});
	await server.sql(`INSERT INTO definitions FORMAT JSONEachRow\n${rows.map((row) => JSON.stringify(row)).join("\n")}`);
}

/** A point of every series, some requests, log lines and processors every ten seconds. */
function steadyLoad(server: Server, u: () => number): { stop(): void } {
	const send = async () => {
		const records: object[] = [];
		for (let m = 0; m < METRICS; m++)
			for (let h = 0; h < HOSTS; h++)
				records.push({ type: "metric", name: `bench.metric.${m}`, value: u(), tags: { host: `h${h}` } });
		for (let i = 0; i < 200; i++) {
			const tags = { component: "api", "http.response.status_code": u() < 0.01 ? "500" : "200" };
			records.push({ type: "metric", name: "http.server.request.duration", kind: "distribution", value: u(), tags });
			records.push({ type: "log", message: `request ${i} done`, level: u() < 0.1 ? "error" : "info" });
		}
		for (let h = 0; h < HOSTS; h++)
			records.push({ type: "metric", name: "system.cpu.utilization", value: u(), tags: { "host.id": `h${h}` } });
		const body = records.map((record) => JSON.stringify(record)).join("\n");
		const headers = { ...server.headers, "content-type": "application/x-ndjson" };
		await (await fetch(`${server.url}/v1/ingest/batch`, { method: "POST", headers, body })).text();
	};
	void send();
	const timer = setInterval(() => void send(), SEND_MS);
	return { stop: () => clearInterval(timer) };
}
