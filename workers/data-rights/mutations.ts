/** Changes of rows that are there already, waited for until they are done on every replica. */
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "../../schema/canonical-json.ts";
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
 * Runs `ALTER TABLE … DELETE` or `UPDATE`, and waits for it however long it takes: an engine that dies goes on with it. What others
 * change in the same table is neither waited for nor killed. Begun again with the same words, it is done when both are.
 * @param change `DELETE`, or `UPDATE` with its columns
 * @throws MutationError
 */
export async function mutate(
	place: Place,
	table: string,
	change: string,
	where: string,
	signal?: AbortSignal,
): Promise<void> {
	const { client } = place;
	// A mutation is asked for without being told its id: it is known by its words.
	const mark = sha256([table, change, where]).slice(0, 32);
	const target = `{{${EVERYWHERE.has(table) ? "everywhere" : "local"}:${table}}}`;
	await client.command({
		query: statement(`ALTER TABLE ${target} {{on_cluster}} ${change} WHERE (${where}) AND '${mark}' != ''`, place),
		clickhouse_settings: { mutations_sync: "0", allow_nondeterministic_mutations: 1 },
	});
	const mine = `${ofTable(place, table)} AND position(command, '${mark}') > 0`;
	let failures = 0;
	for (let wait_ms = FIRST_WAIT_MS; ; wait_ms = Math.min(2 * wait_ms, LAST_WAIT_MS)) {
		const { known, running, failing } = await standing(place, mine);
		if (known && running === 0) return;
		// Where it is not known, somebody killed it, or it has not got there yet.
		failures = known && failing === 0 ? 0 : failures + 1;
		if (failures >= FAILURES) {
			await client.command({ query: statement(`KILL MUTATION {{on_cluster}} WHERE ${mine}`, place) });
			throw new MutationError(`rows of ${table} could not be changed; the log of ClickHouse says why`);
		}
		await sleep(wait_ms, undefined, signal ? { signal } : {});
	}
}

async function standing(
	{ client, cluster }: Place,
	which: string,
): Promise<{ known: boolean; running: number; failing: number }> {
	const everywhere = (table: string) => (cluster ? `clusterAllReplicas('${cluster}', ${table})` : table);
	const result = await client.query({
		query: `SELECT count() >= (SELECT count() FROM ${everywhere("system.one")}) AS known,
			toUInt32(countIf(NOT is_done)) AS running, toUInt32(countIf(NOT is_done AND latest_fail_reason != '')) AS failing
			FROM ${everywhere("system.mutations")} WHERE ${which}`,
		format: "JSONEachRow",
	});
	const [row] = await result.json<{ known: number; running: number; failing: number }>();
	return { ...row!, known: row!.known === 1 };
}

function ofTable({ database, cluster }: Place, table: string): string {
	return `database = '${database}' AND table = '${table}${cluster && !EVERYWHERE.has(table) ? "_local" : ""}'`;
}
