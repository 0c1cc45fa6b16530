/** `npm run bench`: see `--help`, and README.md in this folder for what is measured and how. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packageRoot } from "../schema/paths.ts";
import { runAlerts } from "./alerts.ts";
import { runExports } from "./export.ts";
import { figuresOf } from "./figures.ts";
import { runLive } from "./live.ts";
import { type LoadOptions, type LoadRun, runLoad } from "./load.ts";
import { machine } from "./machine.ts";
import { type Options, parseOptions, resultFile } from "./options.ts";
import { endChildren } from "./processes.ts";
import { printHotSpots } from "./profile.ts";
import { runQueries } from "./query.ts";
import type { Volume } from "./reads/fill.ts";
import { runReads } from "./reads/reads.ts";
import { printed, type Report } from "./report.ts";
import { Server } from "./server.ts";
import { runSketches } from "./sketch.ts";
import type { Workload } from "./workload.ts";

const DAY_MS = 86_400_000;
const report = (line: string) => console.error(line);

const options = parseOptions(process.argv);
const folder = mkdtempSync(join(options.folder ?? tmpdir(), "tidemark-bench-"));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void cutShort());
try {
	const measured = await measure(options);
	const path = options.out ?? join(packageRoot(), "benchmarks/results", resultFile(options.parts));
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, `${JSON.stringify(measured, null, 2)}\n`);
	process.stdout.write(`\n${printed(measured)}`);
} catch (error) {
	report(`bench: ${(error as Error).message}`);
	process.exitCode = 1;
} finally {
	rmSync(folder, { recursive: true, force: true });
}

async function measure({ loads: workloads, parts, profile, quick, seed }: Options): Promise<Report> {
	const profileDir = profile ? join(folder, "profile") : undefined;
	const server = await Server.start(folder, profileDir);
	const runs: LoadRun[] = [];
	const small = { repeats: quick ? 3 : 15, folder, seed, report };
	let measured: Pick<Report, "machine" | "query" | "reads" | "live" | "alerts" | "exports" | "sketches">;
	try {
		for (const workload of workloads) runs.push(await runLoad(server, loadOptions(workload)));
		measured = {
			machine: machine((await server.sql("SELECT version()")).trim()),
			query: parts.has("query") ? await runQueries(server, { ...small, points: options.queryPoints }) : undefined,
			reads: parts.has("reads") ? await runReads(server, { ...small, volume: volumeOf(options.readShare) }) : undefined,
			// As often as loads: a repetition takes half a minute.
			live: parts.has("live")
				? await runLive(server, { ...small, repeats: options.repeats, ...options.live })
				: undefined,
			alerts: parts.has("alerts") ? await runAlerts(server, { seed, report, ...options.alerts }) : undefined,
			exports: parts.has("export") ? await runExports({ folder, report, rows: options.exportPoints }) : undefined,
			sketches: parts.has("sketch") ? await runSketches(server, { ...small, points: options.sketchPoints }) : undefined,
		};
	} finally {
		await server.stop();
	}
	for (const file of profileDir ? readdirSync(profileDir) : []) {
		for (const { result, windows } of runs) printHotSpots(join(profileDir!, file), result.workload, windows, report);
	}
	const loads = runs.map(({ result }) => result);
	return { ...measured, loads, figures: figuresOf({ loads, ...measured }) };
}

function volumeOf(share: number): Volume {
	return { points: 10_000_000 * share, events: 2_000_000 * share, logs: 2_000_000 * share };
}

function loadOptions(workload: Workload): LoadOptions {
	const { seed, pointsPerSeries, connections, repeats, most_ms, settle_ms, parts } = options;
	// Yesterday, late enough for the warm-up before it and early enough for all rows to be of one day.
	const start_ms = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS + DAY_MS / 4;
	return {
		dataset: { workload, seed, pointsPerSeries, rows: options.rows(workload), start_ms },
		rowsPerRequest: options.rowsPerRequest(workload),
		...{ connections, repeats, most_ms, settle_ms, folder, report, peers: parts.has("peers") },
	};
}

/** A server without its benchmark would go on for ever. */
async function cutShort(): Promise<void> {
	await endChildren(10_000);
	rmSync(folder, { recursive: true, force: true });
	process.exit(130);
}
