import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { startEngine } from "../../engine/supervisor.ts";
import { type ClickHouse, connectClickHouse } from "../../schema/clickhouse.ts";
import { migrate } from "../../schema/migrate.ts";
import { DEFAULT_RETENTION, type Retention } from "../../schema/retention.ts";
import { fillFrom } from "./template.ts";

export { NO_EXPIRY } from "./retention.ts";

export interface TestDatabase {
	readonly client: ClickHouse;
	stop(): Promise<void>;
}

/** A migrated database in an engine of its own. */
export async function startDatabase(retention: Retention = DEFAULT_RETENTION): Promise<TestDatabase> {
	const dataDir = await mkdtemp(join(tmpdir(), "tidemark-"));
	fillFrom(retention, dataDir);
	const password = "test";
	const engine = await startEngine({ dataDir, password, logger: pino({ level: "error" }) });
	const base = connectClickHouse({ url: engine.url, password, database: "default" });
	await migrate(base, { database: "tidemark", retention });
	await base.close();
	const client = connectClickHouse({ url: engine.url, password, database: "tidemark" });
	return {
		client,
		async stop() {
			await client.close();
			await engine.stop();
			await rm(dataDir, { recursive: true, force: true });
		},
	};
}
