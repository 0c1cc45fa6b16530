/** Proves every minute that no record is lost between ingest and the last tier, and says so when one is. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { JOB_KIND_OF } from "../../schema/data-requests.ts";
import { LADDER } from "../../schema/granularity.ts";
import { JobStore } from "../../schema/jobs.ts";
import type { MetricPoint } from "../../schema/wire/ingest.ts";
import { type Count, confirmed, countQuery, linksOf } from "./compare.ts";

export interface ReconcileOptions {
	readonly clickhouse: ClickHouse;
	/** Records that are nowhere, or twice, in the ledger of this process. */
	readonly imbalance: () => Promise<number>;
	/** Every record that any process acknowledged before this instant is in its tables, all tiers of it. Milliseconds since the epoch. */
	readonly storedThrough: () => Promise<number>;
	readonly send: (records: readonly MetricPoint[]) => void;
	readonly logger: Logger;
	/** Milliseconds since the epoch. */
	readonly clock?: () => number;
	readonly interval_ms?: number;
	/** Between two looks at the same difference. */
	readonly recheck_ms?: number;
}

/** By check: `ledger`, or the tier that does not count what the one below it does. */
export type Mismatches = Readonly<Record<string, number>>;

export interface Reconciliation {
	/** Of the last run; undefined before the first. A check that could not be made is missing. */
	readonly mismatches: Mismatches | undefined;
	stop(): Promise<void>;
}

const MIN_LOOKS = 3;
const MAX_LOOKS = 12;

/** What may still be on its way did not arrive: nobody can tell whether the tiers agree. */
class UnsettledError extends Error {
	override readonly name = "UnsettledError";
}

export function startReconciliation(options: ReconcileOptions): Reconciliation {
	const { interval_ms = 60_000, clock = Date.now, logger, send } = options;
	const stopping = new AbortController();
	let mismatches: Mismatches | undefined;

	async function run(): Promise<void> {
		while (!stopping.signal.aborted) {
			await sleep(interval_ms, undefined, { signal: stopping.signal }).catch(() => undefined);
			if (stopping.signal.aborted) return;
			const at_ms = clock();
			const found = await reconcile(options, stopping.signal);
			if (stopping.signal.aborted) return;
			mismatches = found;
			const wrong = Object.entries(found).filter(([, records]) => records !== 0);
			if (wrong.length > 0) {
				logger.error({ mismatches: Object.fromEntries(wrong) }, "records are missing, or counted twice");
			}
			send(
				Object.entries(found).map(([check, value]) => ({
					...{ name: "tidemark.reconcile.mismatch", kind: "gauge", unit: "{record}", value, timestamp: at_ms },
					tags: { component: "tidemark", check },
				})),
			);
		}
	}

	const running = run();
	return {
		get mismatches() {
			return mismatches;
		},
		async stop() {
			stopping.abort();
			await running;
		},
	};
}

/** One run of all checks; a check that fails is left out and logged. */
export async function reconcile(
	options: Omit<ReconcileOptions, "send" | "interval_ms">,
	signal?: AbortSignal,
): Promise<Mismatches> {
	const { logger, imbalance } = options;
	const mismatches: Record<string, number> = { ledger: await imbalance() };
	for (const link of linksOf(LADDER)) {
		try {
			const wrong = await lasting((window) => count(options, link, window, signal), options, signal);
			mismatches[link.tier] = wrong.reduce((sum, { difference }) => sum + Math.abs(difference), 0);
			if (wrong.length > 0)
				logger.error({ tier: link.tier, wrong }, `${link.to.table} does not count what ${link.from.table} does`);
		} catch (error) {
			if (signal?.aborted) break;
			logger.warn({ err: error, tier: link.tier }, "a tier could not be reconciled");
		}
	}
	return mismatches;
}

/**
 * Looks again, at the same window, until nothing is wrong, or the same stays wrong although whatever was on its way at the first look
 * has arrived: an insert may take long through the views, and one that failed half-way is tried again. While a person is erased, their
 * points are gone before the sums are.
 * @throws UnsettledError
 */
async function lasting(
	look: (now_s: number) => Promise<Count[]>,
	options: Pick<ReconcileOptions, "clickhouse" | "clock" | "recheck_ms" | "storedThrough">,
	signal: AbortSignal | undefined,
): Promise<Count[]> {
	const { clickhouse, clock = Date.now, recheck_ms = 5_000, storedThrough } = options;
	const now_s = clock() / 1_000;
	let wrong = await look(now_s);
	const seen = clock();
	let isSettled = false;
	for (let looks = 1; wrong.length > 0 && (looks < MIN_LOOKS || !isSettled); looks++) {
		if (looks === MAX_LOOKS) throw new UnsettledError("records of before are still on their way");
		await sleep(recheck_ms, undefined, signal ? { signal } : {});
		isSettled = (await storedThrough()) >= seen;
		wrong = confirmed(wrong, await look(now_s));
	}
	if (wrong.length === 0) return wrong;
	const erasures = await new JobStore(clickhouse, clock).open([JOB_KIND_OF.erase]);
	return wrong.filter(({ project }) => !erasures.some((erasure) => erasure.project === project));
}

async function count(
	{ clickhouse }: Pick<ReconcileOptions, "clickhouse">,
	link: ReturnType<typeof linksOf>[number],
	now_s: number,
	signal: AbortSignal | undefined,
): Promise<Count[]> {
	const { sql, params } = countQuery(link, now_s);
	const result = await clickhouse.query({
		query: sql,
		query_params: params,
		format: "JSONEachRow",
		...(signal ? { abort_signal: signal } : {}),
		// In the background of everything else: one thread, and no answer rather than a dear one.
		clickhouse_settings: { output_format_json_quote_64bit_integers: 0, max_threads: 1, max_execution_time: 20 },
	});
	const rows = await result.json<{ project: string; difference: number }>();
	return rows.map((row) => ({ tier: link.tier, ...row }));
}
