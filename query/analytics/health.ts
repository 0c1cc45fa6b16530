import type { z } from "zod";
import {
	ALERT_LEVELS,
	type SystemHealthAnswer,
	systemHealthAnswer,
	systemHealthQuery,
} from "../../schema/wire/index.ts";
import { RECENT_MS, systemState } from "../common/components.ts";
import { burningAlerts } from "../measures/alerting/records.ts";
import { databaseOf } from "../measures/databases.ts";
import { CPU, FILESYSTEM, MEMORY, saysUsed, usedShare } from "../measures/hosts.ts";
import { fresh, type LastValue, lastValues } from "../measures/last-values.ts";
import { modelService } from "../measures/model-service.ts";
import { MODEL_EVENT } from "../measures/models.ts";
import { over, type Scope } from "../measures/scope.ts";
import {
	BREAKER_EVENT,
	circuitBreakers,
	DB_CONNECTIONS,
	DB_CONNECTIONS_MAX,
	DB_DURATION,
	databaseLatency,
	PROCESS_EVENT,
	processStarted,
} from "../measures/services.ts";
import { signals } from "../measures/signals.ts";
import { type Needs, withMeta } from "../meta.ts";
import { decimals, milliseconds, percentOf, whole } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

const LOADS = ["system.cpu.load_average.1m", "system.cpu.load_average.5m", "system.cpu.load_average.15m"] as const;
const TEMPERATURE = "hw.temperature";
const UPTIME = "system.uptime";
const QUEUE = "llm.queue.length";

const NEEDS: Needs = {
	uptime_seconds: [`event ${PROCESS_EVENT}`, `metric ${UPTIME}`],
	"system.cpu_usage": `metric ${CPU}`,
	"system.memory_usage": `metric ${MEMORY}`,
	"system.disk_usage": `metric ${FILESYSTEM}`,
	"system.load_average": `metric ${LOADS[0]}`,
	"system.temperature": `metric ${TEMPERATURE}`,
	"services.database.response_time_ms": `metric ${DB_DURATION}`,
	"services.database.connections": `metric ${DB_CONNECTIONS}`,
	"services.database.pool_size": `metric ${DB_CONNECTIONS_MAX}`,
	"services.database.by_database": [`metric ${DB_CONNECTIONS}`, `metric ${DB_CONNECTIONS_MAX}`],
	"services.llm_backend.model": `event ${MODEL_EVENT}`,
	"services.llm_backend.response_time_ms": `event ${MODEL_EVENT}`,
	"services.llm_backend.queue_length": `metric ${QUEUE}`,
	"services.circuit_breakers": `event ${BREAKER_EVENT}`,
};

/** `GET /analytics/system/health` */
export const systemHealthRead = read({
	path: "/analytics/system/health",
	summary: "Health of hosts and services",
	query: systemHealthQuery,
	answer: systemHealthAnswer,
	needs: NEEDS,
	ask: systemHealth,
});

async function systemHealth(asking: Asking, query: z.infer<typeof systemHealthQuery>): Promise<SystemHealthAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: ["24h"], defaultTimeframe: "24h", now });
	const scope: Scope = { start: window.start, end: window.end, now, reach };
	const recent = over(scope, scope.end - RECENT_MS, scope.end);
	const gauges = [CPU, MEMORY, FILESYSTEM, ...LOADS, TEMPERATURE, UPTIME, QUEUE, DB_CONNECTIONS, DB_CONNECTIONS_MAX];
	const [sent, state, all, database_ms, model, breakers, started, burning] = await Promise.all([
		asker.ask(signals(window.as_of)),
		systemState(asking, scope),
		asker.ask(lastValues(scope, gauges)),
		asker.ask(databaseLatency(recent)),
		asker.ask(modelService(scope)),
		asker.ask(circuitBreakers(scope)),
		asker.ask(processStarted(scope)),
		asker.ask(burningAlerts(window.as_of)),
	]);
	const last = fresh(all, scope.end);
	const of = (name: string) => last.filter((value) => value.name === name && saysUsed(value));
	const load = loadAverage(last);
	const databases = connections(last);
	const answer = {
		timestamp: new Date(window.as_of).toISOString(),
		status: state.status,
		uptime_seconds: uptimeSeconds(started, of(UPTIME), window.as_of),
		system: {
			cpu_usage: percentOf(meanOverHosts(of(CPU))),
			memory_usage: percentOf(meanOverHosts(of(MEMORY))),
			disk_usage: percentOf(highest(of(FILESYSTEM))),
			load_average: load?.values ?? null,
			temperature: decimals(highest(of(TEMPERATURE)), 1),
		},
		services: {
			database: {
				status: database_ms === null ? "unknown" : "healthy",
				response_time_ms: milliseconds(database_ms),
				connections: total(databases, "connections"),
				pool_size: total(databases, "pool_size"),
				by_database: databases,
			},
			llm_backend: {
				status: model.latency_ms === null ? "unknown" : "healthy",
				model: model.model,
				response_time_ms: milliseconds(model.latency_ms),
				queue_length: of(QUEUE).length > 0 ? of(QUEUE).reduce((sum, { value }) => sum + value, 0) : null,
			},
			circuit_breakers: breakers,
		},
		alerts: burning.map(({ severity, message, threshold, value, state, alert_id }) => ({
			...{ level: ALERT_LEVELS[severity], message, threshold, current: value, state, alert_id },
		})),
	};
	const parts = {
		window,
		data_through: sent.dataThrough("metric", "event"),
		methods: load === undefined ? {} : { "system.load_average": `highest over hosts, now ${load.host}` },
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

/** Of several series of a host (one a processor) the mean, then the mean over hosts. */
function meanOverHosts(values: readonly LastValue[]): number | null {
	const hosts = new Map<string, number[]>();
	for (const value of values) hosts.set(value.host, [...(hosts.get(value.host) ?? []), usedShare(value)]);
	const means = [...hosts.values()].map((shares) => shares.reduce((sum, share) => sum + share, 0) / shares.length);
	return means.length === 0 ? null : means.reduce((sum, value) => sum + value, 0) / means.length;
}

function highest(values: readonly LastValue[]): number | null {
	return values.length === 0 ? null : Math.max(...values.map(({ value }) => value));
}

/** Load over 1, 5 and 15 minutes, each the highest of all hosts; `host` is that of the first. */
function loadAverage(last: readonly LastValue[]): { host: string; values: number[] } | undefined {
	const highestOf = LOADS.map(
		(name) => last.filter((value) => value.name === name).sort((a, b) => b.value - a.value)[0],
	);
	const found = highestOf.filter((value) => value !== undefined);
	return found[0] && { host: found[0].host, values: found.map(({ value }) => decimals(value, 2)!) };
}

function uptimeSeconds(started: number | null, uptimes: readonly LastValue[], as_of: number): number | null {
	if (started !== null) return Math.round((as_of - started) / 1_000);
	return whole(highest(uptimes));
}

function connections(
	last: readonly LastValue[],
): Record<string, { connections: number | null; pool_size: number | null }> {
	const found: Record<string, { connections: number | null; pool_size: number | null }> = {};
	for (const { name, tags, value } of last) {
		const database = databaseOf(tags);
		const state = tags.state || tags["db.client.connection.state"];
		const isUsed = name === DB_CONNECTIONS && state === "used";
		if (!isUsed && name !== DB_CONNECTIONS_MAX) continue;
		found[database] ??= { connections: null, pool_size: null };
		const member = isUsed ? "connections" : "pool_size";
		found[database][member] = (found[database][member] ?? 0) + value;
	}
	return found;
}

function total(
	databases: Record<string, { connections: number | null; pool_size: number | null }>,
	member: "connections" | "pool_size",
): number | null {
	const values = Object.values(databases)
		.map((database) => database[member])
		.filter((value) => value !== null);
	return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0);
}
