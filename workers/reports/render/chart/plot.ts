/** Lines or standing bars over an axis of time or of categories. */
import { line } from "d3-shape";
import { NONE } from "../format.ts";
import { type Area, type Drawn, ellipsize, type Line, type Mark, round, strokeOf } from "./scene.ts";
import { type Placed, thin } from "./thin.ts";
import { timeTicks } from "./time-axis.ts";
import { type ValueAxis, valueAxis } from "./value-axis.ts";

const PLOT_HEIGHT = 168;
const WIDEST_BAR = 44;
const NARROWEST_DASH = 7;
/** Points nearer than this to each other make the same picture. */
const COLUMN = 0.5;

export interface PlotOptions {
	readonly lines: readonly Line[];
	/** Of categories; none when x is time. */
	readonly labels: readonly string[];
	readonly bars: boolean;
	readonly x: "time" | "category";
}

interface Plot extends PlotOptions, Area {
	readonly values: ValueAxis;
	readonly left: number;
	readonly right: number;
	readonly bottom: number;
	/** First and last x of the axis. */
	readonly from: number;
	readonly to: number;
	/** Width of a bucket or category. */
	readonly slot: number;
	placeX(x: number): number;
	placeY(value: number): number;
}

export function drawPlot(options: PlotOptions, area: Area): Drawn {
	const plot = layOut(options, area);
	const data = options.bars ? standingBars(plot) : lines(plot);
	return {
		marks: [...valueLines(plot), ...data, baseline(plot), ...(options.x === "time" ? times(plot) : categories(plot))],
		bottom: plot.bottom + area.canvas.fontSize + 10,
		omitted: [],
	};
}

function layOut(options: PlotOptions, { canvas, top }: Area): Plot {
	const known = options.lines.flatMap(({ points }) => points.flatMap(({ y }) => (y === null ? [] : [y])));
	const values = valueAxis(known, { fromZero: options.bars, most: 5 });
	const left = Math.max(...values.ticks.map(({ text }) => canvas.measure(text))) + 8;
	const right = canvas.width - 4;
	const [plotTop, bottom] = [top + canvas.fontSize * 0.5, top + canvas.fontSize * 0.5 + PLOT_HEIGHT];
	const { from, to, step } = extent(options);
	const scale = (right - left) / (to - from);
	return {
		...{ ...options, canvas, top: plotTop, values, left, right, bottom, from, to, slot: step * scale },
		placeX: (x) => left + (x - from) * scale,
		placeY: (value) => bottom - (value / 2 - values.low / 2) * (PLOT_HEIGHT / (values.high / 2 - values.low / 2)),
	};
}

/** Categories stand in the middle of their slots, points of a line at their instants, bars begin at theirs. */
function extent({ lines, labels, bars, x }: PlotOptions): { from: number; to: number; step: number } {
	if (x === "category") return { from: -0.5, to: labels.length - 0.5, step: 1 };
	const instants = [...new Set(lines.flatMap(({ points }) => points.map((point) => point.x)))].sort((a, b) => a - b);
	const [from, last] = [instants[0]!, instants.at(-1)!];
	if (from === last) return { from: bars ? from : from - 1, to: from + 1, step: 1 };
	let step = last - from;
	for (let at = 1; at < instants.length; at++) step = Math.min(step, instants[at]! - instants[at - 1]!);
	return { from, to: bars ? last + step : last, step };
}

function lines(plot: Plot): Mark[] {
	const path = line<Placed>()
		.defined(([, y]) => y !== null)
		.x(([x]) => x)
		.y(([, y]) => y!)
		.digits(2);
	return plot.lines.flatMap(({ points }, index): Mark[] => {
		const placed = thin(
			points.map(({ x, y }): Placed => [plot.placeX(x), y === null ? null : plot.placeY(y)]),
			COLUMN,
		);
		const alone = placed.filter(
			([, y], at) => y !== null && (placed[at - 1]?.[1] ?? null) === null && (placed[at + 1]?.[1] ?? null) === null,
		);
		const stroke = strokeOf(index);
		const dots = alone.map(([x, y]) => `M${round(x - 2)},${round(y!)}a2,2 0 1,0 4,0a2,2 0 1,0 -4,0Z`).join("");
		const connected = placed.filter(([, y]) => y !== null).length > alone.length;
		const drawn = connected ? path(placed) : null;
		return [
			...(drawn === null ? [] : [{ kind: "stroke" as const, path: drawn, ...stroke, width: 1.5 }]),
			...(dots === "" ? [] : [{ kind: "fill" as const, path: dots, ink: stroke.ink }]),
		];
	});
}

function standingBars(plot: Plot): Mark[] {
	const count = plot.lines.length;
	// Below two points a gap between bars would be all that is seen.
	const group = plot.slot < 2 ? plot.slot : plot.slot * 0.8;
	const width = Math.max(0.4, Math.min(WIDEST_BAR, group / count));
	const zero = plot.placeY(0);
	return plot.lines.flatMap(({ points }, index): Mark[] => {
		const placed = points.map(({ x, y }): Placed => {
			const middle = plot.placeX(x) + (plot.x === "time" ? plot.slot / 2 : 0);
			return [middle + (index - count / 2) * width, y === null ? null : plot.placeY(y)];
		});
		const path = thin(placed, COLUMN)
			.filter(([, y]) => y !== null && y !== zero)
			.map(([x, y]) => `M${round(x)},${round(zero)}h${round(width)}V${round(y!)}h${round(-width)}Z`)
			.join("");
		const marks: Mark[] = path === "" ? [] : [{ kind: "fill", path, ink: strokeOf(index).ink }];
		if (width < NARROWEST_DASH) return marks;
		// A bar of 0 is not seen, and a bar that is not known should not look like it.
		for (const [x, y] of placed) {
			if (y === null)
				marks.push({ kind: "text", x: x + width / 2, y: zero - 3, text: NONE, anchor: "middle", ink: "muted" });
		}
		return marks;
	});
}

function valueLines({ values, left, right, canvas, placeY }: Plot): Mark[] {
	return values.ticks.flatMap(({ value, text }): Mark[] => {
		const y = round(placeY(value));
		return [
			{ kind: "stroke", path: `M${round(left)},${y}H${round(right)}`, ink: "grid", width: 0.5 },
			{ kind: "text", x: left - 6, y: y + canvas.fontSize * 0.34, text, anchor: "end", ink: "muted" },
		];
	});
}

/** At 0 where that is on the axis, else at its foot. */
function baseline({ values, left, right, bottom, placeY }: Plot): Mark {
	const y = round(values.low <= 0 && values.high >= 0 ? placeY(0) : bottom);
	return { kind: "stroke", path: `M${round(left)},${y}H${round(right)}`, ink: "axis", width: 0.8 };
}

function times({ from, to, left, right, bottom, canvas, placeX }: Plot): Mark[] {
	const { measure, fontSize, timezone } = canvas;
	const most = Math.max(2, Math.floor((right - left) / (measure("00 Mmm") + 18)));
	const marks: Mark[] = [];
	let free = 0;
	for (const { at, text } of timeTicks(from, to, timezone, most)) {
		const half = measure(text) / 2;
		const x = placeX(at);
		marks.push({ kind: "stroke", path: `M${round(x)},${round(bottom)}v3`, ink: "axis", width: 0.5 });
		const middle = Math.min(Math.max(x, half), canvas.width - half);
		if (middle - half < free) continue;
		free = middle + half + 6;
		marks.push({ kind: "text", x: middle, y: bottom + fontSize + 4, text, anchor: "middle", ink: "muted" });
	}
	return marks;
}

function categories({ labels, slot, bottom, canvas, placeX }: Plot): Mark[] {
	const every = Math.ceil(40 / slot);
	return labels.flatMap((label, place): Mark[] => {
		if (place % every !== 0) return [];
		const text = ellipsize(label, every * slot - 6, canvas.measure);
		const half = canvas.measure(text) / 2;
		const x = Math.min(Math.max(placeX(place), half), canvas.width - half);
		return [{ kind: "text", x, y: bottom + canvas.fontSize + 4, text, anchor: "middle", ink: "muted" }];
	});
}
