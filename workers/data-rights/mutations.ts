/** Changes of rows that are there already, waited for until they are done on every replica. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { render } from "../../schema/render.ts";

export interface Place {
	readonly client: ClickHouse;
	readonly database: string;
	readonly cluster?: string | undefined;
}

export class MutationError extends Error {
	override readonly name = "MutationError";
}

const FIRST_WAIT_MS = 20;
const LAST_WAIT_MS = 1_000;
/** It is tried again by itself; so often, and something is wrong with it. */
const FAILURES = 5;

/** Tables that every node of a cluster holds whole: they have no local ones beneath them. */
export const EVERYWHERE: ReadonlySet<string> = new Set([
	...["definitions", "jobs", "audit_log", "audit_verifications", "changing_calls", "erasure_subjects"],
	...["report_files", "report_deliveries"],
	...["alert_transitions", "alert_instances", "alert_deliveries", "alert_delivery_attempts"],
]);

/** Fills the placeholders of a statement. */
export function statement(text: string, { database, cluster }: Place): string {
	return render(text, { database, cluster, days: {} })[0]!;
}

/**
 * Runs `ALTER TABLE … DELETE` or `UPDATE`, and waits for it however long it takes: an engine that dies goes on with it.
 * @param change what follows the name of the table
 * @throws MutationError
 */
export async function mutate(place: Place, table: string, change: string, signal?: AbortSignal): Promise<void> {
	const { client } = place;
	await client.command({
		query: statement(
			`ALTER TABLE {{${EVERYWHERE.has(table) ? "everywhere" : "local"}:${table}}} {{on_cluster}} ${change}`,
			place,
		),
		clickhouse_settings: { mutations_sync: "0", allow_nondeterministic_mutations: 1 },
	});
	let failures = 0;
	for (let wait_ms = FIRST_WAIT_MS; ; wait_ms = Math.min(2 * wait_ms, LAST_WAIT_MS)) {
		const { running, failing } = await pending(place, table);
		if (running === 0) return;
		failures = failing === 0 ? 0 : failures + 1;
		if (failures >= FAILURES) {
			await client.command({ query: `KILL MUTATION WHERE ${ofTable(place, table)} AND latest_fail_reason != ''` });
			throw new MutationError(`rows of ${table} could not be changed; the log of ClickHouse says why`);
		}
		await sleep(wait_ms, undefined, signal ? { signal } : {});
	}
}

async function pending(place: Place, table: string): Promise<{ running: number; failing: number }> {
	const mutations = place.cluster ? `clusterAllReplicas('${place.cluster}', system.mutations)` : "system.mutations";
	const result = await place.client.query({
		query: `SELECT toUInt32(count()) AS running, toUInt32(countIf(latest_fail_reason != '')) AS failing
			FROM ${mutations} WHERE ${ofTable(place, table)} AND NOT is_done`,
		format: "JSONEachRow",
	});
	return (await result.json<{ running: number; failing: number }>())[0]!;
}

function ofTable({ database, cluster }: Place, table: string): string {
	return `database = '${database}' AND table = '${table}${cluster && !EVERYWHERE.has(table) ? "_local" : ""}'`;
}
