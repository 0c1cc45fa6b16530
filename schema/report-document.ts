/** A report as data: what was asked, counted and found, once, before anybody chooses whether to read it as JSON, CSV, HTML or PDF. */
import { z } from "zod";
import { isTimezone } from "./timezone.ts";

const instant = z.iso.datetime({ offset: true });
const label = z.string();

const figure = z.strictObject({
	label,
	value: z.union([z.number(), z.string(), z.null()]).describe("Null: no evidence. Shown as a dash, never as 0."),
	unit: z.string().optional().describe("Said behind the value: ms, %, USD, requests."),
	change_percentage: z.number().nullable().optional().describe("Against the period before, percent."),
	note: z.string().optional(),
});

const figures = z.strictObject({ type: z.literal("figures"), items: z.array(figure) });

const series = z.strictObject({
	name: label,
	points: z
		.array(z.tuple([z.string(), z.number().nullable()]))
		.describe("Null breaks the line, or leaves out the bar."),
});

const chart = z
	.strictObject({
		type: z.enum(["line_chart", "bar_chart"]),
		title: z.string(),
		unit: z.string().optional(),
		x: z.enum(["time", "category"]).describe("What the first member of a point is: an RFC 3339 instant, or a name."),
		series: z.array(series),
	})
	.superRefine(({ x, series }, context) => {
		if (x !== "time") return;
		for (const [at, { points }] of series.entries()) {
			for (const [index, [value]] of points.entries()) {
				if (instant.safeParse(value).success) continue;
				const path = ["series", at, "points", index, 0];
				context.addIssue({ code: "custom", path, message: "Not an RFC 3339 instant", input: value });
			}
		}
	});

const column = z.strictObject({
	key: z.string().describe("The member of each row that it shows."),
	label,
	unit: z.string().optional(),
	align: z.enum(["left", "right"]).optional().describe("Default: right where all values are numbers."),
});

const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const table = z.strictObject({
	type: z.literal("table"),
	title: z.string().optional(),
	columns: z.array(column),
	rows: z.array(z.record(z.string(), cell)).describe("A member that is absent is shown as null is."),
});

const insights = z.strictObject({
	type: z.literal("insights"),
	items: z.array(
		z.strictObject({
			text: z.string(),
			evidence: z.array(z.strictObject({ label, value: z.union([z.number(), z.string(), z.null()]) })),
		}),
	),
});

const text = z.strictObject({
	type: z.literal("text"),
	text: z.string().describe("Paragraphs are parted by an empty line."),
});

const block = z.discriminatedUnion("type", [figures, chart, table, insights, text]);

/** Instants are RFC 3339. The same document always renders to the same bytes. */
export const reportDocument = z.strictObject({
	title: z.string(),
	subtitle: z.string().optional(),
	project: z.string(),
	period: z.strictObject({
		start: instant,
		end: instant.describe("Not included."),
		timezone: z
			.string()
			.refine(isTimezone, "Not an IANA zone")
			.describe("IANA zone in which all times of the report are told."),
	}),
	generated_at: instant,
	data_through: instant.nullable().describe("Event time up to which there was data when it was counted."),
	draft: z.boolean().optional().describe("Marked as a draft on every page."),
	sections: z.array(z.strictObject({ heading: z.string(), blocks: z.array(block) })),
	notes: z.array(z.string()).describe("What a reader must know about the numbers; told at the end."),
});

export type ReportDocument = z.infer<typeof reportDocument>;
export type Block = z.infer<typeof block>;
export type BlockOf<T extends Block["type"]> = Extract<Block, { type: T }>;
export type Chart = z.infer<typeof chart>;
export type Cell = z.infer<typeof cell>;
