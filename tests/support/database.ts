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
	readonly port: number;
	/** Another client, through what listens on this port in front of the engine. The test closes it. */
	connectThrough(port: number): ClickHouse;
	/** Another client, of another database of it; whoever asks closes it. */
	connect(database: string): ClickHouse;
	stop(): Promise<void>;
}

/** A migrated database in an engine of its own. */
export async function startDatabase(retention: Retention = DEFAULT_RETENTION): Promise<TestDatabase> {
	const dataDir = await mkdtemp(join(tmpdir(), "tidemark-"));
	fillFrom(retention, dataDir);
	const password = "test";
	const engine = await startEngine({ dataDir, password, logger: pino({ level: "error" }) });
	const connect = (database: string) => connectClickHouse({ url: engine.url, password, database });
	const base = connect("default");
	await migrate(base, { database: "tidemark", retention });
	await base.close();
	const client = connect("tidemark");
	return {
		...{ client, connect },
		port: Number(new URL(engine.url).port),
		connectThrough: (port) =>
			connectClickHouse({ url: `http://127.0.0.1:${port}`, password, database: "tidemark", timeout_ms: 10_000 }),
		async stop() {
			await client.close();
			await engine.stop();
			await rm(dataDir, { recursive: true, force: true });
		},
	};
}
