// The commands that talk to a running Tidemark as any client does.
import { once } from "node:events";
import { Command, InvalidArgumentError, Option } from "commander";
import type { ExportOptions } from "../client/index.ts";
import { Client } from "../client/index.ts";
import { EXPORT_COMPRESSIONS, EXPORT_DATA, EXPORT_FORMATS, EXPORT_GRANULARITIES } from "../schema/wire/index.ts";
import { FORMATS, type Format } from "./detect.ts";
import { runExport } from "./export.ts";
import { ImportError, importFile, summaryText } from "./import.ts";
import { RECORD_TYPES, type RecordType } from "./parse/ndjson.ts";
import { createProgress } from "./progress.ts";
import { tail } from "./tail.ts";

/** Where the server is, and the key to use there. */
export interface ClientSettings {
	url: string;
	key: string | undefined;
}

/**
 * The commands `import`, `export` and `tail`.
 *
 * @param settings read when a command runs, so that a bad setting does not spoil `--help`
 */
export function clientCommands(settings: () => ClientSettings): Command[] {
	return [importCommand(settings), exportCommand(settings), tailCommand(settings)];
}

interface ServerOptions {
	url?: string;
	key?: string;
}

function importCommand(settings: () => ClientSettings): Command {
	interface Options extends ServerOptions {
		format?: Format;
		type?: RecordType;
		component?: string;
	}
	return withServer(new Command("import"))
		.description("send a file: JSON lines, syslog or a plain log, gzip too; - reads standard input")
		.argument("<file>")
		.addOption(new Option("--format <format>", "instead of what the first lines look like").choices(FORMATS))
		.addOption(new Option("--type <type>", "of JSON records that do not say it").choices(RECORD_TYPES))
		.option("--component <name>", "of log records that have none")
		.action(async (path: string, options: Options) => {
			const { url, key } = server(settings, options);
			try {
				const summary = await importFile({
					path,
					baseUrl: url,
					apiKey: key,
					format: options.format,
					type: options.type,
					component: options.component,
					stdin: process.stdin,
					progress: createProgress(process.stderr),
				});
				process.stdout.write(summaryText(summary));
				if (summary.accepted === 0 && summary.rejected > 0) process.exitCode = 1;
			} catch (error) {
				if (error instanceof ImportError) process.stdout.write(summaryText(error.summary));
				throw error;
			}
		});
}

function exportCommand(settings: () => ClientSettings): Command {
	interface Options extends ServerOptions {
		data?: ExportOptions["data"];
		metrics?: string[];
		events?: string[];
		granularity: NonNullable<ExportOptions["granularity"]>;
		format: NonNullable<ExportOptions["format"]>;
		compression: NonNullable<ExportOptions["compression"]>;
		timeframe?: NonNullable<ExportOptions["timeframe"]>;
		start?: string;
		end?: string;
		timezone?: string;
		destination: string;
		destinationName?: string;
		out: string;
	}
	const choice = (flags: string, text: string, of: readonly string[]) => new Option(flags, text).choices(of);
	return withServer(new Command("export"))
		.description("write metrics, events, logs and errors to files, here or in a bucket")
		.addOption(choice("--data <what...>", "what (default: all)", [...EXPORT_DATA, "all"]))
		.option("--metrics <names...>", "only these metrics")
		.option("--events <names...>", "only these events")
		.addOption(choice("--granularity <step>", "of metrics", EXPORT_GRANULARITIES).default("raw"))
		.addOption(choice("--format <format>", "of the files; json is one object a line", EXPORT_FORMATS).default("csv"))
		.addOption(choice("--compression <how>", "of the files", EXPORT_COMPRESSIONS).default("gzip"))
		.option("--timeframe <span>", "until now: 1h, 6h, 24h, 7d, 30d (default: 24h)")
		.option("--start <time>", "instead of a timeframe")
		.option("--end <time>", "not included (default: now)")
		.option("--timezone <zone>", "of --start and --end")
		.option("--destination <where>", "local, or s3://bucket/prefix", "local")
		.option("--destination-name <name>", "which destination has the keys to the bucket")
		.option("--out <folder>", "where the files of a local one go", ".")
		.action(async ({ out, destinationName, url: _, key: __, ...options }: Options, command: Command) => {
			const { url, key } = server(settings, command.opts<ServerOptions>());
			const stop = new AbortController();
			for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
			const { stderr } = process;
			const { done, at } = await runExport({
				client: new Client({ apiKey: key, baseUrl: url }),
				options: { ...options, ...(destinationName === undefined ? {} : { destination_name: destinationName }) },
				...{ out, signal: stop.signal },
				onProgress({ status, progress }) {
					if (stderr.isTTY) stderr.write(`\r${status} ${Math.floor(progress * 100)}%`.padEnd(20));
				},
			});
			if (stderr.isTTY) stderr.write("\r");
			process.stdout.write(`${done.rows} rows, ${done.bytes} bytes in ${done.parts.length} files: ${at}\n`);
		});
}

function tailCommand(settings: () => ClientSettings): Command {
	interface Options extends ServerOptions {
		query?: string;
		level?: string;
		lines: number;
	}
	return withServer(new Command("tail"))
		.description("show log records as they come, until Ctrl-C")
		.option("-q, --query <query>", "only what matches, such as 'component:api AND \"time out\"'")
		.option("-l, --level <level>", "this level and worse ones: debug, info, warning, error, critical")
		.option("-n, --lines <count>", "how many of before to begin with", wholeNumber, 20)
		.action(async (options: Options) => {
			const { url, key } = server(settings, options);
			const stop = new AbortController();
			// Whoever reads it has read enough: `tidemark tail | head`.
			process.stdout.once("error", () => stop.abort());
			for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => stop.abort());
			await tail({
				client: new Client({ apiKey: key, baseUrl: url }),
				query: options.query,
				level: options.level,
				lines: options.lines,
				colour: process.stdout.isTTY === true && !process.env.NO_COLOR,
				write: async (text) => {
					if (process.stdout.write(text)) return;
					await once(process.stdout, "drain", { signal: stop.signal }).catch(() => stop.abort());
				},
				note: (text) => void process.stderr.write(`tidemark: ${text}\n`),
				signal: stop.signal,
			});
		});
}

function withServer(command: Command): Command {
	return command
		.option("--url <url>", "of the server (default: TIDEMARK_URL, else HOST and PORT)")
		.option("--key <key>", "to use there (default: TIDEMARK_KEY, else TIDEMARK_ADMIN_KEY)");
}

function server(settings: () => ClientSettings, options: ServerOptions): { url: string; key: string } {
	const { url, key } = { ...settings(), ...options };
	if (!key) throw new Error("no key: give --key, or set TIDEMARK_KEY");
	return { url, key };
}

function wholeNumber(text: string): number {
	if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
	return Number(text);
}
