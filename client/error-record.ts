// What was thrown, as a record of `POST /v1/ingest/errors`. Never throws, whatever was thrown.
import type { ErrorRecord } from "../schema/wire/ingest.ts";
import { fitting } from "./json.ts";

const MAX_CAUSES = 8;
/** Of the whole chain, shared fairly: the root cause comes last, and is what one looks for. */
const MAX_STACK_CHARS = 60_000;
const MAX_MESSAGE_CHARS = 16_000;
/** The server refuses longer names. */
const MAX_TYPE_BYTES = 200;

/** What an error says of itself, read once and in safety: a getter may throw, a proxy may lie. */
interface Told {
	readonly type: string;
	readonly message: string;
	/** Empty when it has none. */
	readonly stack: string;
	/** What it was caused by, and the members of an aggregate. */
	readonly causes: readonly unknown[];
}

/** The record for a thrown value: the stack of an Error and of its causes, or, of what is not an Error, its text. */
export function errorRecord(thrown: unknown): Pick<ErrorRecord, "error_message" | "error_type" | "stack_trace"> {
	const error = tell(unwrapped(thrown));
	const record = { error_message: cut(error.message || error.type, MAX_MESSAGE_CHARS), error_type: error.type };
	if (error.stack === "" && error.causes.length === 0) return record;
	const chain = chainOf(unwrapped(thrown), error);
	const each = Math.floor(MAX_STACK_CHARS / chain.length);
	return { ...record, stack_trace: chain.map((one) => cut(stackOf(one), each)).join("\nCaused by: ") };
}

/** The context of a report with whom it met and where it belongs, cut down where the server would refuse it. */
export function errorContext(
	context: unknown,
	ids: { user_id?: string | undefined; trace_id?: string | undefined },
): Record<string, unknown> | undefined {
	const named = Object.entries(ids).filter(([, id]) => id !== undefined);
	const none = context === undefined || context === null;
	if (none && named.length === 0) return undefined;
	const members = none ? {} : typeof context === "object" ? context : { value: context };
	// However much of it is cut.
	const own = ["user_id", "trace_id"].flatMap((name) => {
		const id = member(members, name);
		return typeof id === "string" || typeof id === "number" ? [[name, id] as const] : [];
	});
	const known = Object.fromEntries([...own, ...named]);
	return { ...fitting(members), ...known };
}

/** The error, then its causes in the order of a walk through them; a cycle ends it. */
function chainOf(thrown: unknown, first: Told): Told[] {
	const seen = new Set([thrown]);
	const chain = [first];
	const next = [...first.causes];
	while (next.length > 0 && chain.length <= MAX_CAUSES) {
		const one = next.shift();
		if (seen.has(one)) continue;
		seen.add(one);
		const told = tell(one);
		chain.push(told);
		next.unshift(...told.causes);
	}
	return chain;
}

/** What a browser's events of uncaught errors and rejections carry. */
function unwrapped(thrown: unknown): unknown {
	const tag = tagOf(thrown);
	if (tag === "[object ErrorEvent]") return member(thrown, "error") ?? thrown;
	return tag === "[object PromiseRejectionEvent]" ? (member(thrown, "reason") ?? thrown) : thrown;
}

function tell(thrown: unknown): Told {
	if (!isError(thrown))
		return { type: typeName(thrown), message: textOf(thrown) || "unknown error", stack: "", causes: [] };
	const cause = member(thrown, "cause");
	const errors = member(thrown, "errors");
	return {
		type: errorType(thrown),
		message: asText(member(thrown, "message")),
		stack: asText(member(thrown, "stack")),
		causes: [...(cause === undefined || cause === null ? [] : [cause]), ...listOf(errors)],
	};
}

/** Also one of another window, frame or `vm`, which is no instance of this realm's Error, and what only looks like one. */
function isError(value: unknown): value is object {
	if (typeof value !== "object" || value === null) return false;
	if (/^\[object (?:Error|DOMException)\]$/.test(tagOf(value))) return true;
	return isInstance(value) || typeof member(value, "message") === "string";
}

function isInstance(value: object): boolean {
	try {
		return value instanceof Error;
	} catch {
		return false;
	}
}

/** With the type and the message at its head, as V8 has it: others leave it out, and classes that set no name are all "Error". */
function stackOf({ type, message, stack }: Told): string {
	const header = message === "" ? type : `${type}: ${cut(message, 1_000)}`;
	// V8 puts the message behind the name; elsewhere it may stand anywhere, as the name of a function.
	const at = message === "" ? -1 : stack.indexOf(`: ${message}`);
	const behind = at > 0 && at <= MAX_TYPE_BYTES ? stack.slice(at + 2 + message.length) : undefined;
	const calls = behind ?? (/^(?:\w*Error|\w*Exception)[^\n@]*(?:\n|$)/.exec(stack) ? afterLine(stack) : `\n${stack}`);
	return calls.trim() === "" ? header : `${header}${calls}`;
}

function afterLine(text: string): string {
	const end = text.indexOf("\n");
	return end === -1 ? "" : text.slice(end);
}

/** A class that extends Error without setting `name` is still told apart by its own. */
function errorType(error: object): string {
	const name = asText(member(error, "name"));
	return typeText(name === "" || name === "Error" ? constructorName(error) || name : name) || "Error";
}

function typeName(value: unknown): string {
	return (typeof value === "object" && value !== null && typeText(constructorName(value))) || typeof value;
}

function constructorName(value: object): string {
	const made = member(value, "constructor");
	return typeof made === "function" ? asText(member(made, "name")) : "";
}

/** What the server takes as a name. */
function typeText(text: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
	const plain = text.replace(/[\u0000-\u001f\u007f]+/g, " ").trim();
	let end = Math.min(plain.length, MAX_TYPE_BYTES);
	while (new TextEncoder().encode(plain.slice(0, end)).length > MAX_TYPE_BYTES) end--;
	return plain.slice(0, end);
}

function member(value: unknown, name: string): unknown {
	try {
		return (value as Record<string, unknown>)[name];
	} catch {
		return undefined;
	}
}

function listOf(value: unknown): readonly unknown[] {
	try {
		return Array.isArray(value) ? [...value] : [];
	} catch {
		return [];
	}
}

function tagOf(value: unknown): string {
	try {
		return Object.prototype.toString.call(value);
	} catch {
		return "";
	}
}

function asText(value: unknown): string {
	try {
		return value === undefined || value === null ? "" : String(value);
	} catch {
		return "";
	}
}

function textOf(value: unknown): string {
	if (typeof value !== "object" || value === null) return asText(value);
	try {
		return JSON.stringify(value) ?? typeName(value);
	} catch {
		return typeName(value);
	}
}

/** Not through the middle of a pair of surrogates. */
function cut(text: string, characters: number): string {
	if (text.length <= characters) return text;
	return `${text.slice(0, characters - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}
