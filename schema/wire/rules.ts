import { z } from "zod";

/** The tables out of which labels come. */
export const rulesAnswer = z.object({
	version: z.number().int().describe("Rises with every change of a threshold or a text."),
	rules: z
		.record(z.string(), z.unknown())
		.describe("Tables by what they decide; shares are ratios from 0 to 1 unless the name says percentage."),
});
