/** States of all parts of the system, and what each shows of itself. */
import type { ComponentHealth } from "../../schema/wire/index.ts";
import { CHECK } from "../measures/availability.ts";
import {
	checkResults,
	components,
	type Evidence,
	healthScore,
	overallState,
	type State,
	stateOf,
} from "../measures/components.ts";
import { FILESYSTEM, GPU, saysUsed, usedShare, utilizationByComponent } from "../measures/hosts.ts";
import { fresh, type LastValue, lastValues } from "../measures/last-values.ts";
import { HEARTBEAT, type Nodes, nodes } from "../measures/nodes.ts";
import { over, type Scope } from "../measures/scope.ts";
import { TRANSACTION_EVENT, transactions } from "../measures/services.ts";
import {
	errorRate,
	HTTP_NAMES,
	latencyQuantilesByComponent,
	meanLatency_ms,
	type Traffic,
	trafficByComponent,
} from "../measures/traffic.ts";
import { milliseconds, percentOf, significant } from "../rounding.ts";
import type { Asking } from "../route.ts";

/** The rules look at the last five minutes. */
export const RECENT_MS = 300_000;

export interface SystemState {
	readonly status: "healthy" | "degraded" | "unhealthy" | "unknown";
	readonly components: Record<string, ComponentHealth>;
	/** 0 to 100; null without a component whose state is known. */
	readonly health_score: number | null;
	/** By component, `""` for those without one. */
	readonly nodes: ReadonlyMap<string, Nodes>;
}

/** @param now_ms the instant of the answer */
export async function systemState(asking: Asking, scope: Scope): Promise<SystemState> {
	const { asker, rules } = asking;
	const recent = over(scope, scope.end - RECENT_MS, scope.end);
	const [sent, requests, latency, checks, heard, busy, gauges, paid] = await Promise.all([
		asker.ask(components(scope)),
		asker.ask(trafficByComponent(recent)),
		rules.latency_p95_ms === null ? new Map<string, number>() : asker.ask(latencyQuantilesByComponent(recent)),
		asker.ask(checkResults(scope)),
		asker.ask(nodes(scope)),
		asker.ask(utilizationByComponent(recent)),
		asker.ask(lastValues(scope, [FILESYSTEM, GPU])),
		asker.ask(transactions(recent)),
	]);
	const freshGauges = fresh(gauges, scope.end).filter(saysUsed);
	const quiet = [...sent].filter(([, names]) => ![...names].some((name) => KNOWN.has(name)));
	const others = await aliveOthers(asking, scope, new Set(quiet.flatMap(([, names]) => [...names])));
	const found: Record<string, ComponentHealth> = {};
	const states: { state: State; critical: boolean }[] = [];
	for (const [name, names] of sent) {
		const traffic = requests.get(name);
		const volumes = freshGauges.filter((last) => last.component === name).map((last) => usedShare(last));
		const utilization = [busy.get(name), ...volumes].filter((value) => value !== undefined);
		const evidence: Evidence = {
			checks: checks.get(name),
			nodes: heard.get(name),
			requests: traffic?.requests,
			error_rate: traffic && errorRate(traffic),
			latency_p95_ms: latency.get(name),
			utilization: utilization.length > 0 ? Math.max(...utilization) : undefined,
			reporting: others.has(name) || (paid.get(name) ?? 0) > 0,
		};
		const state = stateOf(evidence, rules);
		found[name] = { status: state, ...shown(name, names, traffic, heard.get(name), freshGauges, paid) };
		states.push({ state, critical: isCritical(name, names, asking.criticalComponents) });
	}
	return { status: overallState(states), health_score: healthScore(states), components: found, nodes: heard };
}

/** Records by which the rules know a component; one that sends none of these is alive when it sends anything. */
const KNOWN: ReadonlySet<string> = new Set([...HTTP_NAMES, CHECK, HEARTBEAT]);

function isCritical(name: string, names: ReadonlySet<string>, critical: readonly string[]): boolean {
	return critical.length > 0 ? critical.includes(name) : names.has(CHECK);
}

/** Components that sent a value of one of these metrics within its usual interval. */
async function aliveOthers({ asker }: Asking, scope: Scope, names: ReadonlySet<string>): Promise<Set<string>> {
	if (names.size === 0) return new Set();
	const values: LastValue[] = await asker.ask(lastValues(scope, [...names]));
	return new Set(fresh(values, scope.end).map((last) => last.component));
}

/** The members that a component has records for; null when it is silent now. */
function shown(
	name: string,
	names: ReadonlySet<string>,
	traffic: Traffic | undefined,
	heard: Nodes | undefined,
	gauges: readonly LastValue[],
	paid: ReadonlyMap<string, number>,
): Omit<ComponentHealth, "status"> {
	const volumes = gauges
		.filter((last) => last.component === name && last.name === FILESYSTEM)
		.map((last) => last.value);
	return {
		...(HTTP_NAMES.some((http) => names.has(http))
			? { response_time_ms: traffic ? milliseconds(meanLatency_ms(traffic)) : null }
			: {}),
		...(names.has(HEARTBEAT) ? { active_peers: heard?.active ?? 0 } : {}),
		...(names.has(FILESYSTEM)
			? { utilization_percentage: volumes.length > 0 ? percentOf(Math.max(...volumes)) : null }
			: {}),
		...(names.has(TRANSACTION_EVENT)
			? { transaction_rate: significant((paid.get(name) ?? 0) / (RECENT_MS / 1_000)) }
			: {}),
	};
}
