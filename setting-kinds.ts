// What the rows of the table of settings are made of: kinds of values, with how their text is read.
import { totalmem } from "node:os";
import { z } from "zod";
import { parseBytes, parseDuration } from "./units.ts";

export interface Setting<T> {
	/** Name in the environment. */
	env: string;
	/** Text that is parsed when the variable is unset or empty; undefined leaves the setting undefined. */
	default: string | undefined;
	/** What is accepted, as it ends the sentence "expected …". */
	valid: string;
	about: string;
	schema: z.ZodType<T, string>;
	/** Never print what was given. */
	secret?: boolean;
}

export function setting<T>(row: Setting<T>): Setting<T> {
	return row;
}

export function optional<T>(row: Omit<Setting<T>, "default">): Setting<T | undefined> {
	return { ...row, default: undefined, schema: row.schema as z.ZodType<T | undefined, string> };
}

export function retention() {
	return { valid: "a duration of 1h or more, such as 90d", schema: duration(3_600_000, Number.MAX_SAFE_INTEGER) };
}

export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, string> {
	return z.string().regex(/^\d+$/).transform(Number).pipe(z.number().min(min).max(max));
}

export function bytes(min: number, max: number = Number.MAX_SAFE_INTEGER): z.ZodType<number, string> {
	return within(parseBytes, min, max);
}

export function duration(min: number, max: number): z.ZodType<number, string> {
	return within(parseDuration, min, max);
}

function within(parse: (text: string) => number | undefined, min: number, max: number): z.ZodType<number, string> {
	return z.string().transform((text, issues) => {
		const parsed = parse(text);
		return parsed !== undefined && parsed >= min && parsed <= max ? parsed : invalid(issues);
	});
}

export function url(...protocols: string[]): z.ZodType<string, string> {
	return z.string().refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol));
}

export function invalid(issues: z.RefinementCtx): never {
	issues.addIssue("invalid");
	return z.NEVER;
}

export function splitList(text: string): string[] {
	return text.split(",").map((part) => part.trim());
}

/** Of the container when there is a limit, else of the machine. */
export function machineMemoryBytes(): number {
	const limit = process.constrainedMemory();
	return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
