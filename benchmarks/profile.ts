/** Reads a V8 CPU profile: where the ingest process' main thread spent its time while loads were under way. */
import { readFileSync } from "node:fs";

interface CpuProfile {
	readonly nodes: readonly {
		readonly id: number;
		readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
		readonly children?: readonly number[];
	}[];
	/** Microseconds of the monotonic clock, which all processes share. */
	readonly startTime: number;
	readonly samples: readonly number[];
	readonly timeDeltas: readonly number[];
}

interface Window {
	readonly from_ms: number;
	readonly to_ms: number;
}

interface ProfileEntry {
	readonly what: string;
	readonly self_ms: number;
	/** Of the time in the windows, idle included. */
	readonly percent: number;
}

/** Functions and files by self time within the windows, most first. */
function hotSpots(path: string, windows: readonly Window[]): { functions: ProfileEntry[]; files: ProfileEntry[] } {
	const profile = JSON.parse(readFileSync(path, "utf8")) as CpuProfile;
	const places = new Map(
		profile.nodes.map(({ id, callFrame }) => {
			const file = callFrame.url.replace(/^.*\/(dist|node_modules)\//, "").replace(/\.js$/, "") || "(V8)";
			const name = callFrame.functionName || "(anonymous)";
			return [id, { file, name: `${name}  ${file}${callFrame.url ? `:${callFrame.lineNumber + 1}` : ""}` }];
		}),
	);
	const functions = new Map<string, number>();
	const files = new Map<string, number>();
	let total = 0;
	let now = profile.startTime;
	for (const [i, delta] of profile.timeDeltas.entries()) {
		now += delta;
		if (!windows.some(({ from_ms, to_ms }) => now >= from_ms * 1_000 && now < to_ms * 1_000)) continue;
		const { file, name } = places.get(profile.samples[i]!)!;
		functions.set(name, (functions.get(name) ?? 0) + delta);
		files.set(name.startsWith("(") ? name : file, (files.get(name.startsWith("(") ? name : file) ?? 0) + delta);
		total += delta;
	}
	const ranked = (times: Map<string, number>) =>
		[...times]
			.sort(([, a], [, b]) => b - a)
			.map(([what, us]) => ({ what, self_ms: us / 1_000, percent: (us * 100) / total }));
	return { functions: ranked(functions), files: ranked(files) };
}

/** Prints where the time went, by file and by function. */
export function printHotSpots(
	path: string,
	load: string,
	windows: readonly Window[],
	report: (line: string) => void,
): void {
	const { functions, files } = hotSpots(path, windows);
	const print = (title: string, entries: readonly ProfileEntry[], most: number) => {
		report(title);
		for (const { what, self_ms, percent } of entries.slice(0, most)) {
			report(`${percent.toFixed(1).padStart(6)} % ${self_ms.toFixed(0).padStart(7)} ms  ${what}`);
		}
	};
	print(`${load}: self time of the ingest process' main thread, by file`, files, 15);
	print(`${load}: by function`, functions, 40);
}
