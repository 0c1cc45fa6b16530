import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { createIngest, type Ingest } from "../../ingest/index.ts";
import type { Signal } from "../../ingest/intake.ts";
import { temporaryFolder } from "../server.ts";
import { NO_EXPIRY, type TestDatabase } from "./database.ts";

/** Ingest on a database of the test, without HTTP, at a time that stands still. */
export function startIngest({ client }: Pick<TestDatabase, "client">, now: number): Promise<Ingest> {
	return createIngest({
		...{ folder: temporaryFolder(), clickhouse: client, logger: pino({ level: "error" }), retention: NO_EXPIRY },
		...{ maxBodyBytes: 2 ** 24, maxRecords: 1e6, seriesPerProject: 1e5, journalBudgetBytes: 2 ** 30 },
		...{ clock: () => now, flush_ms: 20, erasures_ms: 20 },
	});
}

/** Takes records that are all right, and waits until they are stored. */
export async function ingested(
	ingest: Ingest,
	project: string,
	signal: Signal,
	records: readonly unknown[],
): Promise<void> {
	const { rejected } = await ingest.write(project, signal, records);
	if (rejected.length > 0) throw new Error(`${signal}: ${JSON.stringify(rejected[0])}`);
	while (ingest.status().journal > 0) await sleep(10);
}
