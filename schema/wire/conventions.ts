/** The records that Tidemark gives a meaning to, as they are listed. */
import { z } from "zod";
import { METRIC_KINDS } from "./ingest.ts";

const attribute = z.object({
	name: z.string(),
	type: z.enum(["text", "number", "boolean", "object", "list"]),
	required: z.boolean(),
	unit: z.string().nullable(),
	values: z.array(z.string()).nullable().describe("The only values that mean something; null where any does."),
	description: z.string(),
});

const record = z.object({
	signal: z.enum(["metric", "event", "log", "error", "profile"]),
	name: z.string().nullable().describe("Null for log, error and profile, which have no names."),
	description: z.string(),
	kind: z.enum(METRIC_KINDS).nullable().describe("Of a metric; assumed when a record does not say it."),
	unit: z.string().nullable().describe("Of a metric's values, in UCUM."),
	attributes: z.array(attribute).describe("Tags of a metric, properties of an event, members of the others."),
	compatible: z
		.array(z.object({ name: z.string(), accepted: z.boolean(), description: z.string() }))
		.describe("Other names of the record; an accepted one is stored as it comes and read like the record."),
	fills: z
		.array(z.object({ route: z.string(), fields: z.array(z.string()) }))
		.describe("Fields that are made of this record, alone or with others, by route."),
	fills_nothing: z.string().nullable().describe("Why it fills no field."),
});

export const conventionsAnswer = z.object({
	families: z.array(z.object({ family: z.string(), title: z.string(), records: z.array(record) })),
});
export type ConventionsAnswer = z.infer<typeof conventionsAnswer>;
