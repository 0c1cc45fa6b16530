/** Folders of engines on which all migrations have run, made once before all tests: each database and server of a test begins with a copy. */
import { cpSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { inject } from "vitest";
import { startEngine } from "../../engine/supervisor.ts";
import { connectClickHouse } from "../../schema/clickhouse.ts";
import { migrate } from "../../schema/migrate.ts";
import type { Retention } from "../../schema/retention.ts";

/** A folder by retention, as JSON. */
export type Templates = Readonly<Record<string, string>>;

declare module "vitest" {
	interface ProvidedContext {
		templates: Templates;
	}
}

export async function makeTemplates(retentions: readonly Retention[]): Promise<Templates> {
	const made = retentions.map(async (retention) => {
		const folder = await mkdtemp(join(tmpdir(), "tidemark-template-"));
		const password = "template";
		const engine = await startEngine({ dataDir: folder, password, logger: pino({ level: "error" }) });
		const client = connectClickHouse({ url: engine.url, password, database: "default" });
		await migrate(client, { database: "tidemark", retention });
		await client.close();
		await engine.stop();
		// Of the process that has ended; pipes cannot be copied.
		await rm(join(folder, "transit"), { recursive: true, force: true });
		return [JSON.stringify(retention), folder] as const;
	});
	return Object.fromEntries(await Promise.all(made));
}

/** Fills the folder of an engine, if there is a template; migrations do the rest. */
export function fillFrom(retention: Retention, dataDir: string): void {
	const template = inject("templates")[JSON.stringify(retention)];
	// Of eight hundred small files the other `cp` takes five times as long.
	if (template !== undefined) cpSync(template, dataDir, { recursive: true });
}
