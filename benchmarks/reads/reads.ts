/** Every reading route on a small and on a tenfold volume, and some of their answers computed from raw rows in the same run. */
import { READS } from "../../query/index.ts";
import { cpuMs } from "../processes.ts";
import type { Server } from "../server.ts";
import { type Spread, spread } from "../statistics.ts";
import { type Compared, comparedReads } from "./exact.ts";
import { DAYS, fillReads, type Volume } from "./fill.ts";
import { mergeFinished } from "./merged.ts";

export interface ReadTime {
	readonly what: string;
	readonly path: string;
	readonly ms: Spread;
	/** With a tenth of the data. */
	readonly tenth_ms: Spread;
	/** Of all questions of the answer together. */
	readonly rows_read: number;
	readonly tenth_rows_read: number;
	readonly questions: number;
	/** CPU of engine and program together, an answer. */
	readonly cpu_ms: number;
	/** The same answer from raw rows, where it is compared. */
	readonly exact?: {
		readonly ms: Spread;
		readonly cpu_ms: number;
		readonly ratio: number;
		readonly at_most?: number | undefined;
	};
}

export interface ReadsResult {
	readonly volume: Volume;
	readonly days: number;
	readonly reads: readonly ReadTime[];
}

export interface ReadsOptions {
	readonly volume: Volume;
	readonly repeats: number;
	readonly seed: number;
	readonly report: (line: string) => void;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const SETTLE_MS = 120_000;
/** Turns before those that are timed: V8 and ClickHouse compile what is asked repeatedly, as on a server that is in use. */
const WARM_UP = 10;
const NONE: Volume = { points: 0, events: 0, logs: 0 };
/** Neither on an hour nor on a quarter of one: edges are read as on any other day. */
const OFF_BOUNDARY_MS = 433_000;

export async function runReads(server: Server, { volume, repeats, seed, report }: ReadsOptions): Promise<ReadsResult> {
	await server.truncate();
	const as_of = Math.floor(Date.now() / DAY_MS) * DAY_MS - OFF_BOUNDARY_MS;
	const asked = questionsOf(as_of);
	const tenth = { points: volume.points / 10, events: volume.events / 10, logs: volume.logs / 10 };
	const fill = async (done: Volume, until: Volume) => {
		const started = performance.now();
		await fillReads(server, { done, until, to_ms: as_of, seed });
		// Neither side is asked beside merges of what was stored a second ago, or of days that were over long since.
		await server.settle(SETTLE_MS);
		await mergeFinished(server, as_of);
		report(`reads: filled to ${until.events} events in ${((performance.now() - started) / 1_000).toFixed(1)} s`);
	};
	await fill(NONE, tenth);
	const before: Measured[] = [];
	for (const { path } of asked) before.push(await measured(server, path, repeats));
	await fill(tenth, volume);
	const reads: ReadTime[] = [];
	for (const [i, { what, path, compared }] of asked.entries()) {
		if (compared) await assertEqual(server, compared);
		const statements = compared?.exact;
		const beside = statements ? [() => all(server, statements)] : [];
		const { ms, cpu_ms, rows_read, questions, others } = await measured(server, path, repeats, beside);
		const [exact] = others;
		const read: ReadTime = {
			...{ what, path, ms, cpu_ms, rows_read, questions },
			...{ tenth_ms: before[i]!.ms, tenth_rows_read: before[i]!.rows_read },
			...(exact && compared && { exact: { ...exact, ratio: ms.median / exact.ms.median, at_most: compared.at_most } }),
		};
		reads.push(read);
		const raw = exact ? `, from raw rows ${exact.ms.median.toFixed(0)} ms` : "";
		report(`reads: ${what}: ${ms.median.toFixed(0)} ms, ${rows_read} rows${raw}`);
	}
	return { volume, days: DAYS, reads };
}

/** As of now, which is where records end; the compared ones first, then every other route with its defaults. */
function questionsOf(as_of: number) {
	// The hour in which the past one lies is full: its tail has to come from raw points.
	const [inThePast] = comparedReads(as_of - HOUR_MS);
	const compared = [
		...comparedReads(as_of),
		{ ...inThePast!, figure: `${inThePast!.figure}, an hour ago`, at_most: undefined },
	].map((one) => ({ what: one.figure, path: one.path, compared: one }));
	const asOf = `as_of=${new Date(as_of).toISOString()}`;
	const others = READS.filter(({ path }) => !WITHOUT_TELEMETRY.has(path)).map(({ path }) => ({
		what: path,
		path: `${path}?${MORE[path] ?? ""}${asOf}`,
		compared: undefined,
	}));
	return [...compared, ...others];
}

const WITHOUT_TELEMETRY = new Set(["/v1/monitoring/conventions", "/v1/monitoring/rules"]);
const MORE: Readonly<Record<string, string>> = { "/v1/monitoring/profiling": "operation=none&" };

interface Measured {
	readonly ms: Spread;
	readonly cpu_ms: number;
	readonly rows_read: number;
	readonly questions: number;
	readonly others: readonly Timed[];
}

type Run = () => Promise<unknown>;

/** @param beside what takes turns with the route, so that both bear the same load of the machine */
async function measured(server: Server, path: string, repeats: number, beside: readonly Run[] = []): Promise<Measured> {
	const ask = async (suffix = "") => {
		const response = await fetch(`${server.url}${path}${suffix}`, { headers: server.headers });
		const text = await response.text();
		if (response.status !== 200) throw new Error(`${path} answered ${response.status}: ${text.slice(0, 300)}`);
		return text;
	};
	const explained = JSON.parse(await ask("&explain=true")) as { explain: { queries: { rows_read: number }[] } };
	const { queries } = explained.explain;
	const [own, ...others] = await timed(server, repeats, [() => ask(), ...beside]);
	return {
		...own!,
		others,
		rows_read: queries.reduce((sum, { rows_read }) => sum + rows_read, 0),
		questions: queries.length,
	};
}

/** Two computations of something else would compare nothing. */
async function assertEqual(server: Server, { figure, path, exact, pairs }: Compared): Promise<void> {
	const response = await fetch(`${server.url}${path}`, { headers: server.headers });
	const rows = await Promise.all(exact.map((sql) => server.rows(sql)));
	const different = pairs(await response.json(), rows).filter(
		([ours, theirs, within]) => !(Math.abs(ours - theirs) <= within),
	);
	if (different.length > 0) throw new Error(`${figure}: ours and exact differ: ${JSON.stringify(different)}`);
}

async function all(server: Server, statements: readonly string[]): Promise<void> {
	await Promise.all(statements.map((sql) => server.sql(sql, { use_query_condition_cache: 0 })));
}

interface Timed {
	readonly ms: Spread;
	readonly cpu_ms: number;
}

async function timed(server: Server, repeats: number, runs: readonly Run[]): Promise<Timed[]> {
	const spent = runs.map(() => ({ ms: [] as number[], cpu: 0 }));
	const cpu = () => cpuMs(server.pid) + cpuMs(server.engine.pid);
	for (let i = 0; i < WARM_UP; i++) for (const run of runs) await run();
	for (let i = 0; i < repeats; i++) {
		for (const [k, run] of runs.entries()) {
			const [started, before] = [performance.now(), cpu()];
			await run();
			spent[k]!.ms.push(performance.now() - started);
			spent[k]!.cpu += cpu() - before;
		}
	}
	return spent.map((one) => ({ ms: spread(one.ms), cpu_ms: one.cpu / repeats }));
}
