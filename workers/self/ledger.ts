/** The ingest ledger as metrics: where every record is that this process has accepted. */
import { setTimeout as sleep } from "node:timers/promises";
import type { MetricPoint } from "../../schema/wire/ingest.ts";
import type { Host } from "../collector/records.ts";
import { OWN_COMPONENT } from "./log-record.ts";
import type { Losses } from "./outbox.ts";

/** Totals since the process started; `journal` is what waits there now. */
export interface Ledger {
	readonly accepted: number;
	readonly stored: number;
	readonly quarantined: number;
	readonly duplicates: number;
	readonly rejected: number;
	readonly journal: number;
	readonly journalBytes: number;
	/** Records that are nowhere, or twice. */
	readonly imbalance: number;
}

export const LEDGER_STATES = ["accepted", "stored", "quarantined", "duplicates", "rejected", "journal"] as const;

/** Gauges: the totals as they stand, so that one look at a moment shows whether they add up. */
export function ledgerRecords(
	ledger: Ledger,
	losses: Losses,
	collectorFailures: number,
	{ host, at_ms }: { host: Host; at_ms: number },
): MetricPoint[] {
	const gauge = (name: string, unit: string, value: number, tags: Record<string, string> = {}): MetricPoint => ({
		...{ name, kind: "gauge", unit, value, timestamp: at_ms },
		tags: { component: OWN_COMPONENT, "host.id": host.id, "host.name": host.name, ...tags },
	});
	return [
		...LEDGER_STATES.map((state) => gauge("tidemark.ingest.records", "{record}", ledger[state], { state })),
		gauge("tidemark.ingest.journal.bytes", "By", ledger.journalBytes),
		gauge("tidemark.ingest.imbalance", "{record}", ledger.imbalance),
		...Object.entries(losses).map(([reason, lost]) => gauge("tidemark.self.lost", "{record}", lost, { reason })),
		gauge("tidemark.collector.failures", "{reading}", collectorFailures),
	];
}

const TRIES = 5;
const BETWEEN_MS = 20;

/**
 * The ledger at a moment at which nothing is on its way between two of its places: while a segment is sealed or removed, its
 * records are counted at neither for a few milliseconds. An imbalance that is not of that kind is seen at every try.
 */
export async function settledLedger(read: () => Ledger): Promise<Ledger> {
	let best = read();
	for (let tries = 1; best.imbalance !== 0 && tries < TRIES; tries++) {
		await sleep(BETWEEN_MS);
		const next = read();
		if (Math.abs(next.imbalance) < Math.abs(best.imbalance)) best = next;
	}
	return best;
}
