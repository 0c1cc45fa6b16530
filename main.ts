#!/usr/bin/env node
/** The command line. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { destination, pino } from "pino";
import { adminCommands } from "./admin.ts";
import { auditingCommands } from "./auditing.ts";
import { backupCommands } from "./backup.ts";
import { type ClientSettings, clientCommands } from "./cli/commands.ts";
import { loadSettings, settingsTable } from "./config.ts";
import { demoCommand } from "./demo.ts";
import { packageRoot } from "./schema/paths.ts";
import { letHeapDouble } from "./serve/heap.ts";
import type { Role, Settings } from "./settings.ts";
import { startEngineAlone } from "./storage.ts";
import { ownLogStream } from "./workers/self/log-stream.ts";
import { Outbox } from "./workers/self/outbox.ts";

const { version } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string };
const program = new Command("tidemark").description("Monitoring and analytics server on ClickHouse").version(version);

program
	.command("start", { isDefault: true })
	.description("run everything in this process: ClickHouse and Redis if none are set, ingest, query and workers")
	.action(() => run());
for (const role of ["ingest", "query", "worker"] as const) {
	program
		.command(role)
		.description(`run the role ${role} alone`)
		.action(() => run([role]));
}
program
	.command("engine")
	.description("run the embedded ClickHouse alone, on the data folder")
	.action(async () => {
		const settings = loadSettings(process.env, process.cwd());
		const engine = await startEngineAlone(settings, pino({ level: settings.logLevel, base: null }));
		process.stdout.write(`ClickHouse answers at ${engine.url}; user and password are in engine.json\n`);
		untilSignal(() => engine.stop());
	});
program
	.command("config")
	.description("print the table of settings as Markdown")
	.action(() => void process.stdout.write(settingsTable()));
for (const command of clientCommands(() => serverOfClients(loadSettings(process.env, process.cwd())))) {
	program.addCommand(command);
}
for (const commands of [adminCommands, auditingCommands]) {
	for (const command of commands(() => loadSettings(process.env, process.cwd()))) program.addCommand(command);
}
for (const command of backupCommands(() => loadSettings(process.env, process.cwd()))) program.addCommand(command);
program.addCommand(demoCommand(() => loadSettings(process.env, process.cwd()), serverOfClients));

program.parseAsync().catch(fail);

/** Runs until a signal. */
async function run(only?: readonly Role[]): Promise<void> {
	const settings = loadSettings(process.env, process.cwd());
	letHeapDouble();
	// Most of the program hangs on this; the other commands are there in a third of the time without it.
	const { serve } = await import("./serve.ts");
	const outbox = new Outbox();
	const stdout = destination({ dest: 1, sync: true });
	const logger = pino({ level: settings.logLevel, base: null }, ownLogStream(stdout, outbox));
	const served = await serve({ settings, roles: only ?? settings.roles, logger, version, outbox });
	untilSignal((signal) => {
		logger.info({ signal }, "stopping: storing what was accepted");
		return served.stop();
	});
	// Last: who reads it may send a signal at once.
	banner(served.url, served.newAdminKey, settings.dataDir);
}

/** Stops at SIGINT or SIGTERM; a second one ends the process at once. */
function untilSignal(stop: (signal: NodeJS.Signals) => Promise<void>): void {
	let stopping = false;
	for (const signal of ["SIGINT", "SIGTERM"] as const) {
		process.on(signal, () => {
			if (stopping) process.exit(1);
			stopping = true;
			stop(signal).then(() => process.exit(0), fail);
		});
	}
}

/** Where `import`, `tail` and their like find the server: a wildcard address to listen on is none to connect to. */
function serverOfClients({ url, host, port, key, adminKey }: Settings): ClientSettings {
	const address = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
	return { url: url ?? `http://${address}:${port}`, key: key ?? adminKey };
}

function banner(url: string, newAdminKey: string | undefined, dataDir: string): void {
	const key = newAdminKey ?? "$TIDEMARK_KEY";
	const lines = [
		`Tidemark ${version} is ready at ${url}`,
		...(newAdminKey ? [`  admin key  ${newAdminKey}  (shown this once; keep it)`] : []),
		`  data       ${dataDir}`,
		`  try        curl -H 'Authorization: Bearer ${key}' '${url}/v1/monitoring/metrics?timeframe=1h&granularity=1m'`,
	];
	process.stdout.write(`${lines.join("\n")}\n`);
}

function fail(error: unknown): void {
	const { message } = error as Error;
	process.stderr.write(
		`${message
			.split("\n")
			.map((line) => `tidemark: ${line}`)
			.join("\n")}\n`,
	);
	process.exit(1);
}
