/** How long a project keeps its records. */
import { z } from "zod";

const shorter = (what: string) =>
	z
		.int()
		.min(1)
		.nullable()
		.default(null)
		.describe(`Days that ${what} are kept; null: as long as the server keeps them, which is also the most.`);

export const retentionBody = z
	.strictObject({
		metrics_days: shorter("raw points of metrics"),
		rollups_days: shorter("values of metrics by minute, hour and day"),
		logs_days: shorter("logs, errors and profiles"),
		events_days: shorter("events, and what is counted of them"),
	})
	.describe("Replaces what was set. What is older is not read any more from now on, and deleted once a day.");
export type NewRetention = z.input<typeof retentionBody>;

const kept = z.strictObject({
	metrics_days: z.int(),
	rollups_days: z.int(),
	logs_days: z.int(),
	events_days: z.int(),
});

export const retentionAnswer = z.strictObject({
	own: z.strictObject({
		metrics_days: z.int().nullable(),
		rollups_days: z.int().nullable(),
		logs_days: z.int().nullable(),
		events_days: z.int().nullable(),
	}),
	server: kept.describe("What the settings of the server say; no project can have more."),
	effective: kept,
	enforced: z
		.strictObject({
			at: z.iso.datetime(),
			rows: z.int().describe("Deleted then."),
			tables: z.array(z.strictObject({ table: z.string(), before: z.iso.datetime(), rows: z.int() })),
		})
		.nullable()
		.describe("The newest run of the daily job; null before the first."),
});
export type RetentionAnswer = z.infer<typeof retentionAnswer>;
