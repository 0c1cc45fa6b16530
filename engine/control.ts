/** Sees to running queries from a session of its own: cancels them, and tells how far they are. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "chdb";
import type { Logger } from "pino";
import type { Summary } from "./answer.ts";
import { killText, progressText } from "./sql.ts";

export type Progress = Pick<
	Summary,
	"read_rows" | "read_bytes" | "written_rows" | "written_bytes" | "total_rows_to_read"
>;

export interface QueryControl {
	/** Cancels a query, and repeats that until `over` settles: the engine may not have registered it yet. */
	cancel(queryId: string, over: Promise<unknown>): void;
	/** Tells the progress of a query every `interval_ms` until `over` settles. */
	watch(queryId: string, interval_ms: number, over: Promise<unknown>, onProgress: (progress: Progress) => void): void;
}

const REPEAT_MS = 100;

/** @param session Runs nothing else: it must be free when all others are busy. */
export function createQueryControl(session: Session, logger: Logger): QueryControl {
	function every(queryId: string, interval_ms: number, over: Promise<unknown>, step: () => Promise<void>): void {
		let running = true;
		const ended = over
			.catch(() => undefined)
			.then(() => {
				running = false;
			});
		const loop = async (): Promise<void> => {
			while (running) {
				await step();
				// The timer is dropped with the query, or it would keep a stopping engine waiting.
				const timer = new AbortController();
				await Promise.race([ended, sleep(interval_ms, undefined, { signal: timer.signal }).catch(() => undefined)]);
				timer.abort();
			}
		};
		loop().catch((error: unknown) => logger.error({ err: error, queryId }, "query control failed"));
	}
	return {
		cancel: (queryId, over) =>
			every(queryId, REPEAT_MS, over, async () => {
				await session.queryAsync(killText(queryId));
			}),
		watch: (queryId, interval_ms, over, onProgress) => {
			let first = true;
			every(queryId, Math.max(interval_ms, 10), over, async () => {
				// Not at once: most queries are over before the first interval is.
				if (first) first = false;
				else {
					const result = await session.queryAsync(progressText(queryId), { format: "JSONEachRow" });
					if (result.rowsRead > 0) onProgress(JSON.parse(result.text()) as Progress);
				}
			});
		},
	};
}
