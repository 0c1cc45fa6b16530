/** Draws a chart of a report. Pure: the same chart on the same canvas is the same scene. */
import type { Chart } from "../../../../schema/report-document.ts";
import { lineText } from "../format.ts";
import { drawLyingBars } from "./lying-bars.ts";
import { drawPlot } from "./plot.ts";
import { type Area, type Canvas, type Drawn, ellipsize, type Line, type Mark, type Scene, strokeOf } from "./scene.ts";
import { onAxis } from "./value-axis.ts";

/** More than this nobody can tell apart. */
const MOST_SERIES = 12;
const EMPTY_HEIGHT = 48;

export function drawChart(chart: Chart, canvas: Canvas): Scene {
	const { width, fontSize } = canvas;
	const shown = chart.series.slice(0, MOST_SERIES);
	const categories = chart.x === "category" ? namesOf(shown) : [];
	const places = new Map(categories.map((name, place) => [name, place]));
	const lines = shown.map(({ name, points }): Line => {
		const placed = points.map(([x, y]) => ({
			x: chart.x === "time" ? Date.parse(x) : places.get(x)!,
			y: y === null ? null : onAxis(y),
		}));
		// Categories have the order of the first series that names them.
		return { name: lineText(name), points: placed.sort((a, b) => a.x - b.x) };
	});
	if (!lines.some(({ points }) => points.some(({ y }) => y !== null))) {
		const empty: Mark = { kind: "text", x: width / 2, y: 28, text: "No data", anchor: "middle", ink: "muted" };
		return { width, height: EMPTY_HEIGHT, fontSize, marks: [empty], omitted: [] };
	}
	const legend = drawLegend(lines, canvas);
	const area: Area = { canvas, top: legend.bottom };
	const labels = categories.map(lineText);
	const lying = chart.type === "bar_chart" && chart.x === "category" && !haveRoom(labels, canvas);
	const body = lying
		? drawLyingBars({ lines, labels }, area)
		: drawPlot({ lines, labels, bars: chart.type === "bar_chart", x: chart.x }, area);
	const omitted = [...body.omitted];
	if (shown.length < chart.series.length) omitted.push(`${shown.length} of ${chart.series.length} series are drawn.`);
	return { width, height: body.bottom, fontSize, marks: [...legend.marks, ...body.marks], omitted };
}

function namesOf(series: Chart["series"]): string[] {
	return [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))];
}

/** Whether each label has room under its bars. */
function haveRoom(labels: readonly string[], { width, measure }: Canvas): boolean {
	const room = (width - 50) / labels.length - 6;
	return labels.every((label) => measure(label) <= room);
}

/** Names beside their colours, in as many rows as it takes. One series needs none: the title names it. */
function drawLegend(lines: readonly Line[], { width, fontSize, measure }: Canvas): Drawn {
	if (lines.length < 2) return { marks: [], bottom: 4, omitted: [] };
	const marks: Mark[] = [];
	const rowHeight = fontSize + 6;
	let [x, row] = [0, 0];
	for (const [index, { name }] of lines.entries()) {
		const text = ellipsize(name, Math.min(180, width - 20), measure);
		const length = 18 + measure(text);
		if (x > 0 && x + length > width) [x, row] = [0, row + 1];
		const y = row * rowHeight + fontSize;
		const path = `M${x},${y - fontSize * 0.35}h13`;
		marks.push({ kind: "stroke", path, ...strokeOf(index), width: 3 });
		marks.push({ kind: "text", x: x + 18, y, text, anchor: "start", ink: "muted" });
		x += length + 16;
	}
	return { marks, bottom: (row + 1) * rowHeight + 6, omitted: [] };
}
