// What was thrown, as a record of `POST /v1/ingest/errors`.
import type { ErrorRecord } from "../schema/wire/ingest.ts";

const MAX_CAUSES = 8;
const MAX_STACK_CHARS = 60_000;

/**
 * The record for a thrown value: the stack of an Error and of its causes, or, of what is not an Error, its text.
 * Never throws, whatever was thrown.
 */
export function errorRecord(thrown: unknown): Pick<ErrorRecord, "error_message" | "error_type" | "stack_trace"> {
	if (!(thrown instanceof Error))
		return { error_message: textOf(thrown) || "unknown error", error_type: typeName(thrown) };
	const type = errorType(thrown);
	return {
		error_message: String(thrown.message) || type,
		error_type: type,
		stack_trace: chain(thrown).map(stackOf).join("\nCaused by: ").slice(0, MAX_STACK_CHARS),
	};
}

/** The error and its causes, the members of an AggregateError among them; a cycle ends it. */
function chain(error: Error): unknown[] {
	const found: unknown[] = [];
	const next: unknown[] = [error];
	while (next.length > 0 && found.length <= MAX_CAUSES) {
		const one = next.shift();
		if (found.includes(one)) continue;
		found.push(one);
		if (one instanceof AggregateError) next.push(...one.errors);
		if (one instanceof Error && one.cause !== undefined) next.push(one.cause);
	}
	return found;
}

function stackOf(thrown: unknown): string {
	if (!(thrown instanceof Error)) return textOf(thrown);
	return thrown.stack || `${errorType(thrown)}: ${thrown.message}`;
}

/** A class that extends Error without setting `name` is still told apart by its own. */
function errorType(error: Error): string {
	return (error.name === "Error" ? error.constructor?.name : error.name) || "Error";
}

function typeName(value: unknown): string {
	return (typeof value === "object" && value?.constructor?.name) || typeof value;
}

function textOf(value: unknown): string {
	if (typeof value !== "object" || value === null) return String(value);
	try {
		return JSON.stringify(value) ?? typeName(value);
	} catch {
		return typeName(value);
	}
}
