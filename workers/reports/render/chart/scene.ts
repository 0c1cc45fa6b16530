/** A drawing without a medium: what a chart consists of, in units of a point, for SVG and PDF alike. */

/** What a mark is for; the medium knows the colour, in light and in dark. */
export type Ink = "text" | "muted" | "grid" | "axis" | `series-${number}`;

export type Mark =
	| {
			readonly kind: "stroke";
			/** An SVG path. */
			readonly path: string;
			readonly ink: Ink;
			readonly width: number;
			readonly dash?: readonly [number, number];
	  }
	| { readonly kind: "fill"; readonly path: string; readonly ink: Ink }
	| {
			readonly kind: "text";
			readonly x: number;
			/** Of the baseline. */
			readonly y: number;
			readonly text: string;
			readonly anchor: "start" | "middle" | "end";
			readonly ink: Ink;
	  };

export interface Scene {
	readonly width: number;
	readonly height: number;
	/** Of all its texts. */
	readonly fontSize: number;
	readonly marks: readonly Mark[];
	/** What was left out because it would not have been readable. */
	readonly omitted: readonly string[];
}

/** What a chart is drawn on. */
export interface Canvas {
	readonly width: number;
	readonly fontSize: number;
	readonly timezone: string;
	/** Width of a text at `fontSize`. */
	measure(text: string): number;
}

/** A series with numbers on both axes; `x` is milliseconds since the epoch, or the place of a category in the list. */
export interface Line {
	readonly name: string;
	readonly points: readonly { readonly x: number; readonly y: number | null }[];
}

/** Where a part of a chart may draw. */
export interface Area {
	readonly canvas: Canvas;
	readonly top: number;
}

/** What a part of a chart has drawn, and where it ends. */
export interface Drawn {
	readonly marks: readonly Mark[];
	readonly bottom: number;
	readonly omitted: readonly string[];
}

/** Colours of series; more series begin again, with dashes. */
const COLOURS = 8;

/** Colour and dashes of a series. */
export function strokeOf(index: number): Pick<Extract<Mark, { kind: "stroke" }>, "ink" | "dash"> {
	return { ink: `series-${index % COLOURS}`, ...(index >= COLOURS && { dash: [4, 2] as const }) };
}

/** Enough for print, and the same text on every machine. */
export const round = (value: number): number => Math.round(value * 100) / 100;

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/** The text, cut at its end so that it fits. */
export function ellipsize(text: string, width: number, measure: Canvas["measure"]): string {
	if (measure(text) <= width) return text;
	const parts = Array.from(graphemes.segment(text.slice(0, 2000)), ({ segment }) => segment);
	let [fits, not] = [0, parts.length];
	while (not - fits > 1) {
		const middle = (fits + not) >> 1;
		if (measure(`${parts.slice(0, middle).join("")}…`) <= width) fits = middle;
		else not = middle;
	}
	return `${parts.slice(0, fits).join("").trimEnd()}…`;
}
