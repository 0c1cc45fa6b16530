/** What a project sends and keeps, as whoever runs it wants to know. */
import { z } from "zod";
import { count, explanation, meta, timeframes, timestamp, windowParameters } from "./common.ts";

export const ACCOUNT_TIMEFRAMES = ["24h", "7d", "30d"] as const;
export const accountUsageQuery = z.strictObject({ timeframe: timeframes(ACCOUNT_TIMEFRAMES), ...windowParameters });

const bytes = z.number().int().nullable().describe("About how many bytes.");
const bySignal = <S extends z.ZodType>(number: S) =>
	z.object({ metrics: number, events: number, logs: number, errors: number, profiles: number, total: number });
const usage = {
	records: bySignal(count).describe(
		"By the time of the record. Of metrics, points; a cumulative one has its increases.",
	),
	bytes: bySignal(bytes).describe(
		"An estimate: records times what a row of their table takes on disk, over all projects; without rollups and replicas.",
	),
};
export const accountUsageAnswer = z.object({
	timeframe: z.string(),
	totals: z.object(usage),
	active_series: count.describe("Series with a point in the hour before the end."),
	event_names: count.describe("Distinct names of events of the window."),
	users: count.describe("Users that were active in the window."),
	days: z.array(
		z.object({
			timestamp: timestamp.describe("Midnight of the zone."),
			partial: z.literal(true).optional().describe("The window ends or starts inside this day."),
			...usage,
		}),
	),
	meta,
	explain: explanation.optional(),
});
export type AccountUsageQuery = z.input<typeof accountUsageQuery>;
export type AccountUsageAnswer = z.infer<typeof accountUsageAnswer>;
