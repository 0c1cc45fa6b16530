import fc from "fast-check";
import { Temporal } from "temporal-polyfill";
import { expect, test } from "vitest";
import type { Chart } from "../../../../schema/report-document.ts";
import { drawChart } from "./draw.ts";
import type { Canvas, Mark } from "./scene.ts";
import { type Placed, thin } from "./thin.ts";
import { timeTicks } from "./time-axis.ts";
import { valueAxis } from "./value-axis.ts";

const at = (local: string, zone: string) => Temporal.ZonedDateTime.from(`${local}[${zone}]`).epochMilliseconds;
const texts = (start: string, end: string, zone: string, most = 8) =>
	timeTicks(at(start, zone), at(end, zone), zone, most).map(({ text }) => text);

test.each([
	["UTC", "2026-03-28", "2026-03-31", ["28 Mar", "12:00", "29 Mar", "12:00", "30 Mar", "12:00", "31 Mar"]],
	// The clock is put forward on the 29th, and back on 25 October: ticks stand at the same hours of the day.
	["Europe/Berlin", "2026-03-28", "2026-03-31", ["28 Mar", "12:00", "29 Mar", "12:00", "30 Mar", "12:00", "31 Mar"]],
	["Europe/Berlin", "2026-10-25", "2026-10-26", ["25 Oct", "06:00", "12:00", "18:00", "26 Oct"]],
	// Half an hour, and a zone of a quarter hour.
	[
		"Australia/Lord_Howe",
		"2026-10-04",
		"2026-10-05",
		["4 Oct", "03:00", "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "5 Oct"],
	],
	[
		"Asia/Kathmandu",
		"2026-05-01T09:10",
		"2026-05-01T10:10",
		["09:10", "09:20", "09:30", "09:40", "09:50", "10:00", "10:10"],
	],
	["America/New_York", "2025-11-15", "2026-03-15", ["Dec 2025", "Jan 2026", "Feb", "Mar"]],
	["UTC", "1990-01-01", "2026-01-01", ["1990", "1995", "2000", "2005", "2010", "2015", "2020", "2025"]],
])("ticks in %s from %s to %s stand at round times of its clock", (zone, start, end, expected) => {
	expect(texts(start, end, zone)).toEqual(expected);
});

test("in the hour that a clock skips there is no tick twice, and ticks are in order and in range", () => {
	const zones = ["UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"];
	const instant = fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2027, 0) });
	fc.assert(
		fc.property(
			instant,
			fc.integer({ min: 0, max: 4e10 }),
			fc.constantFrom(...zones),
			fc.integer({ min: 2, max: 20 }),
			(start, length, zone, most) => {
				const ticks = timeTicks(start, start + length, zone, most).map((tick) => tick.at);
				expect(ticks).toEqual([...new Set(ticks)].sort((a, b) => a - b));
				for (const tick of ticks) expect(tick >= start && tick <= start + length).toBe(true);
				expect(ticks.length).toBeLessThanOrEqual(most * 1.4 + 2);
			},
		),
		{ seed: 6, numRuns: 300 },
	);
});

test("the axis of values holds all of them, with ticks that are told apart", () => {
	const value = fc.oneof(
		fc.double({ noNaN: true, noDefaultInfinity: true }),
		fc.double({ min: -1000, max: 1000, noNaN: true }),
		fc.integer(),
	);
	fc.assert(
		fc.property(fc.array(value, { maxLength: 20 }), fc.boolean(), (values, fromZero) => {
			const axis = valueAxis(values, { fromZero, most: 5 });
			expect(axis.low).toBeLessThan(axis.high);
			for (const one of values.filter((given) => Math.abs(given) < 1e300)) {
				if (Math.abs(one) >= 1e-300) expect(one >= axis.low && one <= axis.high).toBe(true);
			}
			if (fromZero) expect(axis.low <= 0 && axis.high >= 0).toBe(true);
			expect(new Set(axis.ticks.map(({ text }) => text)).size).toBe(axis.ticks.length);
			expect(axis.ticks.length).toBeLessThan(14);
		}),
		{ seed: 6, numRuns: 500 },
	);
});

test("thinning keeps what is seen of a column: its lowest, its highest, and that there was a gap", () => {
	const points = fc
		.array(
			fc.tuple(fc.double({ min: 0, max: 20, noNaN: true }), fc.option(fc.integer({ min: -50, max: 50 }), { freq: 8 })),
			{ maxLength: 400 },
		)
		.map((given): Placed[] => given.sort((a, b) => a[0] - b[0]));
	const seen = (given: readonly Placed[]) => {
		const columns = new Map<number, { ys: number[]; gap: boolean }>();
		for (const [x, y] of given) {
			const column = columns.get(Math.floor(x)) ?? { ys: [], gap: false };
			columns.set(Math.floor(x), column);
			if (y === null) column.gap = true;
			else column.ys.push(y);
		}
		return [...columns].map(([column, { ys, gap }]) => [column, Math.min(...ys), Math.max(...ys), gap]);
	};
	fc.assert(
		fc.property(points, (given) => {
			const kept = thin(given, 1);
			expect(seen(kept)).toEqual(seen(given));
			expect(kept.length).toBeLessThanOrEqual(20 * 5 + 5);
			expect(kept.map(([x]) => x)).toEqual(kept.map(([x]) => x).sort((a, b) => a - b));
		}),
		{ seed: 6, numRuns: 200 },
	);
});

const canvas: Canvas = { width: 500, fontSize: 8, timezone: "UTC", measure: (text) => text.length * 4 };
const hour = (at: number) => new Date(Date.UTC(2026, 0, 1, at)).toISOString();
const lines = (series: Chart["series"]): Chart => ({ type: "line_chart", title: "t", x: "time", series });
const labels = (marks: readonly Mark[]) => marks.flatMap((mark) => (mark.kind === "text" ? [mark.text] : []));

test("a point between two gaps is a dot, and a line without a point says so", () => {
	const alone = drawChart(
		lines([
			{
				name: "a",
				points: [
					[hour(0), null],
					[hour(1), 3],
					[hour(2), null],
				],
			},
		]),
		canvas,
	);
	expect(alone.marks.filter(({ kind, ink }) => kind === "fill" && ink === "series-0")).toHaveLength(1);
	expect(alone.marks.filter(({ kind, ink }) => kind === "stroke" && ink === "series-0")).toHaveLength(0);
	expect(labels(drawChart(lines([{ name: "a", points: [[hour(0), null]] }]), canvas).marks)).toEqual(["No data"]);
	expect(labels(drawChart(lines([]), canvas).marks)).toEqual(["No data"]);
});

test("thousands of hours of twelve series are some lines, and more series than can be told apart are said to be missing", () => {
	const series = Array.from({ length: 20 }, (_, index) => ({
		name: `series ${index}`,
		points: Array.from({ length: 4_000 }, (_, at): [string, number] => [hour(at), (at * (index + 1)) % 97]),
	}));
	const scene = drawChart(lines(series), canvas);
	expect(scene.omitted).toEqual(["12 of 20 series are drawn."]);
	expect(JSON.stringify(scene.marks).length).toBeLessThan(900_000);
});

test("names that have no room under bars stand beside them, with their values", () => {
	const names = ["Northern and eastern warehouses", "Southern warehouses", "All of the others together"];
	const points = names.map((name, index): [string, number | null] => [name, index === 1 ? null : index * 10]);
	const chart: Chart = { type: "bar_chart", title: "t", x: "category", series: [{ name: "a", points }] };
	expect(labels(drawChart(chart, { ...canvas, width: 300 }).marks)).toEqual([
		...["Northern and eastern wareh…", names[1]!, "All of the others together"],
		...["0", "–", "20"],
	]);
	expect(labels(drawChart(chart, { ...canvas, width: 500 }).marks)).toEqual(expect.arrayContaining(names));
	const many = Array.from({ length: 400 }, (_, at): [string, number] => [`customer number ${at}`, at]);
	const scene = drawChart({ ...chart, series: [{ name: "a", points: many }] }, canvas);
	expect(scene.height).toBeLessThan(620);
	expect(scene.omitted[0]).toMatch(/^The first \d+ of 400 names are drawn\.$/);
});
