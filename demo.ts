/** `tidemark demo`: a project with weeks of believable telemetry, for those who want to see answers before they send anything. */
import { setTimeout as sleep } from "node:timers/promises";
import { SingleBar } from "cli-progress";
import { Command, InvalidArgumentError } from "commander";
import { project, withClickHouse } from "./admin.ts";
import type { ClientSettings } from "./cli/commands.ts";
import { fillDemo } from "./cli/demo/fill.ts";
import { KeyStore } from "./http/keys.ts";
import type { ClickHouse } from "./schema/clickhouse.ts";
import type { Settings } from "./settings.ts";
import { StartError } from "./storage.ts";

const DAYS = 60;
const DAY_MS = 86_400_000;
const KEY_KNOWN_MS = 10_000;

interface Options {
	project: string;
	seed: number;
	url?: string;
}

/**
 * @param settings read when the command runs
 * @param clientOf where clients of these settings find the server
 */
export function demoCommand(settings: () => Settings, clientOf: (settings: Settings) => ClientSettings): Command {
	return new Command("demo")
		.description(`fill a project with ${DAYS} days of made-up telemetry of every kind, and print a key that reads it`)
		.option("--project <name>", "project to fill; it must be empty", project, "demo")
		.option("--seed <number>", "other numbers for another seed", wholeNumber, 1)
		.option("--url <url>", "of the server (default: TIDEMARK_URL, else HOST and PORT)")
		.action(async (options: Options) => {
			const all = settings();
			const baseUrl = options.url ?? clientOf(all).url;
			const kept_ms = Math.min(all.metricsRetentionMs, all.logsRetentionMs, all.eventsRetentionMs);
			// Whole days and today; what is compared with the 30 days before needs all of them.
			const days = Math.min(DAYS, Math.floor(kept_ms / DAY_MS) - 1) + 1;
			await withClickHouse(all, (client) => fill(client, baseUrl, days, options));
		});
}

async function fill(client: ClickHouse, baseUrl: string, days: number, { project, seed }: Options): Promise<void> {
	await mustAnswer(baseUrl);
	await mustBeEmpty(client, project);
	const keys = new KeyStore({ client });
	const { secret } = await keys.create({ project, name: "demo", roles: ["ingest", "analytics_editor"] });
	await untilKnown(baseUrl, secret);
	const bar = progressBar(days);
	const records = await fillDemo({
		...{ baseUrl, apiKey: secret, seed, now: Date.now(), days },
		onDay: (done, sent) => bar.update(done, sent),
	}).finally(() => bar.stop());
	const lines = [
		`${records.toLocaleString("en")} points, events and other records of ${days - 1} days and today are in the project ${project}.`,
		`  key  ${secret}  (shown this once; it reads and sends in this project only)`,
		`  try  curl -s -H 'X-API-Key: ${secret}' '${baseUrl}/analytics/usage/overview?timeframe=month'`,
	];
	process.stdout.write(`${lines.join("\n")}\n`);
}

async function mustAnswer(baseUrl: string): Promise<void> {
	const answer = await fetch(`${baseUrl}/readyz`).catch(() => undefined);
	if (!answer?.ok) throw new StartError(`No Tidemark is ready at ${baseUrl}: start one with npm start, or give --url`);
}

/** A server looks for keys that another process made once a second, and refuses this one until then. */
async function untilKnown(baseUrl: string, secret: string): Promise<void> {
	for (const deadline = Date.now() + KEY_KNOWN_MS; ; await sleep(KEY_KNOWN_MS / 50)) {
		const { status } = await fetch(`${baseUrl}/v1/monitoring/rules`, { headers: { "x-api-key": secret } });
		if (status === 200) return;
		if (Date.now() > deadline) {
			throw new StartError(`${baseUrl} does not know the new key (${status}): does it run on the same ClickHouse?`);
		}
	}
}

/** A second filling would count everything twice. */
async function mustBeEmpty(client: ClickHouse, project: string): Promise<void> {
	const result = await client.query({
		query: "SELECT count() AS n FROM signals WHERE project = {project:String}",
		query_params: { project },
		format: "JSONEachRow",
	});
	const [row] = await result.json<{ n: string }>();
	if (Number(row?.n) > 0) {
		throw new StartError(`The project ${project} has records already: name another one with --project`);
	}
}

function progressBar(days: number): { update(done: number, sent: number): void; stop(): void } {
	if (!process.stderr.isTTY) return { update() {}, stop() {} };
	const format = "{bar} {percentage}% | day {value} of {total} | {records} records | {eta_formatted} left";
	const bar = new SingleBar({ stream: process.stderr, format, hideCursor: true, barsize: 30 });
	bar.start(days, 0, { records: "0" });
	return {
		update: (done, sent) => bar.update(done, { records: sent.toLocaleString("en") }),
		stop: () => bar.stop(),
	};
}

function wholeNumber(text: string): number {
	if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
	return Number(text);
}
