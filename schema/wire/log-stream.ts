/** `GET /v1/monitoring/logs/stream`: what is asked, and the messages that come. */
import { z } from "zod";
import { list, logEntry } from "./common.ts";
import { streamParameters } from "./live.ts";

/** Lines that a stream may begin with. */
export const MAX_SNAPSHOT = 1_000;

export const logStreamQuery = z.strictObject({
	filters: list("Queries such as level:ERROR, of which a line must match one; a comma within quotes divides nothing.")
		.max(2_000)
		.optional(),
	components: list("Components of which a line must be one.").max(2_000).optional(),
	query: z
		.string()
		.max(2_000)
		.optional()
		.describe("A query that a line must match as well, in the language of /v1/monitoring/logs."),
	level: z.string().max(20).optional().describe("This level only: debug, info, warning, error, critical, or an alias."),
	snapshot: z.coerce
		.number()
		.int()
		.min(0)
		.max(MAX_SNAPSHOT)
		.default(20)
		.describe("How many of the latest matching lines of the last 24 hours come first."),
	...streamParameters,
});
export type LogStreamQuery = z.input<typeof logStreamQuery>;

/** The event `log`. */
export const logMessage = logEntry.extend({
	log_id: z
		.string()
		.describe("The same for a line wherever it comes from: a line that came before has one that came before."),
});
export type LogMessage = z.infer<typeof logMessage>;

/** The data of an event, told apart by its name: `log`, `live` (what follows is new), `gap`. */
export const logStreamEvent = z.union([
	logMessage,
	z.object({ snapshot: z.int().describe("Lines that came before it.") }),
	z.object({
		skipped: z.int().nullable().describe("Lines that were left out; null when it is not known how many."),
		reason: z.string(),
	}),
]);
