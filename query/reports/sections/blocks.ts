/** What sections are made of: figures, tables and charts out of members of answers. Pure. */
import type { BlockOf } from "../../../schema/report-document.ts";
import type { Meta } from "../../../schema/wire/index.ts";
import type { Asking } from "../../route.ts";
import type { Section } from "../custom-document.ts";

/** The window of a report as the parameters of routes. */
export interface WindowParameters {
	readonly start: string;
	readonly end: string;
	readonly as_of: string;
	readonly timezone: string;
}

export interface Telling {
	readonly asking: Asking;
	readonly window: WindowParameters;
	/** Of the same length before. */
	readonly before: WindowParameters;
	readonly beforeName: string;
	/** Of charts. */
	readonly granularity: "5m" | "1h" | "1d";
}

/** A section with where its numbers come from. */
export interface Told {
	readonly section: Section;
	readonly meta: Meta;
}

export type Tell = (telling: Telling) => Promise<Told | Told[]>;
type Figures = BlockOf<"figures">["items"];
type Cell = string | number | boolean | null;

export const figure = (label: string, value: number | string | null | undefined, unit?: string): Figures[number] => ({
	...{ label, value: value ?? null },
	...(unit === undefined ? {} : { unit }),
});
export const figures = (...items: Figures): BlockOf<"figures"> => ({ type: "figures", items });

export function table<R extends object>(
	title: string,
	rows: readonly R[],
	columns: readonly (readonly [label: string, of: (row: R) => unknown, unit?: string])[],
): BlockOf<"table">[] {
	if (rows.length === 0) return [];
	return [
		{
			...{ type: "table", title },
			columns: columns.map(([label, , unit], i) => ({ key: `c${i}`, label, ...(unit === undefined ? {} : { unit }) })),
			rows: rows.map((row) => Object.fromEntries(columns.map(([, of], i) => [`c${i}`, (of(row) ?? null) as Cell]))),
		},
	];
}

export type Chart = BlockOf<"line_chart" | "bar_chart">;

/** Of members of buckets; those without any value are left out, and a chart without any is none. */
export function chart(
	form: Pick<Chart, "type" | "title"> & { readonly unit?: string },
	points: readonly { readonly timestamp: string; readonly [member: string]: unknown }[],
	members: Readonly<Record<string, string>>,
): Chart[] {
	const series = Object.entries(members).map(([member, name]) => ({
		name,
		points: points.map((point): [string, number | null] => [
			point.timestamp,
			(point[member] as number | null | undefined) ?? null,
		]),
	}));
	const known = series.filter(({ points }) => points.some(([, value]) => value !== null));
	return known.length === 0 ? [] : [{ ...form, x: "time", series: known }];
}
