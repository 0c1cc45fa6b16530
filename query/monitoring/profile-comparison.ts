/** Two windows of an operation's profiles beside each other: what became longer, and whether that may be chance. */
import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import { PROFILING_TIMEFRAMES, type ProfilingAnswer, type profilingQuery } from "../../schema/wire/index.ts";
import {
	type FlameNode,
	MAX_FLAME_NODES,
	type RunSummary,
	runSummary,
	type Spread,
	wallDifference,
} from "../measures/profiles.ts";
import type { Needs } from "../meta.ts";
import { percentOf, ratio, significant, whole } from "../rounding.ts";
import type { Asking } from "../route.ts";
import type { Span } from "../time/period.ts";
import { resolveWindow, type Window } from "../time/window.ts";
import { flameOf, inMilliseconds, spreadOf } from "./profile-parts.ts";

/** Kinds of spans that a comparison tells. */
const CHANGED = 20;
/** Below so many runs in a window the normal approximation of the test says nothing. */
const FEWEST_COMPARED = 8;
const SIGNIFICANT = 0.01;
type Comparison = NonNullable<ProfilingAnswer["comparison"]>;

/** @throws ApiError 400 where two windows are named, or they overlap: runs of both would be compared with themselves. */
export function comparedWindow(query: z.infer<typeof profilingQuery>, window: Window, now: number): Span | undefined {
	const { compare, compare_start, compare_end, timezone } = query;
	const length = window.end - window.start;
	if (compare_start === undefined) {
		if (compare_end === undefined) return compare && { start: window.start - length, end: window.start };
		const reason = "compare_end needs compare_start";
		throw badParameter({ parameter: "compare_end", provided: compare_end, valid_options: [], reason });
	}
	if (compare !== undefined) {
		const reason = "compare and compare_start name two windows: send one of them";
		throw badParameter({ parameter: "compare", provided: compare, valid_options: [], reason });
	}
	const asked = { start: compare_start, end: compare_end, as_of: new Date(window.as_of).toISOString(), timezone };
	const names = { start: "compare_start", end: "compare_end" };
	const { start, end } = resolveWindow(asked, {
		timeframes: PROFILING_TIMEFRAMES,
		defaultTimeframe: "24h",
		now,
		names,
	});
	const compared = { start, end: compare_end === undefined ? Math.min(end, start + length) : end };
	if (compared.start < window.end && window.start < compared.end) {
		const options = [
			`ends at or before ${new Date(window.start).toISOString()}`,
			`starts at or after ${new Date(window.end).toISOString()}`,
		];
		const reason = "the two windows overlap";
		throw badParameter({ parameter: "compare_start", provided: compare_start, valid_options: options, reason });
	}
	return compared;
}

interface Compared {
	readonly operation: string;
	/** Whether it ever ran. */
	readonly known: boolean;
	readonly window: Span;
	readonly compared: Span;
	/** Of the window of the question. */
	readonly runs: RunSummary;
	readonly nodes: readonly FlameNode[];
}

export async function compare(
	asking: Asking,
	{ operation, known, window, compared, runs, nodes }: Compared,
): Promise<Comparison> {
	const { asker } = asking;
	const before = await asker.ask(runSummary(compared, operation));
	const enough = Math.min(before.calls, runs.calls) >= FEWEST_COMPARED;
	const p_value = enough ? await asker.ask(wallDifference(window, compared, operation)) : null;
	const earlier = await flameOf(asking, compared, operation, before);
	return {
		start: new Date(compared.start).toISOString(),
		end: new Date(compared.end).toISOString(),
		calls: known ? before.calls : null,
		success_rate: before.calls === 0 ? null : ratio(before.succeeded / before.calls),
		wall_ms: spreadOf(before.wall, inMilliseconds),
		cpu_ms: spreadOf(before.cpu, inMilliseconds),
		alloc_bytes: spreadOf(before.alloc, (bytes) => whole(bytes)!),
		change_percentage: {
			wall_ms: changeOf(before.wall, runs.wall),
			cpu_ms: changeOf(before.cpu, runs.cpu),
			alloc_bytes: changeOf(before.alloc, runs.alloc),
		},
		p_value: significant(p_value),
		verdict: verdictOf(p_value, before.wall, runs.wall),
		spans: changedSpans({ nodes: earlier, calls: before.calls }, { nodes, calls: runs.calls }),
	};
}

function changeOf(before: Spread | null, after: Spread | null): Comparison["change_percentage"]["wall_ms"] {
	if (before === null || after === null) return null;
	const change = (from: number, to: number) => (from === 0 ? null : percentOf(to / from - 1));
	return {
		avg: change(before.sum / before.n, after.sum / after.n),
		...{ p50: change(before.p50, after.p50), p95: change(before.p95, after.p95), p99: change(before.p99, after.p99) },
	};
}

/** Which way: by the median, and by the average where the medians are the same. */
function verdictOf(p_value: number | null, before: Spread | null, after: Spread | null): Comparison["verdict"] {
	if (p_value === null || before === null || after === null) return null;
	const difference = after.p50 - before.p50 || after.sum / after.n - before.sum / before.n;
	if (p_value >= SIGNIFICANT || difference === 0) return "no_difference";
	return difference > 0 ? "slower" : "faster";
}

interface Flame {
	readonly nodes: readonly FlameNode[];
	readonly calls: number;
}

/** A kind of span that no run had took none of its time; where not all kinds are known, nobody knows that. */
function changedSpans(before: Flame, after: Flame): Comparison["spans"] {
	if (before.calls === 0 || after.calls === 0) return [];
	const keyOf = ({ name, parent }: FlameNode) => JSON.stringify([name, parent]);
	const selfOf = ({ nodes, calls }: Flame) => new Map(nodes.map((node) => [keyOf(node), node.self_ns / calls]));
	const [earlier, later] = [selfOf(before), selfOf(after)];
	const complete = (flame: Flame) => flame.nodes.length < MAX_FLAME_NODES;
	const kinds = new Map([...before.nodes, ...after.nodes].map((node) => [keyOf(node), node]));
	return [...kinds]
		.filter(([key]) => (earlier.has(key) || complete(before)) && (later.has(key) || complete(after)))
		.map(([key, { name, parent }]) => ({ name, parent, from: earlier.get(key) ?? 0, to: later.get(key) ?? 0 }))
		.sort((a, b) => Math.abs(b.to - b.from) - Math.abs(a.to - a.from) || (a.name < b.name ? -1 : 1))
		.slice(0, CHANGED)
		.map(({ name, parent, from, to }) => ({
			...{ name, parent, self_ms: inMilliseconds(to), compared_self_ms: inMilliseconds(from) },
			change_ms: inMilliseconds(to - from),
		}));
}

export const comparisonNeeds = (operation: string): Needs => {
	const record = `profile ${operation}`;
	const fields = ["calls", "success_rate", "wall_ms", "cpu_ms", "alloc_bytes", "p_value", "verdict", "spans"];
	const changes = ["wall_ms", "cpu_ms", "alloc_bytes"].map((field) => `change_percentage.${field}`);
	return Object.fromEntries([...fields, ...changes].map((field) => [`comparison.${field}`, record]));
};
