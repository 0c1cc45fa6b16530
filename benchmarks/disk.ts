/** Bytes on disk of the tables, as ClickHouse counts its active parts. */
import type { Server } from "./server.ts";

export interface Disk {
	/** Of the table that the rows themselves are in. */
	readonly raw: number;
	/** Of everything a load wrote: series, rollups, sketches, counts, ids. */
	readonly all: number;
	readonly raw_merged: number;
	readonly all_merged: number;
}

/** Measures, then merges the raw table into one part a partition and measures again. */
export async function diskBytes(server: Server, raw: string): Promise<Disk> {
	const before = await byTable(server);
	await server.sql(`OPTIMIZE TABLE ${raw} FINAL`);
	const after = await byTable(server);
	return { raw: before[raw] ?? 0, all: sum(before), raw_merged: after[raw] ?? 0, all_merged: sum(after) };
}

async function byTable(server: Server): Promise<Record<string, number>> {
	const tables = await server.rows<{ table: string; bytes: number }>(
		"SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = currentDatabase() GROUP BY table",
	);
	return Object.fromEntries(tables.map(({ table, bytes }) => [table, bytes]));
}

function sum(bytes: Readonly<Record<string, number>>): number {
	return Object.values(bytes).reduce((total, some) => total + some, 0);
}
