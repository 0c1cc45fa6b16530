/** What a window's profiles and their comparison with another share. */
import type { ProfilingAnswer } from "../../schema/wire/index.ts";
import { type FlameNode, flame, type RunSummary, type Spread } from "../measures/profiles.ts";
import { milliseconds } from "../rounding.ts";
import type { Asking } from "../route.ts";
import type { Span } from "../time/period.ts";

const NS_PER_MS = 1e6;
/** Of more spans than these, the self times follow from a sample of the runs. */
const MAX_SPANS = 250_000;

/** Self times of very many spans follow from each so many-th run. */
export const sampleOf = (runs: RunSummary): number => Math.max(1, Math.ceil(runs.spans / MAX_SPANS));

export async function flameOf(
	{ asker }: Asking,
	window: Span,
	operation: string,
	runs: RunSummary,
): Promise<FlameNode[]> {
	return runs.calls === 0 ? [] : await asker.ask(flame(window, operation, sampleOf(runs)));
}

export const inMilliseconds = (ns: number) => milliseconds(ns / NS_PER_MS)!;

export function spreadOf(spread: Spread | null, rounded: (value: number) => number): ProfilingAnswer["wall_ms"] {
	if (!spread) return null;
	const { n, sum, max, p50, p95, p99 } = spread;
	return {
		...{ avg: rounded(sum / n), p50: rounded(p50), p95: rounded(p95), p99: rounded(p99) },
		...{ max: rounded(max), total: rounded(sum) },
	};
}
