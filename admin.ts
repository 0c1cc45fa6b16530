/** Commands of the operator, which talk to ClickHouse rather than to the routes: they reach every project. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Command, InvalidArgumentError } from "commander";
import { KeyStore } from "./http/keys.ts";
import { ROLES, type Role } from "./http/roles.ts";
import { AuditLog } from "./schema/audit.ts";
import { type ClickHouse, connectClickHouse } from "./schema/clickhouse.ts";
import { migrate } from "./schema/migrate.ts";
import { resealAll } from "./schema/reseal.ts";
import type { Settings } from "./settings.ts";
import { DATABASE, openSecretBox, retentionOf, StartError, serverOf } from "./storage.ts";

/** @param settings read when a command runs, so that a bad setting does not spoil `--help` */
export function adminCommands(settings: () => Settings): Command[] {
	return [keyCommand(settings), migrateCommand(settings), sqlCommand(settings), secretsCommand(settings)];
}

/** A server, or the embedded engine of a Tidemark that runs on the data folder. */
export async function withClickHouse<T>(settings: Settings, work: (client: ClickHouse) => Promise<T>): Promise<T> {
	const client = connectClickHouse(settings.clickhouseUrl ? serverOf(settings) : embedded(settings.dataDir));
	try {
		return await work(client);
	} finally {
		await client.close();
	}
}

function embedded(dataDir: string) {
	const path = join(dataDir, "engine.json");
	if (!existsSync(path)) {
		throw new StartError(`No Tidemark has run on ${dataDir}: start one, or set TIDEMARK_DATA or CLICKHOUSE_URL`);
	}
	const { url, user, password } = JSON.parse(readFileSync(path, "utf8")) as Record<"url" | "user" | "password", string>;
	return { url, user, password, database: DATABASE };
}

function keyCommand(settings: () => Settings): Command {
	const key = new Command("key").description("make, list, rotate and revoke API keys, of any project");
	/** The key store, and a note of what was done in the audit log of the project. */
	const onKeys = (
		action: string,
		work: (keys: KeyStore) => Promise<{ target: string; project: string; print: string }>,
	) =>
		withClickHouse(settings(), async (client) => {
			const { target, project, print } = await work(new KeyStore({ client }));
			await new AuditLog(client).append({
				project,
				actor: "operator",
				action,
				target,
				detail: { by: "tidemark key" },
			});
			process.stdout.write(`${print}\n`);
		});
	const inProject = (command: Command) => command.option("--project <name>", "project of the key", project, "default");
	inProject(key.command("create"))
		.description("make a key and print its text, once")
		.requiredOption("--roles <list>", `some of ${ROLES.join(", ")}, separated by commas`, roles)
		.option("--name <name>", "what it is for", "made on the command line")
		.action((options: { project: string; roles: Role[]; name: string }) =>
			onKeys("key.create", async (keys) => {
				const { key, secret } = await keys.create(options);
				return { target: key.key_id, project: options.project, print: secret };
			}),
		);
	inProject(key.command("list"))
		.description("list the keys of a project")
		.action((options: { project: string }) =>
			withClickHouse(settings(), async (client) => {
				const instant = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
				console.table(
					(await new KeyStore({ client }).list(options.project)).map((one) => ({
						key_id: one.key_id,
						name: one.name,
						roles: one.roles.join(","),
						created_at: instant(one.created_at),
						last_used_at: instant(one.last_used_at),
						expires_at: instant(one.expires_at),
						revoked_at: instant(one.revoked_at),
					})),
				);
			}),
		);
	inProject(key.command("rotate"))
		.description("give a key a new text; the old one is good for a day more")
		.argument("<key_id>")
		.action((id: string, options: { project: string }) =>
			onKeys("key.rotate", async (keys) => {
				const { secret } = await keys.rotate(options.project, id, 86_400);
				return { target: id, project: options.project, print: secret };
			}),
		);
	inProject(key.command("revoke"))
		.description("end a key at once")
		.argument("<key_id>")
		.action((id: string, options: { project: string }) =>
			onKeys("key.revoke", async (keys) => {
				await keys.revoke(options.project, id);
				return { target: id, project: options.project, print: `${id} is revoked` };
			}),
		);
	return key;
}

function secretsCommand(settings: () => Settings): Command {
	const secrets = new Command("secrets").description("the secrets of channels, rules, tests and destinations");
	secrets
		.command("reseal")
		.description("encrypt all with the first key of TIDEMARK_SECRET_KEY, so that the others can be taken away")
		.action(() =>
			withClickHouse(settings(), async (client) => {
				const { resealed, unopened } = await resealAll(client, openSecretBox(settings()));
				process.stdout.write(`${resealed} secrets are sealed anew with the first key\n`);
				if (unopened === 0) return;
				process.stdout.write(`${unopened} cannot be opened with any key, and stay as they are\n`);
				process.exitCode = 1;
			}),
		);
	return secrets;
}

function migrateCommand(settings: () => Settings): Command {
	return new Command("migrate")
		.description("run the migrations of CLICKHOUSE_URL; `start` does so by itself")
		.action(async () => {
			const all = settings();
			const at = all.clickhouseUrl ? serverOf(all) : embedded(all.dataDir);
			const { database } = at;
			const client = connectClickHouse({ ...at, database: "default" });
			try {
				const ran = await migrate(client, { database, cluster: all.clickhouseCluster, retention: retentionOf(all) });
				process.stdout.write(ran.length > 0 ? `ran ${ran.join(", ")}\n` : "nothing to do\n");
			} finally {
				await client.close();
			}
		});
}

function sqlCommand(settings: () => Settings): Command {
	return new Command("query-sql")
		.description("run one query in the database of Tidemark and print its answer")
		.argument("<sql>")
		.option("--format <format>", "of the answer, any that ClickHouse has", word, "PrettyCompactMonoBlock")
		.action((sql: string, { format }: { format: string }) =>
			withClickHouse(settings(), async (client) => {
				const query = /\bFORMAT\s+\w+\s*;?\s*$/i.test(sql) ? sql : `${sql.replace(/;\s*$/, "")}\nFORMAT ${format}`;
				const { stream } = await client.exec({ query });
				await pipeline(stream, process.stdout, { end: false });
			}),
		);
}

export function project(text: string): string {
	if (/^[\w.-]{1,64}$/.test(text)) return text;
	throw new InvalidArgumentError("expected 1 to 64 letters, digits, ., _ and -");
}

function word(text: string): string {
	if (/^\w+$/.test(text)) return text;
	throw new InvalidArgumentError("expected the name of a format");
}

function roles(text: string): Role[] {
	const list = text.split(",").map((part) => part.trim());
	const unknown = list.find((role) => !(ROLES as readonly string[]).includes(role));
	if (unknown !== undefined) throw new InvalidArgumentError(`expected some of ${ROLES.join(", ")}, not ${unknown}`);
	return [...new Set(list)] as Role[];
}
