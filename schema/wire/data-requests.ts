/** Requests about one person's data: to have it erased, or handed out. */
import { z } from "zod";
import { timestamp } from "./common.ts";

export const DATA_REQUEST_TYPES = ["erase", "export"] as const;
export type DataRequestType = (typeof DATA_REQUEST_TYPES)[number];

const count = z.int().nonnegative();
/** What a table had of the person. `rows_left` is null where nothing was to be taken away. */
const tableOf = z.strictObject({
	table: z.string(),
	action: z
		.enum(["delete", "redact", "export"])
		.describe("`redact`: rows of others that named the person stay without what named them."),
	rows_found: count,
	rows_left: count.nullable().describe("Null where nothing was to be taken away."),
});
export type TableCount = z.infer<typeof tableOf>;

export const dataCertificate = z.strictObject({
	request_id: z.string(),
	project: z.string(),
	type: z.enum(DATA_REQUEST_TYPES),
	subject_sha256: z.string(),
	ids: count.describe("How many ids were looked for: the user id and the anonymous ids that belong to it."),
	received_before: timestamp,
	completed_at: timestamp,
	tables: z.array(tableOf),
	export: z
		.strictObject({ rows: count, bytes: count, sha256: z.string() })
		.nullable()
		.describe("Of the lines of an export, as they were then."),
	sha256: z.string(),
	key_id: z.string(),
	signature: z.string(),
});
export type DataCertificate = z.infer<typeof dataCertificate>;

export const dataRequestBody = z
	.strictObject({
		type: z.enum(DATA_REQUEST_TYPES),
		user_id: z
			.string()
			.min(1)
			.max(200)
			.describe("As records name the person. Anonymous ids whose first link is to it are meant too."),
		reason: z.string().max(1_000).optional().describe("Kept no longer than the id."),
		free_text: z
			.boolean()
			.optional()
			.describe(
				"Whether ids are also looked for as words of messages, names and other texts. By default those of six characters and more, since shorter ones are words of other people's records too.",
			),
	})
	.describe("What was received until the request is meant; what the person sends later is kept.");
export type NewDataRequest = z.input<typeof dataRequestBody>;

export const dataRequestsQuery = z.strictObject({
	type: z.enum(DATA_REQUEST_TYPES).optional(),
	limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

export type DataRequestsQuery = z.input<typeof dataRequestsQuery>;

export const dataRequestAnswer = z.strictObject({
	request_id: z.string(),
	type: z.enum(DATA_REQUEST_TYPES),
	status: z.enum(["queued", "running", "completed", "failed", "cancelled"]),
	progress: z.number().describe("0 to 1."),
	requested_by: z.string().describe("Id of the key."),
	requested_at: timestamp,
	received_before: timestamp.describe("Records received before this instant are meant."),
	user_id: z.string().nullable().describe("Null once it is forgotten: when the person is erased, or the export over."),
	reason: z.string().nullable(),
	subject_sha256: z
		.string()
		.describe("Hex SHA-256 of the JSON array [request_id, user_id], which is all that is kept of the id in the end."),
	free_text: z.boolean().nullable(),
	certificate: dataCertificate
		.nullable()
		.describe(
			"Once it is done: rows found and left by table. `sha256` is of the other members before it as canonical JSON, `signature` (Ed25519) of that text. Its SHA-256 stands in the audit log.",
		),
	download: z.string().nullable().describe("Path of an export's lines, while they can be had."),
	expires_at: timestamp.nullable(),
	error: z.string().nullable(),
});
export type DataRequestAnswer = z.infer<typeof dataRequestAnswer>;

export const dataRequestsAnswer = z.strictObject({ data_requests: z.array(dataRequestAnswer), total: z.int() });
export type DataRequestsAnswer = z.infer<typeof dataRequestsAnswer>;
