/** The command line of the benchmark. */
import { Command, InvalidArgumentError, Option } from "commander";
import { WORKLOADS, type Workload } from "./workload.ts";

const PARTS = [...WORKLOADS, "query", "reads", "live", "alerts", "export", "sketch", "peers"] as const;
export type Part = (typeof PARTS)[number];

export interface Options {
	readonly loads: readonly Workload[];
	readonly parts: ReadonlySet<Part>;
	readonly quick: boolean;
	readonly profile: boolean;
	readonly seed: number;
	readonly repeats: number;
	readonly connections: number;
	readonly pointsPerSeries: number;
	readonly most_ms: number;
	readonly settle_ms: number;
	readonly folder: string | undefined;
	readonly out: string | undefined;
	readonly queryPoints: number;
	/** Share of the full volume that reading routes are timed on. */
	readonly readShare: number;
	readonly sketchPoints: number;
	readonly exportPoints: number;
	/** Rules, and minutes that their evaluation is watched for. */
	readonly alerts: { readonly rules: number; readonly minutes: number };
	readonly live: { readonly viewers: number; readonly seconds: number; readonly points: number };
	rows(workload: Workload): number;
	rowsPerRequest(workload: Workload): number;
}

const ROWS: Readonly<Record<Workload, number>> = {
	series: 4_000_000,
	metrics: 2_000_000,
	logs: 500_000,
	events: 500_000,
};
const QUICK_ROWS: Readonly<Record<Workload, number>> = {
	series: 400_000,
	metrics: 200_000,
	logs: 50_000,
	events: 50_000,
};

export function parseOptions(argv: readonly string[]): Options {
	const command = new Command("npm run bench --")
		.description("Measures ingest, storage and queries on this machine and compares them with the figures to reach")
		.option("--quick", "a small load of everything, in under a minute: shows that it works, its numbers mean little")
		.addOption(new Option("--only <parts...>", "only these parts").choices(PARTS))
		.option("--peers", "the same points into VictoriaMetrics and InfluxDB, where they are on the PATH")
		.option("--rows <n>", "rows of each load", whole)
		.option("--repeats <n>", "repetitions, of which medians are reported", whole)
		.option("--connections <n>", "keep-alive connections of the load generator", whole, 4)
		.option("--seed <n>", "of all generated values", whole, 1)
		.option("--request-rows <n>", "rows a request (default: 1000, in series form 10000)", whole)
		.option("--series-points <n>", "points of a series in one record of the series form", whole, 100)
		.option("--profile", "profile the ingest process and print its hottest functions")
		.option("--settle <s>", "wait at most so long for background merges between repetitions", whole, 5)
		.option("--folder <path>", "where the temporary data goes (default: the system's temporary folder)")
		.option(
			"--out <file>",
			"where the JSON goes (default: in benchmarks/results, latest.json, or the name of the only part where that is no load)",
		)
		.parse(argv);
	const given = command.opts<{
		quick?: true;
		only?: Part[];
		peers?: true;
		rows?: number;
		repeats?: number;
		connections: number;
		seed: number;
		requestRows?: number;
		seriesPoints: number;
		profile?: true;
		settle: number;
		folder?: string;
		out?: string;
	}>();
	const quick = given.quick ?? false;
	const parts = new Set<Part>(given.only ?? [...WORKLOADS, "query", "reads", "live"]);
	if (given.peers) parts.add("peers");
	return {
		...{ quick, parts, seed: given.seed, connections: given.connections, pointsPerSeries: given.seriesPoints },
		// Peers are compared within the loads of metrics.
		loads: WORKLOADS.filter((load) => parts.has(load) || (parts.has("peers") && ["series", "metrics"].includes(load))),
		profile: given.profile ?? false,
		repeats: given.repeats ?? (quick ? 1 : 3),
		most_ms: quick ? 10_000 : 60_000,
		settle_ms: (quick ? 0 : given.settle) * 1_000,
		queryPoints: given.rows ?? (quick ? 200_000 : 10_000_000),
		readShare: quick ? 0.01 : 1,
		alerts: quick ? { rules: 100, minutes: 1 } : { rules: 1_000, minutes: 5 },
		live: quick
			? { viewers: 50, seconds: 2, points: given.rows ?? 50_000 }
			: { viewers: 1_000, seconds: 10, points: given.rows ?? 2_000_000 },
		exportPoints: given.rows ?? (quick ? 200_000 : 10_000_000),
		sketchPoints: given.rows ?? (quick ? 200_000 : 3_000_000),
		...{ folder: given.folder, out: given.out },
		rows: (workload) => given.rows ?? (quick ? QUICK_ROWS : ROWS)[workload],
		rowsPerRequest: (workload) => given.requestRows ?? (workload === "series" ? 10_000 : 1_000),
	};
}

/** Of one part beside the loads a file of its own, so that the parts can be measured at different times. */
export function resultFile(parts: Options["parts"]): string {
	const [only, ...others] = parts;
	return others.length === 0 && only !== undefined && ALONE.has(only) ? `${only}.json` : "latest.json";
}
const ALONE: ReadonlySet<Part> = new Set<Part>(["reads", "live", "alerts"]);

function whole(text: string): number {
	if (!/^\d+$/.test(text)) throw new InvalidArgumentError("a whole number is expected");
	return Number(text);
}
