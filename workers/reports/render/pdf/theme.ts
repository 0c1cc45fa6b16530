/** Colours and measures of a printed report, in points. */
import type { Ink as ChartInk } from "../chart/scene.ts";

export type Ink = ChartInk | "accent" | "rule" | "panel" | "draft" | "subtle";

// The series colours are told apart by eyes of any kind (Okabe and Ito's, darkened for white paper).
const SERIES = ["#0b62b8", "#d05a00", "#00856a", "#b3508f", "#3a97cf", "#a87600", "#6b5bb5", "#4d565f"];

const COLOURS: Record<Exclude<Ink, ChartInk> | Exclude<ChartInk, `series-${number}`>, string> = {
	text: "#1b1f24",
	muted: "#59636e",
	subtle: "#818b96",
	grid: "#e3e7eb",
	axis: "#8d96a0",
	rule: "#d5dae0",
	accent: "#0b62b8",
	panel: "#f5f7f9",
	draft: "#b3261e",
};

export function colourOf(ink: Ink): string {
	if (ink in COLOURS) return COLOURS[ink as keyof typeof COLOURS];
	return SERIES[Number(ink.slice("series-".length)) % SERIES.length]!;
}

/** A4. */
export const PAGE = { width: 595.28, height: 841.89, left: 46, right: 46, top: 62, bottom: 58 } as const;
export const CONTENT_WIDTH = PAGE.width - PAGE.left - PAGE.right;
