/** `npm run bench`: see `--help`, and README.md in this folder for what is measured and how. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { packageRoot } from "../schema/paths.ts";
import { type LoadResult, runLoad } from "./load.ts";
import { type Options, parseOptions } from "./options.ts";
import { hotSpots, type Window } from "./profile.ts";
import { Server } from "./server.ts";
import type { Dataset, Workload } from "./workload.ts";

const DAY_MS = 86_400_000;

const options = parseOptions(process.argv);
await main(options);

async function main({ loads, profile }: Options): Promise<void> {
	const folder = mkdtempSync(join(options.folder ?? tmpdir(), "tidemark-bench-"));
	const results: LoadResult[] = [];
	try {
		for (const workload of loads) {
			const profileDir = profile ? join(folder, `profile-${workload}`) : undefined;
			const server = await Server.start(join(folder, workload), profileDir);
			let windows: readonly Window[];
			try {
				const run = await runLoad(server, loadOptions(workload, folder));
				results.push(run.result);
				({ windows } = run);
			} finally {
				await server.stop();
			}
			if (profileDir) printProfile(profileDir, windows);
		}
	} finally {
		rmSync(folder, { recursive: true, force: true });
	}
	const path = options.out ?? join(packageRoot(), "benchmarks/results/latest.json");
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, `${JSON.stringify({ loads: results }, null, 2)}\n`);
	console.log(JSON.stringify(results, null, 1));
}

function loadOptions(workload: Workload, folder: string) {
	const { seed, pointsPerSeries, connections, repeats, most_ms, settle_ms } = options;
	const dataset: Dataset = {
		...{ workload, seed, pointsPerSeries, rows: options.rows(workload) },
		// Yesterday, late enough for every zone and early enough for all rows to be of one day.
		start_ms: Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS + DAY_MS / 4,
	};
	const rowsPerRequest = options.rowsPerRequest(workload);
	const report = (line: string) => console.error(line);
	return {
		dataset,
		rowsPerRequest,
		connections,
		repeats,
		most_ms,
		settle_ms,
		folder,
		report,
		peers: options.parts.has("peers"),
	};
}

function printProfile(folder: string, windows: readonly Window[]): void {
	for (const file of readdirSync(folder)) {
		const { functions, files } = hotSpots(join(folder, file), windows);
		console.log("self time of the ingest process' main thread while loads were under way");
		for (const { what, self_ms, percent } of files.slice(0, 15)) console.log(line(percent, self_ms, what));
		console.log("by function");
		for (const { what, self_ms, percent } of functions.slice(0, 40)) console.log(line(percent, self_ms, what));
	}
}

function line(percent: number, self_ms: number, what: string): string {
	return `${percent.toFixed(1).padStart(6)} % ${self_ms.toFixed(0).padStart(7)} ms  ${what}`;
}
