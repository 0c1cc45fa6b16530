/** The composed program, compiled, as a child on a folder and a port of its own. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { createReadStream, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { settingsTable } from "../config.ts";
import { TABLES, type TableName } from "../schema/tables.ts";
import { freePort, tracked, until } from "./processes.ts";

const KEY = "benchmark-admin-key";
const START_MS = 60_000;
const STOP_MS = 40_000;

export interface EngineInfo {
	readonly url: string;
	readonly password: string;
	readonly database: string;
	readonly pid: number;
}

export class Server {
	readonly url: string;
	readonly pid: number;
	readonly engine: EngineInfo;
	readonly headers = { authorization: `Bearer ${KEY}`, "content-type": "application/json" };
	readonly #child: ChildProcess;
	readonly #journal: string;

	private constructor(url: string, child: ChildProcess, dataDir: string) {
		this.url = url;
		this.pid = child.pid!;
		this.#child = child;
		this.#journal = join(dataDir, "journal");
		this.engine = JSON.parse(readFileSync(join(dataDir, "engine.json"), "utf8"));
	}

	/** @param profileDir when set, V8 profiles of the ingest process are written there when it stops */
	static async start(
		folder: string,
		profileDir?: string,
		settings: Readonly<Record<string, string>> = {},
	): Promise<Server> {
		const dataDir = join(folder, "tidemark");
		mkdirSync(dataDir, { recursive: true });
		const port = await freePort();
		const entry = fileURLToPath(new URL("../main.js", import.meta.url));
		const flags = profileDir ? ["--cpu-prof", `--cpu-prof-dir=${profileDir}`, "--cpu-prof-interval=500"] : [];
		const options = {
			// Not the checkout: a `.env` there is not the benchmark's.
			cwd: folder,
			env: { ...serverEnv(port, dataDir), ...settings },
			stdio: ["ignore", "pipe", "pipe"] satisfies StdioOptions,
		};
		const child = tracked(spawn(process.execPath, [...flags, entry, "start"], options));
		let said = "";
		const listen = (chunk: Buffer) => {
			said = (said + chunk).slice(-4_000);
		};
		child.stdout!.on("data", listen);
		child.stderr!.on("data", listen);
		const url = `http://127.0.0.1:${port}`;
		try {
			await until("the start of the program", START_MS, 50, () => {
				if (child.exitCode !== null) throw new Error(`the program ended (${child.exitCode}): ${said}`);
				return said.includes(" is ready at ");
			});
		} catch (error) {
			child.kill("SIGKILL");
			throw error;
		}
		return new Server(url, child, dataDir);
	}

	/** Runs a statement. @returns the answer's text */
	async sql(query: string, settings: Readonly<Record<string, string | number>> = {}): Promise<string> {
		return await this.#post({ ...settings }, query);
	}

	async rows<T>(query: string, settings: Readonly<Record<string, string | number>> = {}): Promise<T[]> {
		const text = await this.sql(query, {
			...settings,
			default_format: "JSON",
			output_format_json_quote_64bit_integers: 0,
		});
		return (JSON.parse(text) as { data: T[] }).data;
	}

	/** Inserts a Native file, byte for byte. */
	async insertFile(table: TableName, path: string, token: string): Promise<void> {
		const columns = TABLES[table].map(([name]) => name).join(", ");
		const settings = {
			...{ query: `INSERT INTO ${table} (${columns}) FORMAT Native`, async_insert: 0 },
			// As the loader has it, so that both do the same work in ClickHouse.
			...{ insert_deduplicate: 1, insert_deduplication_token: token, max_partitions_per_insert_block: 0 },
			deduplicate_blocks_in_dependent_materialized_views: 1,
			...{ min_insert_block_size_rows: 1_048_576, min_insert_block_size_bytes: 268_435_456 },
		};
		await this.#post(settings, createReadStream(path, { highWaterMark: 1_048_576 }));
	}

	#post(parameters: Readonly<Record<string, string | number>>, body: string | NodeJS.ReadableStream): Promise<string> {
		const { url, password, database } = this.engine;
		const query = new URLSearchParams({ database });
		for (const [name, value] of Object.entries(parameters)) query.set(name, String(value));
		const headers = { "x-clickhouse-user": "default", "x-clickhouse-key": password };
		return new Promise((resolve, reject) => {
			const sent = request(`${url}/?${query}`, { method: "POST", headers }, (response) => {
				let text = "";
				response.setEncoding("utf8");
				response.on("data", (chunk: string) => {
					text += chunk;
				});
				response.on("error", reject);
				response.on("end", () => {
					if (response.statusCode === 200) resolve(text);
					else reject(new Error(`the engine answered ${response.statusCode}: ${text.slice(0, 500)}`));
				});
			});
			sent.on("error", reject);
			if (typeof body === "string") sent.end(body);
			else body.on("error", reject).pipe(sent);
		});
	}

	/** Numbers of the journal segments on disk: those not stored yet. */
	segments(): number[] {
		const files = readdirSync(this.#journal).filter((file) => file.endsWith(".seg"));
		return files.map((file) => Number.parseInt(file, 10));
	}

	/** Resolves when no background merge runs; gives up after `most_ms`, merges of a big table take long. */
	async settle(most_ms: number): Promise<void> {
		const deadline = performance.now() + most_ms;
		for (let idle = 0; idle < 2 && performance.now() < deadline; ) {
			const [{ merges } = { merges: 0 }] = await this.rows<{ merges: number }>(
				"SELECT count() AS merges FROM system.merges",
			);
			idle = merges === 0 ? idle + 1 : 0;
			await new Promise((resolve) => setTimeout(resolve, 200));
		}
	}

	/** Empties every table that records go to. */
	async truncate(): Promise<void> {
		const tables = await this.rows<{ name: string }>(
			"SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' AND total_rows > 0",
		);
		const kept = new Set(["definitions", "audit_log", "schema_migrations", "migrations"]);
		for (const { name } of tables) if (!kept.has(name)) await this.sql(`TRUNCATE TABLE ${name} SYNC`);
	}

	async stop(): Promise<void> {
		this.#child.kill("SIGTERM");
		try {
			await until(
				"the stop of the program",
				STOP_MS,
				50,
				() => this.#child.exitCode !== null || this.#child.signalCode !== null,
			);
		} finally {
			this.#child.kill("SIGKILL");
		}
	}
}

/** Only what the benchmark means to set: settings of the shell it is started from would change what is measured. */
function serverEnv(port: number, dataDir: string): NodeJS.ProcessEnv {
	const foreign = /^(TIDEMARK_|CLICKHOUSE_|NODE_OPTIONS$|HOST$)/;
	const inherited = Object.entries(process.env).filter(([name]) => !foreign.test(name));
	const known = settingsTable();
	const own = {
		...{ PORT: String(port), TIDEMARK_DATA: dataDir, TIDEMARK_ADMIN_KEY: KEY, TIDEMARK_LOG_LEVEL: "warn" },
		...{ TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_SELF_PROJECT: "off" },
	};
	return {
		...Object.fromEntries(inherited),
		...Object.fromEntries(Object.entries(own).filter(([name]) => known.includes(`\`${name}\``))),
	};
}
