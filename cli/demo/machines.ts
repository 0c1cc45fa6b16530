// Requests, hosts, databases, probes and nodes.
import {
	busyness,
	DAY_MS,
	type Day,
	digits,
	every,
	type Family,
	HOUR_MS,
	inIncident,
	MINUTE_MS,
	moments,
	SeriesBook,
} from "./world.ts";

const COMPONENTS = [
	{ component: "api_gateway", routes: ["/v1/items", "/v1/search", "/v1/chat"], perDay: 900, median_s: 0.028 },
	{ component: "inference_engine", routes: ["/v1/infer"], perDay: 500, median_s: 0.21 },
	{ component: "data_storage", routes: ["/v1/files"], perDay: 260, median_s: 0.012 },
] as const;

const HTTP = "http.server.request.duration";

/** One observation a request. */
export const requests: Family = (day) => {
	const book = new SeriesBook();
	const { random } = day;
	for (const { component, routes, perDay, median_s } of COMPONENTS) {
		for (const ms of moments(day, perDay)) {
			const bad = component === "inference_engine" && inIncident(ms, day);
			const failed = random.chance(bad ? 0.12 : 0.003);
			const route = random.pick(routes);
			const tags = {
				...{ component, "http.route": route, "http.request.method": route === "/v1/items" ? "GET" : "POST" },
				"http.response.status_code": failed ? (bad ? "503" : "500") : random.chance(0.02) ? "404" : "200",
			};
			const seconds = random.logNormal(median_s * (bad ? 5 : 1), 0.5);
			book.add(HTTP, tags, ms, digits(seconds, 6), "distribution", "s");
		}
	}
	return book.records();
};

const HOSTS = [
	{ host: "web-1", component: "api_gateway", cpu: 0.34, memory: 0.52, disk: 0.41 },
	{ host: "gpu-1", component: "inference_engine", cpu: 0.47, memory: 0.61, disk: 0.38 },
	{ host: "store-1", component: "data_storage", cpu: 0.21, memory: 0.44, disk: 0.58 },
] as const;
const DISK_BYTES = 2e12;

export const hosts: Family = (day) => {
	const book = new SeriesBook();
	const { random } = day;
	for (const { host, component, cpu, memory, disk } of HOSTS) {
		const tags = { "host.id": host, "host.name": host, component };
		for (const ms of every(day, 10 * MINUTE_MS)) {
			const busy = busyness(ms, day);
			const load = Math.min(0.98, Math.max(0.02, cpu * (0.55 + 0.45 * busy) + 0.03 * random.normal()));
			const put = (name: string, value: number, more = {}, kind: "gauge" | "counter" = "gauge", unit = "1") =>
				book.add(name, { ...tags, ...more }, ms, digits(value, 4), kind, unit);
			put("system.cpu.utilization", load);
			put("system.memory.utilization", Math.min(0.97, memory + 0.04 * busy + 0.01 * random.normal()));
			// Disks fill: capacity planning has something to see.
			const used = Math.min(0.97, disk + (0.2 * (day.index + (ms - day.start) / DAY_MS)) / day.count);
			put("system.filesystem.utilization", used, { device: "/dev/nvme0n1" });
			put("system.filesystem.usage", used * DISK_BYTES, { device: "/dev/nvme0n1" }, "gauge", "By");
			put("system.filesystem.limit", DISK_BYTES, { device: "/dev/nvme0n1" }, "gauge", "By");
			for (const [i, span] of ["1m", "5m", "15m"].entries()) {
				put(`system.cpu.load_average.${span}`, load * 8 * (1 - 0.05 * i));
			}
			put("hw.temperature", 38 + 35 * load, { sensor: "cpu0" }, "gauge", "Cel");
			put("system.uptime", (day.index * DAY_MS + (ms - day.start)) / 1_000 + 3e6, {}, "gauge", "s");
			for (const direction of ["read", "write"]) {
				put(
					"system.disk.io",
					4e6 * busy * random.between(0.6, 1.4),
					{ "disk.io.direction": direction },
					"counter",
					"By",
				);
			}
			for (const direction of ["receive", "transmit"]) {
				const bytes = 9e7 * busy * random.between(0.6, 1.4);
				put("system.network.io", Math.round(bytes), { "network.io.direction": direction }, "counter", "By");
			}
			if (component === "inference_engine") {
				put("gpu.utilization", Math.min(0.99, 0.5 + 0.22 * busy + 0.03 * random.normal()));
				put("llm.queue.length", Math.max(0, Math.round(3 * busy + random.normal())));
			}
		}
		for (const ms of every(day, HOUR_MS)) book.add("network.link.capacity", tags, ms, 1e9, "gauge", "bit/s");
	}
	return book.records();
};

const DATABASES = [
	{ db: "primary", system: "postgresql", median_s: 0.007, pool: 40 },
	{ db: "analytics", system: "clickhouse", median_s: 0.09, pool: 20 },
	{ db: "cache", system: "redis", median_s: 0.0006, pool: 60 },
] as const;

export const databases: Family = function* (day) {
	const book = new SeriesBook();
	const { random } = day;
	for (const { db, system, median_s, pool } of DATABASES) {
		for (const ms of moments(day, 260)) {
			const tags = { db, "db.namespace": db, "db.system.name": system };
			const seconds = random.logNormal(median_s, random.chance(0.01) ? 2.5 : 0.5);
			book.add("db.client.operation.duration", tags, ms, digits(seconds, 6), "distribution", "s");
		}
		for (const ms of every(day, 10 * MINUTE_MS)) {
			const used = Math.min(pool, Math.round(pool * 0.35 * busyness(ms, day) + random.between(0, 3)));
			book.add("db.client.connection.count", { db, state: "used" }, ms, used);
			book.add("db.client.connection.count", { db, state: "idle" }, ms, pool - used);
			book.add("db.client.connection.max", { db }, ms, pool);
		}
	}
	yield* book.records();
};

const NODES = Array.from({ length: 8 }, (_, i) => ({
	node_id: `node_${String(i + 1).padStart(3, "0")}`,
	cluster_id: i < 3 ? "us_east" : i < 6 ? "eu_central" : "ap_south",
}));
const HEARTBEAT_MS = 10 * MINUTE_MS;

/** Heartbeats, pings, checks and what else says that the parts are alive. */
export const probes: Family = function* (day: Day) {
	const { random } = day;
	const book = new SeriesBook();
	for (const ms of every(day, HEARTBEAT_MS)) {
		for (const node of NODES) {
			if (node.node_id === "node_007" && inIncident(ms, day)) continue;
			const properties = { ...node, interval_s: HEARTBEAT_MS / 1_000, component: "p2p_network" };
			yield { type: "event", event: "node.heartbeat", timestamp: ms + random.whole(0, 999), properties };
		}
	}
	for (const ms of every(day, HOUR_MS)) {
		for (const [i, { node_id: src, cluster_id }] of NODES.entries()) {
			const to = [...NODES.slice(i + 1), { node_id: "fl_server", cluster_id: "us_east" }];
			for (const { node_id: dst, cluster_id: other } of to) {
				const received = random.chance(0.97) ? 10 : random.whole(6, 9);
				const rtt_ms = random.logNormal(cluster_id === other ? 14 : 85, 0.15);
				const tags = { src, dst, sent: "10", received: String(received) };
				book.add("net.ping", tags, ms, digits(rtt_ms, 2), "distribution", "ms");
			}
		}
	}
	yield* book.records();
	for (const ms of every(day, 15 * MINUTE_MS)) {
		for (const component of ["api_gateway", "inference_engine", "data_storage"]) {
			for (const location of ["eu-central", "us-east"]) {
				const ok = !(component === "inference_engine" && inIncident(ms, day)) && !random.chance(0.0005);
				const properties = {
					...{ check_id: `chk_${component}`, component, location, ok, status_code: ok ? 200 : 503 },
					duration_ms: Math.round(random.logNormal(80, 0.3)),
				};
				yield { type: "event", event: "check.completed", timestamp: ms, properties };
			}
		}
	}
	for (const ms of moments(day, 150)) {
		const properties = { component: "token_system", amount: digits(random.logNormal(40, 1), 2) };
		yield { type: "event", event: "token.transaction", timestamp: ms, properties };
	}
	if (day.index === 0) {
		for (const component of ["api_gateway", "inference_engine"]) {
			yield { type: "event", event: "process.started", timestamp: day.start, properties: { component } };
		}
		for (const name of ["search_service", "slack_connector"]) {
			const properties = { name, from: "open", to: "closed" };
			yield { type: "event", event: "circuit_breaker.state_changed", timestamp: day.start, properties };
		}
	}
	for (const [hour, from, to] of [
		[10.1, "closed", "open"],
		[10.7, "open", "half_open"],
		[10.8, "half_open", "closed"],
	] as const) {
		const ms = day.start + hour * HOUR_MS;
		if (!inIncident(day.start + 10.5 * HOUR_MS, day) || ms >= day.end) continue;
		const properties = { name: "llm_backend", from, to };
		yield { type: "event", event: "circuit_breaker.state_changed", timestamp: ms, properties };
	}
};
