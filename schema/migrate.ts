import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import type { ClickHouse } from "./clickhouse.ts";
import { refineGranules } from "./granules.ts";
import { type RenderOptions, render } from "./render.ts";
import { type Retention, retentionDays } from "./retention.ts";
import { applyRetention } from "./ttl.ts";

export interface Migration {
	readonly version: number;
	readonly name: string;
	readonly text: string;
	/** Of the template, so that the same migration has one checksum on a single server and on a cluster. */
	readonly checksum: string;
}

export interface MigrateOptions {
	readonly database: string;
	readonly cluster?: string | undefined;
	readonly retention: Retention;
}

/** A migration that ran already was edited since, or the database is newer than this program. */
export class MigrationError extends Error {
	override readonly name = "MigrationError";
}

/** All migrations of this program, oldest first. */
export function migrations(directory: URL = new URL("./migrations/", import.meta.url)): Migration[] {
	return readdirSync(directory)
		.filter((file) => file.endsWith(".sql"))
		.sort()
		.map((file) => {
			const text = readFileSync(new URL(file, directory), "utf8");
			const [, version, name] = /^(\d+)_(\w+)\.sql$/.exec(file)!;
			return { version: Number(version), name: name!, text, checksum: createHash("sha256").update(text).digest("hex") };
		});
}

/**
 * Creates the database when it is missing and runs the migrations that have not run. Every statement is `IF NOT EXISTS`, so
 * running it twice, or from two processes at once, is harmless. Then tables are given their granules, and the retention of
 * the settings. `client` must not depend on the database being there.
 * @returns names of the migrations that ran now
 * @throws MigrationError when an applied migration has another checksum, or the database holds one this program does not know
 */
export async function migrate(client: ClickHouse, options: MigrateOptions): Promise<string[]> {
	const renderOptions: RenderOptions = { ...options, days: retentionDays(options.retention) };
	const run = async (template: string) => {
		for (const query of render(template, renderOptions)) {
			await client.command({ query }).catch((error: Error) => {
				// Another process has just had a finer table take its place (granules.ts): nothing was done.
				if (!error.message.includes("has different UUID")) throw error;
				return client.command({ query });
			});
		}
	};
	await run("CREATE DATABASE IF NOT EXISTS {{db}} {{on_cluster}}");
	await run(`CREATE TABLE IF NOT EXISTS {{everywhere:schema_migrations}} {{on_cluster}}
		(version UInt32, name String, checksum String, applied_at DateTime('UTC') DEFAULT now())
		ENGINE = {{engine_everywhere:ReplacingMergeTree}} ORDER BY version`);
	const table = render("{{everywhere:schema_migrations}}", renderOptions)[0]!;
	const result = await client.query({
		query: `SELECT version, name, any(checksum) AS checksum FROM ${table} GROUP BY version, name`,
		format: "JSONEachRow",
	});
	const applied = new Map(
		(await result.json<{ version: number; name: string; checksum: string }>()).map((row) => [row.version, row]),
	);
	const ran: string[] = [];
	for (const migration of migrations()) {
		const before = applied.get(migration.version);
		applied.delete(migration.version);
		if (before && before.checksum !== migration.checksum) {
			throw new MigrationError(
				`migration ${migration.version} (${migration.name}) was changed after it ran; write a new one instead`,
			);
		}
		if (before) continue;
		await run(migration.text);
		await client.insert({
			table,
			values: [{ version: migration.version, name: migration.name, checksum: migration.checksum }],
			columns: ["version", "name", "checksum"],
			format: "JSONEachRow",
		});
		ran.push(migration.name);
	}
	const unknown = [...applied.values()][0];
	if (unknown) {
		throw new MigrationError(
			`the database has migration ${unknown.version} (${unknown.name}), which this version of Tidemark does not know`,
		);
	}
	if (options.cluster === undefined) await refineGranules(client, options.database);
	await applyRetention(
		client,
		migrations().map(({ text }) => text),
		renderOptions,
	);
	return ran;
}
