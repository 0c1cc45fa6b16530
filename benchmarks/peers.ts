/** The same points into other servers, each by its own bulk protocol. A run starts one on an empty folder and ends it. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Protocol } from "./bodies.ts";
import type { Sent } from "./generator.ts";
import { LoadGenerator } from "./load-generator.ts";
import { cpuMs, findOnPath, folderBytes, freePort, monotonicMs, peakBytes, tracked, until } from "./processes.ts";
import { type Dataset, type Workload, warmUpOf } from "./workload.ts";

/** How to start a peer, send to it and ask it what it has. */
interface PeerKind {
	readonly name: string;
	readonly command: string;
	readonly protocol: Protocol;
	readonly workloads: readonly Workload[];
	/** @returns arguments of the command; may write a configuration into the folder */
	args(folder: string, port: number): Promise<string[]>;
	readonly alivePath: string;
	readonly writePath: string;
	/** Before the first point. */
	create?(url: string): Promise<void>;
	/** Asks for what was acknowledged to become queryable, where it does not at once. */
	flush?(url: string): Promise<void>;
	/** Points from `from_ms` on that a query sees. */
	count(url: string, from_ms: number, to_ms: number): Promise<number>;
	/** Asks for the most compact form on disk, where it can be asked for. */
	compact?(url: string): Promise<void>;
	/** Bytes of the points and their index. */
	diskBytes(folder: string): number;
	version(url: string): Promise<string>;
}

const VICTORIA: PeerKind = {
	name: "VictoriaMetrics",
	command: "victoria-metrics",
	protocol: "victoria",
	workloads: ["series", "metrics"],
	args: async (folder, port) => [
		...[`-storageDataPath=${folder}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=1", "-loggerLevel=ERROR"],
	],
	alivePath: "/health",
	writePath: "/api/v1/import",
	flush: async (url) => void (await get(`${url}/internal/force_flush`)),
	async count(url, from_ms, to_ms) {
		const window_s = Math.ceil((to_ms - from_ms) / 1_000) + 1;
		const query = `sum(count_over_time({__name__!=""}[${window_s}s]))`;
		const time = Math.ceil(to_ms / 1_000);
		const answer = await get(`${url}/api/v1/query?nocache=1&time=${time}&query=${encodeURIComponent(query)}`);
		const { data } = JSON.parse(answer) as { data: { result: { value: [number, string] }[] } };
		return Number(data.result[0]?.value[1] ?? 0);
	},
	compact: async (url) => void (await get(`${url}/internal/force_merge`)),
	diskBytes: (folder) => folderBytes(folder),
	async version(url) {
		const [, version = "?"] = /short_version="([^"]*)"/.exec(await get(`${url}/metrics`)) ?? [];
		return version;
	},
};

const INFLUX: PeerKind = {
	name: "InfluxDB",
	command: "influxd",
	protocol: "influx",
	workloads: ["metrics"],
	async args(folder, port) {
		const path = join(folder, "influxdb.conf");
		const rpc = await freePort();
		// Its defaults, but: no self-monitoring, and a shard nobody writes to any more is written out and compacted at once
		// instead of after minutes and hours, so that its size on disk can be told.
		const config = [
			...["reporting-disabled = true", `bind-address = "127.0.0.1:${rpc}"`],
			...["[meta]", `dir = "${folder}/meta"`],
			...["[data]", `dir = "${folder}/data"`, `wal-dir = "${folder}/wal"`, "query-log-enabled = false"],
			...['cache-snapshot-write-cold-duration = "2s"', 'compact-full-write-cold-duration = "3s"'],
			...["[monitor]", "store-enabled = false"],
			...["[http]", `bind-address = "127.0.0.1:${port}"`, "log-enabled = false"],
			...["[logging]", 'level = "error"', ""],
		];
		writeFileSync(path, config.join("\n"));
		return ["-config", path];
	},
	alivePath: "/ping",
	writePath: "/write?db=bench&precision=ms",
	create: async (url) => void (await get(`${url}/query?q=${encodeURIComponent("CREATE DATABASE bench")}`, "POST")),
	async count(url, from_ms) {
		const query = encodeURIComponent(`SELECT count(value) FROM /.*/ WHERE time >= ${from_ms}ms`);
		const answer = JSON.parse(await get(`${url}/query?db=bench&q=${query}`)) as {
			results: { series?: { values: [string, number][] }[] }[];
		};
		return (answer.results[0]!.series ?? []).reduce((sum, { values }) => sum + values[0]![1], 0);
	},
	diskBytes: (folder) => folderBytes(join(folder, "data"), (path) => path.endsWith(".tsm")),
	version: async (url) => (await fetch(`${url}/ping`)).headers.get("x-influxdb-version") ?? "?",
};

export interface PeerRun {
	readonly sent: Sent;
	readonly stored_rows: number;
	readonly stored_ms: number;
	/** Until everything could be queried. */
	readonly cpu_ms: number;
	readonly peak_bytes: number;
	/** Bytes a point after compaction; only when asked for. */
	readonly disk_bytes_per_row: number | undefined;
	readonly version: string;
}

/** A peer that is on the PATH, with its load rendered. */
export class Peer {
	readonly name: string;
	readonly #kind: PeerKind;
	readonly #generator = new LoadGenerator();
	readonly #warmUp = new LoadGenerator();

	private constructor(kind: PeerKind) {
		this.#kind = kind;
		this.name = kind.name;
	}

	/** Peers for a workload. `report` is told of those that are not on the PATH. */
	static find(workload: Workload, report: (line: string) => void): Peer[] {
		return [VICTORIA, INFLUX].flatMap((kind) => {
			if (!kind.workloads.includes(workload)) return [];
			if (findOnPath(kind.command)) return [new Peer(kind)];
			report(`${kind.name} is skipped: ${kind.command} is not on the PATH`);
			return [];
		});
	}

	async prepare(dataset: Dataset, rowsPerRequest: number): Promise<void> {
		const { protocol } = this.#kind;
		await this.#warmUp.prepare({ dataset: warmUpOf(dataset), protocol, rowsPerRequest });
		await this.#generator.prepare({ dataset, protocol, rowsPerRequest });
	}

	async run(
		dataset: Dataset,
		options: { folder: string; connections: number; most_ms: number; measureDisk: boolean },
	): Promise<PeerRun> {
		const kind = this.#kind;
		const folder = join(options.folder, kind.command);
		rmSync(folder, { recursive: true, force: true });
		mkdirSync(folder, { recursive: true });
		const port = await freePort();
		const url = `http://127.0.0.1:${port}`;
		const child = tracked(spawn(kind.command, await kind.args(folder, port), { stdio: "ignore" }));
		try {
			await until(`the start of ${kind.name}`, 20_000, 50, () => answers(url + kind.alivePath, child));
			await kind.create?.(url);
			const target = { ...options, url: url + kind.writePath, headers: {} };
			await this.#warmUp.send(target);
			await kind.flush?.(url);
			const before = cpuMs(child.pid!);
			const sent = await this.#generator.send(target);
			await kind.flush?.(url);
			let stored_at = monotonicMs();
			let cpu_ms = cpuMs(child.pid!) - before;
			let stored_rows = 0;
			const to_ms = dataset.start_ms + 6 * 3_600_000;
			await until(`${kind.name} to show all points`, 60_000, 100, async () => {
				const [asked_at, used] = [monotonicMs(), cpuMs(child.pid!) - before];
				const first = stored_rows === 0;
				stored_rows = await kind.count(url, dataset.start_ms, to_ms);
				// The first look is part of neither time nor CPU: it only confirms what was there before it.
				if (!first) [stored_at, cpu_ms] = [asked_at, used];
				return stored_rows >= sent.rows;
			});
			const peak_bytes = peakBytes(child.pid!);
			const rows = sent.rows + warmUpOf(dataset).rows;
			const disk_bytes_per_row = options.measureDisk ? (await this.#compactedBytes(url, folder)) / rows : undefined;
			const version = await kind.version(url);
			return {
				sent,
				stored_rows,
				stored_ms: stored_at - sent.started_at,
				cpu_ms,
				peak_bytes,
				disk_bytes_per_row,
				version,
			};
		} finally {
			await end(child);
			rmSync(folder, { recursive: true, force: true });
		}
	}

	stop(): void {
		this.#generator.stop();
		this.#warmUp.stop();
	}

	/** Compaction is over when sizes have not changed for a while; it is waited for at most 40 s. */
	async #compactedBytes(url: string, folder: string): Promise<number> {
		await this.#kind.compact?.(url);
		let bytes = -1;
		let steady = 0;
		const deadline = performance.now() + 40_000;
		while (steady < 5 && performance.now() < deadline) {
			await new Promise((resolve) => setTimeout(resolve, 1_000));
			const now = this.#kind.diskBytes(folder);
			steady = now === bytes && now > 0 ? steady + 1 : 0;
			bytes = now;
		}
		return bytes;
	}
}

async function answers(url: string, child: ChildProcess): Promise<boolean> {
	if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended at once (${child.exitCode})`);
	return await fetch(url).then(
		(response) => response.ok,
		() => false,
	);
}

async function get(url: string, method = "GET"): Promise<string> {
	const response = await fetch(url, { method });
	const text = await response.text();
	if (!response.ok) throw new Error(`${url} answered ${response.status}: ${text.slice(0, 300)}`);
	return text;
}

async function end(child: ChildProcess): Promise<void> {
	const ended = () => child.exitCode !== null || child.signalCode !== null;
	child.kill("SIGTERM");
	await until(`the end of ${child.spawnfile}`, 20_000, 50, ended).catch(() => child.kill("SIGKILL"));
}
