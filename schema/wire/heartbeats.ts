/** Calls that a heartbeat waits for. */
import { z } from "zod";

export const heartbeatQuery = z.strictObject({
	status: z.enum(["ok", "fail"]).default("ok").describe("fail: what it watches ran, and failed."),
	duration_ms: z.coerce.number().min(0).max(1e10).optional().describe("How long it took."),
	error: z.string().max(1_000).optional().describe("What went wrong."),
});
export const heartbeatAnswer = z.object({
	recorded: z.boolean().describe("False while its test is disabled."),
});
