/** Cancels running queries. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Session } from "chdb";
import type { Logger } from "pino";
import { killText } from "./sql.ts";

const REPEAT_MS = 100;

/**
 * @param control A session that runs nothing else.
 * @returns Cancels the query of a client's id and repeats that until `over` settles: the first attempt may come before
 * the engine has registered the query.
 */
export function createCanceller(control: Session, logger: Logger) {
	return (queryId: string, over: Promise<unknown>): void => {
		let running = true;
		const ended = over.finally(() => {
			running = false;
		});
		const repeat = async (): Promise<void> => {
			while (running) {
				await control.queryAsync(killText([queryId]));
				await Promise.race([ended, sleep(REPEAT_MS)]);
			}
		};
		repeat().catch((error: unknown) => logger.error({ err: error, queryId }, "cancelling a query failed"));
	};
}
