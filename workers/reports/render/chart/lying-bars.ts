/** Bars from left to right, each row with its name and value: categories whose names have no room under standing bars. */
import { NONE, numberText } from "../format.ts";
import { type Area, type Drawn, ellipsize, type Line, type Mark, round, strokeOf } from "./scene.ts";
import { valueAxis } from "./value-axis.ts";

/** So that a chart fits on a page. */
const MOST_HEIGHT = 560;
const ROW_GAP = 7;

export interface LyingBarsOptions {
	readonly lines: readonly Line[];
	readonly labels: readonly string[];
}

export function drawLyingBars({ lines, labels }: LyingBarsOptions, { canvas, top }: Area): Drawn {
	const { width, fontSize, measure } = canvas;
	const barHeight = fontSize + 3;
	const rowHeight = lines.length * barHeight + ROW_GAP;
	const rows = Math.min(labels.length, Math.max(1, Math.floor(MOST_HEIGHT / rowHeight)));
	const bars = lines.flatMap(({ points }, index) =>
		points
			.filter(({ x }) => x < rows)
			.map(({ x, y }) => ({ place: x, index, y, text: y === null ? NONE : numberText(y) })),
	);
	const names = labels.slice(0, rows).map((label) => ellipsize(label, width * 0.36, measure));
	const left = Math.max(...names.map(measure)) + 10;
	const right = Math.max(left + 40, width - Math.max(...bars.map(({ text }) => measure(text)), 0) - 8);
	const axis = valueAxis(
		bars.flatMap(({ y }) => (y === null ? [] : [y])),
		{ fromZero: true, most: 5 },
	);
	const placeX = (value: number) =>
		left + (value / 2 - axis.low / 2) * ((right - left) / (axis.high / 2 - axis.low / 2));
	const zero = placeX(0);
	const rowTop = (place: number) => top + place * rowHeight;
	const marks: Mark[] = names.map((text, place) => {
		const y = rowTop(place) + (lines.length * barHeight) / 2 + fontSize * 0.34;
		return { kind: "text", x: left - 8, y, text, anchor: "end", ink: "text" };
	});
	for (const { place, index, y, text } of bars) {
		const upper = rowTop(place) + index * barHeight;
		const end = y === null ? zero : placeX(y);
		if (end !== zero) {
			const path = `M${round(zero)},${round(upper + 1)}H${round(end)}v${round(barHeight - 2)}H${round(zero)}Z`;
			marks.push({ kind: "fill", path, ink: strokeOf(index).ink });
		}
		const x = Math.max(zero, end) + 4;
		marks.push({ kind: "text", x, y: upper + barHeight / 2 + fontSize * 0.34, text, anchor: "start", ink: "muted" });
	}
	const bottom = rowTop(rows);
	marks.push({
		kind: "stroke",
		path: `M${round(zero)},${round(top - 2)}V${round(bottom - ROW_GAP + 2)}`,
		ink: "axis",
		width: 0.8,
	});
	const omitted = rows < labels.length ? [`The first ${rows} of ${labels.length} names are drawn.`] : [];
	return { marks, bottom, omitted };
}
