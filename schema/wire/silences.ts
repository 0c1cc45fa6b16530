/** Silences: which alerts nobody is told of, and when. */
import { z } from "zod";
import { patternTrouble } from "../label-pattern.ts";
import { clock, timestamp, zone } from "./common.ts";

export const MATCH_OPERATORS = ["=", "!=", "=~", "!~"] as const;
export const WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

/** Names beside those of labels that a matcher may look at. */
export const MATCHED_MEMBERS = ["name", "severity", "alert_id"] as const;

const matcher = z
	.strictObject({
		name: z
			.string()
			.min(1)
			.max(200)
			.describe(`A label of the rule or the instance, or of the rule itself: ${MATCHED_MEMBERS.join(", ")}.`),
		operator: z.enum(MATCH_OPERATORS).default("="),
		value: z
			.string()
			.max(1_000)
			.describe(
				"With =~ and !~ a regular expression for the whole text, as in Alertmanager: RE2 syntax, which has neither look-around nor back-references.",
			),
	})
	.superRefine(({ operator, value }, context) => {
		const trouble = operator.endsWith("~") ? patternTrouble(value) : undefined;
		if (trouble !== undefined) context.addIssue({ code: "custom", message: trouble, path: ["value"] });
	});
export type Matcher = z.infer<typeof matcher>;

const recurrence = z
	.strictObject({
		days: z
			.array(z.enum(WEEKDAYS))
			.min(1)
			.max(7)
			.default([...WEEKDAYS])
			.describe("On which it begins."),
		from: clock,
		to: clock.describe("At or before `from`: on the next day."),
		timezone: zone.default("UTC"),
	})
	.describe("Silent at these hours only, each day in the zone's own time.");
export type Recurrence = z.infer<typeof recurrence>;

const instant = z.iso.datetime({ offset: true });
const fields = {
	kind: z.enum(["silence", "maintenance"]).default("silence"),
	matchers: z.array(matcher).min(1).max(20).describe("All of them have to match."),
	starts_at: instant.optional().describe("Default: now."),
	ends_at: instant.describe("When it expires."),
	recurrence: recurrence.optional(),
	comment: z.string().max(2_000).default(""),
};
export const silenceBody = z
	.strictObject(fields)
	.refine(({ starts_at, ends_at }) => starts_at === undefined || Date.parse(starts_at) < Date.parse(ends_at), {
		message: "ends before it starts",
		path: ["ends_at"],
	});
export type NewSilence = z.input<typeof silenceBody>;

export const storedSilence = z.object({
	...fields,
	starts_at: instant,
	created_by: z.string(),
	/** A deleted one goes on to say what it held back until then. */
	deleted_at: instant.optional(),
});
export type Silence = z.infer<typeof storedSilence>;

export const silenceAnswer = z.object({
	silence_id: z.string(),
	...fields,
	starts_at: timestamp,
	ends_at: timestamp,
	recurrence: recurrence.nullable(),
	state: z.enum(["pending", "active", "expired"]).describe("active: between start and end, also outside its hours."),
	silent_now: z.boolean(),
	created_by: z.string().describe("Id of a key."),
	created_at: timestamp,
});
export type SilenceAnswer = z.infer<typeof silenceAnswer>;

export const silencesQuery = z.strictObject({
	state: z.enum(["pending", "active", "expired"]).optional(),
	kind: z.enum(["silence", "maintenance"]).optional(),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().max(200).optional().describe("`next_cursor` of the page before."),
});
export type SilencesQuery = z.input<typeof silencesQuery>;
export const silencesAnswer = z.object({
	silences: z.array(silenceAnswer).describe("In the order they were created."),
	total: z.number().int(),
	next_cursor: z.string().nullable(),
});
export type SilencesAnswer = z.infer<typeof silencesAnswer>;
