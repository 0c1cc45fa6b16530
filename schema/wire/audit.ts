/** The audit log as it is read. */
import { z } from "zod";
import { timestamp, windowParameters } from "./common.ts";

const { start, end } = windowParameters;

export const auditLogQuery = z.strictObject({
	start: start.describe("Not before this instant. RFC 3339, or epoch in s, ms, µs or ns."),
	end: end.describe("Before this instant. RFC 3339, or epoch in s, ms, µs or ns."),
	actor: z.string().optional().describe("Id of the key, `operator` for the command line, `system`, `link`."),
	action: z
		.string()
		.regex(/^[\w.]+\*?$/)
		.optional()
		.describe("Such as alert.create; with * at its end all that begin so: key.*"),
	target: z.string().optional().describe("Id of what it was done to."),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
	cursor: z.string().optional(),
});
export type AuditLogQuery = z.input<typeof auditLogQuery>;

export const auditEntry = z.object({
	seq: z.number().int().describe("Place in the chain of the project, from 1, without a gap."),
	timestamp,
	actor: z.string(),
	action: z.string(),
	target: z.string(),
	detail: z.record(z.string(), z.unknown()),
	request_id: z.string().nullable(),
	previous_hash: z.string(),
	hash: z
		.string()
		.describe(
			"SHA-256, hex, of the JSON list [project, seq, milliseconds since the epoch, actor, action, target, detail as text, request_id, previous_hash].",
		),
});

/** What the last walk over the whole chain found. */
export const auditVerification = z.object({
	verified_at: timestamp,
	rows: z.number().int(),
	last_seq: z.number().int(),
	last_hash: z.string(),
	broken_at: z.number().int().nullable().describe("The first place at which the chain does not hold."),
	reason: z.string().nullable(),
});

export const auditLogAnswer = z.object({
	entries: z.array(auditEntry).describe("Newest first."),
	verification: auditVerification.nullable().describe("Of the last walk over the whole chain; null before the first."),
	next_cursor: z.string().nullable(),
});
export type AuditLogAnswer = z.infer<typeof auditLogAnswer>;
