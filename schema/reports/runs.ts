/** Runs of reports and their deliveries, as jobs: their ids, what they are asked, and what comes of them. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { meta, REPORT_FORMATS } from "../wire/index.ts";

export const RUN_KIND = "report";
export const DELIVERY_KIND = "report_delivery";

/** What a run is asked; milliseconds since the epoch. */
export const runInput = z.object({
	report_id: z.string(),
	trigger: z.enum(["schedule", "demand"]),
	/** The instant of the schedule; null on demand. */
	scheduled_for: z.number().nullable(),
	as_of: z.number(),
	/** Earlier instants of the schedule that this run stands for: nobody was there to run them. */
	missed: z.number().int().default(0),
});
export type RunInput = z.infer<typeof runInput>;

const storedFile = z.object({ name: z.enum(["data", ...REPORT_FORMATS]), bytes: z.number(), sha256: z.string() });

/** What came of a run. */
export const runState = z.object({
	/** Why there is nothing. */
	skipped: z.string().optional(),
	/** Which attempt made the files. */
	attempt: z.number().int().default(0),
	files: z.array(storedFile).default([]),
	data_through: z.string().nullable().default(null),
	generated_at: z.string().nullable().default(null),
	/** Until when the files are there, milliseconds since the epoch. */
	kept_until: z.number().default(0),
});
export type RunState = z.infer<typeof runState>;

/** What stands in the file `data`: the numbers, once, whatever they are then shown as. */
export const runData = z.object({
	/** Of a custom report: the answer's `data`; it was checked when it was made. */
	data: z.unknown(),
	meta: meta.nullable(),
	document: z.unknown(),
});

/** One delivery: to one address, or to a webhook. */
export const deliveryInput = z.object({
	report_id: z.string(),
	run_id: z.string(),
	type: z.enum(["email", "webhook"]),
	/** An address of mail, or a sealed address of a webhook. */
	to: z.string(),
});
export type DeliveryInput = z.infer<typeof deliveryInput>;

const digest = (parts: readonly unknown[]) =>
	createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 24);

/** The same instant of the same report is the same run, whoever finds it due, and however often. */
export function scheduledRunId(project: string, report_id: string, instant: number): string {
	return `run_${digest([project, report_id, instant])}`;
}

export function deliveryId(run_id: string, type: DeliveryInput["type"], to: string): string {
	return `delivery_${digest([run_id, type, to])}`;
}
