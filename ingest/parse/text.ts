/** Checks of texts that the hand-written record checks share. */
import { RECORD_LIMITS } from "../../schema/wire/ingest.ts";

/** Whether a text takes at most `max` bytes as UTF-8, counted only when it may not. */
export function fits(text: string, max: number): boolean {
	return text.length * 3 <= max || (text.length <= max && Buffer.byteLength(text) <= max);
}

/** A name: not empty, short, without control characters. */
export function isName(value: unknown): value is string {
	return typeof value === "string" && value !== "" && fits(value, RECORD_LIMITS.nameBytes) && !hasControl(value);
}

export function isId(value: unknown): value is string | undefined {
	return value === undefined || (typeof value === "string" && fits(value, RECORD_LIMITS.idBytes));
}

/** Whether there is a control character (U+0000 to U+001F, U+007F). */
export function hasControl(text: string): boolean {
	for (let i = 0; i < text.length; i++) {
		const code = text.charCodeAt(i);
		if (code < 0x20 || code === 0x7f) return true;
	}
	return false;
}

export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Whether a JSON value is nested at most `left` deep and has finite numbers only: 1e400 is JSON, but would come out as null.
 * Asked before anything walks it by recursion.
 */
export function isStorable(value: unknown, left: number = RECORD_LIMITS.depth): boolean {
	if (typeof value === "number") return Number.isFinite(value);
	if (typeof value !== "object" || value === null) return true;
	if (left === 0) return false;
	for (const member of Array.isArray(value) ? value : Object.values(value)) {
		if (!isStorable(member, left - 1)) return false;
	}
	return true;
}

/** A context or properties object that may be stored: a JSON object that is neither deep nor large. */
export function isDocument(value: unknown): value is Record<string, unknown> {
	return isObject(value) && isStorable(value);
}
