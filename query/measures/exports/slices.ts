/** How an export is cut into parts: spans of time with about so many rows each, which can be read again one by one. */
import type { ExportSlice } from "../../../schema/export-job.ts";

/** Steps in which rows are counted, coarse first: only where one holds more than a part does, the next is asked. */
const STEPS_MS = [3_600_000, 60_000, 1_000, 1] as const;
/** A part has at most so many rows, unless they are all of one millisecond. */
const PART_ROWS = 1_000_000;
/** The list of parts is kept with the job and must stay small: a huge export has bigger ones. */
const MAX_PARTS = 1_000;

/** Rows in each step of a span that has any, in order. */
export type Count = (
	span: Pick<ExportSlice, "start" | "end">,
	step_ms: number,
) => Promise<readonly (readonly [number, number])[]>;

type Cell = Pick<ExportSlice, "start" | "end" | "rows">;

/**
 * Spans that cover all of `[start, end)` without a gap: what arrives late for an hour that was empty has its part, too.
 * @param grain_ms no part ends within a step of so many milliseconds, as a bucket of a tier is one row
 */
export async function sliceTime(
	span: Pick<ExportSlice, "start" | "end">,
	count: Count,
	{ part_rows = PART_ROWS, grain_ms = 1 }: { readonly part_rows?: number; readonly grain_ms?: number } = {},
): Promise<Cell[]> {
	const steps = STEPS_MS.filter((step) => step >= grain_ms);
	if (steps.length === 0) steps.push(grain_ms as (typeof STEPS_MS)[number]);
	const coarse = await cellsOf(span, steps[0]!, count);
	const total = coarse.reduce((sum, { rows }) => sum + rows, 0);
	const limit = Math.max(part_rows, Math.ceil(total / MAX_PARTS));
	return join(span, await refine(coarse, steps.slice(1), count, limit), limit);
}

async function refine(
	cells: readonly Cell[],
	[step, ...finer]: readonly number[],
	count: Count,
	limit: number,
): Promise<Cell[]> {
	const refined: Cell[] = [];
	for (const cell of cells) {
		if (cell.rows <= limit || step === undefined) refined.push(cell);
		else refined.push(...(await refine(await cellsOf(cell, step, count), finer, count, limit)));
	}
	return refined;
}

async function cellsOf(span: Pick<ExportSlice, "start" | "end">, step: number, count: Count): Promise<Cell[]> {
	return (await count(span, step)).map(([at, rows]) => ({
		start: Math.max(at, span.start),
		end: Math.min(at + step, span.end),
		rows,
	}));
}

/** Puts neighbours together for as long as they fit. */
function join({ start, end }: Pick<ExportSlice, "start" | "end">, cells: readonly Cell[], limit: number): Cell[] {
	const parts: Cell[] = [];
	let open: Cell = { start, end: start, rows: 0 };
	for (const cell of cells) {
		if (open.rows > 0 && open.rows + cell.rows > limit) {
			parts.push({ ...open, end: cell.start });
			open = { start: cell.start, end: cell.start, rows: 0 };
		}
		open = { ...open, end: cell.end, rows: open.rows + cell.rows };
	}
	return [...parts, { ...open, end }];
}

/** Where a tier has the rows: its whole buckets. Those that the window cuts are made of raw points. */
export function tierSpans(
	{ start, end }: Pick<ExportSlice, "start" | "end">,
	step_ms: number,
): readonly Pick<ExportSlice, "start" | "end" | "tier">[] {
	const first = Math.ceil(start / step_ms) * step_ms;
	const last = Math.floor(end / step_ms) * step_ms;
	if (first >= last) return [{ start, end, tier: false }];
	const spans = [
		{ start, end: first, tier: false },
		{ start: first, end: last, tier: true },
		{ start: last, end, tier: false },
	];
	return spans.filter((span) => span.start < span.end);
}
