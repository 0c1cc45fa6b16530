// Tidemark shows the machine it runs on, and itself, through its own pipeline.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";

const EVERYWHERE = [
	"system.cpu.utilization",
	"system.cpu.load_average.1m",
	"system.memory.utilization",
	"system.filesystem.utilization",
	"system.filesystem.usage",
	"system.filesystem.limit",
	"system.uptime",
	"process.memory.usage",
	"process.cpu.utilization",
	"tidemark.ingest.records",
	"tidemark.ingest.journal.bytes",
	"tidemark.ingest.imbalance",
];

describe("a server as it comes", () => {
	let server: Server;
	beforeAll(async () => {
		server = await startServer();
	});
	afterAll(() => server.stop());

	test("a few seconds after the start the host, the processes and the ledger can be queried", async () => {
		const names = await until(
			async () => {
				const rows = await server.query<{ name: string }>("SELECT DISTINCT name FROM points WHERE project = 'default'");
				const stored = new Set(rows.map(({ name }) => name));
				return EVERYWHERE.every((name) => stored.has(name)) && stored;
			},
			{ what: "all metrics of the host and the program", deadline_ms: 20_000 },
		);
		if (process.platform === "linux") {
			expect(names).toContain("system.disk.io");
			expect(names).toContain("system.network.io");
		}
		const [cpu] = await server.query<{ value: number }>(
			"SELECT value FROM points WHERE name = 'system.cpu.utilization'",
		);
		expect(cpu?.value).toBeGreaterThan(0);
		expect(cpu?.value).toBeLessThanOrEqual(1);
	});

	test("hosts of the component tidemark are found by its processes", async () => {
		const [row] = await server.query<{ hosts: number; same: number }>(
			`SELECT uniqExact(tags['host.id']) AS hosts,
				uniqExactIf(tags['host.id'], component = 'tidemark') = uniqExactIf(tags['host.id'], name = 'system.uptime') AS same
			FROM series WHERE tags['host.id'] != ''`,
		);
		expect(row).toEqual({ hosts: 1, same: 1 });
	});

	test("the start is an event", async () => {
		const [event] = await until(async () => {
			const rows = await server.query<{ strings: object }>(
				"SELECT strings FROM events WHERE event = 'process.started'",
			);
			return rows.length === 1 && rows;
		});
		expect(event?.strings).toMatchObject({ component: "tidemark", "service.version": "0.1.0" });
	});

	test("a request is a point with its route, and a bar of the histogram; probes are not points", async () => {
		expect((await server.request("/readyz")).status).toBe(200);
		expect((await server.request("/v1/keys")).status).toBe(200);
		expect((await server.request("/v1/nowhere?key=x")).status).toBe(404);
		const points = await until(async () => {
			const rows = await server.query<{ tags: Record<string, string>; kind: string; n: number }>(
				`SELECT s.tags AS tags, s.kind AS kind, p.n AS n FROM series AS s
				INNER JOIN (SELECT series_id, count() AS n FROM points GROUP BY series_id) AS p USING series_id
				WHERE s.name = 'http.server.request.duration' ORDER BY tags['http.response.status_code']`,
			);
			return rows.length === 2 && rows;
		});
		expect(points).toEqual([
			{
				...{ kind: "distribution", n: 1 },
				tags: {
					component: "tidemark",
					"http.request.method": "GET",
					"http.response.status_code": "200",
					"http.route": "/v1/keys",
				},
			},
			{
				...{ kind: "distribution", n: 1 },
				tags: { component: "tidemark", "http.request.method": "GET", "http.response.status_code": "404" },
			},
		]);
		const text = await (await server.request("/metrics")).text();
		expect(text).toContain('http_server_request_duration_seconds_count{method="GET",route="/v1/keys",status="200"} 1');
		expect(text).toContain('http_server_request_duration_seconds_count{method="GET",route="/readyz",status="200"} 1');
		expect(text).toMatch(/^tidemark_ingest_records_total\{state="stored"\} [1-9]/m);
		expect(text).toMatch(/^tidemark_ingest_imbalance 0$/m);
	});

	test.each(["", "&component=tidemark"])("the answers show this machine and these requests%s", async (component) => {
		const path = `/v1/monitoring/metrics?timeframe=1h&granularity=1h${component}`;
		const points = await until(async () => {
			const answer = (await (await server.request(path)).json()) as { data_points: Record<string, number | null>[] };
			const last = answer.data_points.at(-1);
			// Sums follow their points a moment later: until then nobody has asked.
			return (last?.api_requests ?? 0) > 0 && last?.cpu_utilization !== null && last;
		});
		expect(points).toMatchObject({
			cpu_utilization: expect.any(Number),
			memory_utilization: expect.any(Number),
			api_requests: expect.any(Number),
			response_time_avg: expect.any(Number),
			error_rate: 0,
		});
		const health = (await (await server.request("/analytics/system/health")).json()) as Record<string, object>;
		expect(health.system).toMatchObject({ cpu_usage: expect.any(Number), disk_usage: expect.any(Number) });
	});

	test("the ledger that is published adds up", async () => {
		const [row] = await server.query<{ states: Record<string, number>; moment: string }>(
			`SELECT ts AS moment, mapFromArrays(groupArray(s.tags['state']), groupArray(p.value)) AS states
			FROM points AS p INNER JOIN series AS s USING series_id
			WHERE p.name = 'tidemark.ingest.records' GROUP BY ts ORDER BY ts DESC LIMIT 1`,
		);
		const { accepted, stored, quarantined, duplicates, journal } = row!.states;
		expect(accepted).toBe(stored! + quarantined! + duplicates! + journal!);
	});

	test("the death of the engine is in its own log afterwards, and counted", async () => {
		const { pid } = JSON.parse(readFileSync(join(server.dataDir, "engine.json"), "utf8"));
		process.kill(pid, "SIGKILL");
		const [line] = await until(
			async () => {
				const rows = await server.query<{ level: string; component: string }>(
					"SELECT level, component FROM logs WHERE message LIKE '%engine died%'",
				);
				return rows.length > 0 && rows;
			},
			{ deadline_ms: 30_000, what: "the log line in the engine that died" },
		);
		expect(line).toEqual({ level: "error", component: "tidemark" });
		expect(await (await server.request("/metrics")).text()).toContain("tidemark_engine_restarts_total 1");
	});
});

test("what waited at SIGTERM is stored before the end: requests and the last line of the log", async () => {
	const dataDir = temporaryFolder();
	const first = await startServer({ dataDir });
	await first.request("/v1/keys");
	expect(await first.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	const second = await startServer({ dataDir, env: { TIDEMARK_SELF_PROJECT: "off" } });
	const [row] = await second.query<{ requests: number; lines: string[] }>(
		`SELECT (SELECT count() FROM points WHERE name = 'http.server.request.duration') AS requests,
			(SELECT groupArray(message) FROM (SELECT message FROM logs ORDER BY ts, id)) AS lines`,
	);
	expect(row?.requests).toBe(1);
	expect(row?.lines[0]).toBe("started");
	expect(row?.lines.at(-1)).toMatch(/^stopping/);
	await second.stop();
});

test("off sends nothing at all, whatever is asked and logged", async () => {
	const dataDir = temporaryFolder();
	const env = { TIDEMARK_SELF_PROJECT: "off" };
	const first = await startServer({ dataDir, env });
	await first.request("/v1/keys");
	// Drained, so what would have been sent is there.
	expect(await first.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	const second = await startServer({ dataDir, env });
	const rows = await second.query(
		"SELECT (SELECT count() FROM points) + (SELECT count() FROM logs) + (SELECT count() FROM events) AS n",
	);
	expect(rows).toEqual([{ n: 0 }]);
	expect(await (await second.request("/metrics")).text()).toContain("http_server_request_duration_seconds");
	await second.stop();
});

test("records go to the project that is named, and to no other; the host can be left out", async () => {
	const dataDir = temporaryFolder();
	const env = { TIDEMARK_SELF_PROJECT: "tidemark", TIDEMARK_COLLECT_INTERVAL: "off" };
	const first = await startServer({ dataDir, env });
	expect(await first.kill("SIGTERM")).toEqual({ code: 0, signal: null });
	const second = await startServer({ dataDir, env: { TIDEMARK_SELF_PROJECT: "off" } });
	const rows = await second.query<{ project: string }>(
		`SELECT DISTINCT project FROM (SELECT project FROM points UNION ALL SELECT project FROM logs
			UNION ALL SELECT project FROM events)`,
	);
	expect(rows).toEqual([{ project: "tidemark" }]);
	expect(await second.query("SELECT count() AS n FROM series WHERE startsWith(name, 'system.')")).toEqual([{ n: 0 }]);
	await second.stop();
});

test("a process without ingest sends nothing and still shows itself to Prometheus", async () => {
	const query = await startServer({ args: ["query"] });
	await query.request("/v1/keys");
	const text = await (await query.request("/metrics")).text();
	expect(text).toContain('http_server_request_duration_seconds_count{method="GET",route="/v1/keys",status="200"} 1');
	expect(text).not.toMatch(/^tidemark_ingest/m);
	expect(await query.query("SELECT count() AS n FROM points")).toEqual([{ n: 0 }]);
	expect(await query.stop()).toEqual({ code: 0, signal: null });
});
