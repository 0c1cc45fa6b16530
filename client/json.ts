/**
 * JSON text of a record that an application made up: cycles become `"[circular]"`, big integers text, and a member whose
 * getter or `toJSON` throws does not take the record with it. Telemetry must not throw into the code that it watches.
 */
export function toJson(record: object): string {
	try {
		return JSON.stringify(record);
	} catch {
		return JSON.stringify(copy(record, []));
	}
}

/** The server refuses a document that is larger, in bytes of JSON, or deeper. */
const DOCUMENT_CHARS = 60_000;
const DEPTH = 30;
const CUT = { depth: 6, members: 50, chars: 500 };

/** A document that the server takes: one that is too large or too deep is cut down, since what it stands with matters more. */
export function fitting(document: object): Record<string, unknown> {
	const whole = copy(document, []);
	const text = safeText(whole);
	if (text !== undefined && text.length <= DOCUMENT_CHARS && !isDeeper(whole, DEPTH))
		return whole as Record<string, unknown>;
	const less = { ...(shorten(document, CUT.depth) as object), truncated: true };
	const cutText = safeText(less);
	return cutText !== undefined && cutText.length <= DOCUMENT_CHARS ? less : { truncated: true };
}

function safeText(value: unknown): string | undefined {
	try {
		return JSON.stringify(value);
	} catch {
		return undefined;
	}
}

function isDeeper(value: unknown, left: number): boolean {
	if (typeof value !== "object" || value === null) return false;
	return left === 0 || Object.values(value).some((one) => isDeeper(one, left - 1));
}

function shorten(value: unknown, left: number): unknown {
	if (typeof value === "bigint") return String(value);
	if (typeof value === "string") return value.slice(0, CUT.chars);
	if (typeof value !== "object" || value === null) return value;
	if (left === 0) return "[deep]";
	try {
		if (Array.isArray(value)) return value.slice(0, CUT.members).map((one) => shorten(one, left - 1));
		const names = Object.keys(value).slice(0, CUT.members);
		return Object.fromEntries(names.map((name) => [name.slice(0, CUT.chars), shortMember(value, name, left - 1)]));
	} catch {
		return "[unreadable]";
	}
}

function shortMember(value: object, name: string, left: number): unknown {
	try {
		return shorten((value as Record<string, unknown>)[name], left);
	} catch {
		return "[unreadable]";
	}
}

function copy(value: unknown, above: object[]): unknown {
	if (typeof value === "bigint") return String(value);
	if (typeof value !== "object" || value === null) return value;
	if (above.includes(value)) return "[circular]";
	try {
		if ("toJSON" in value && typeof value.toJSON === "function") return copy(value.toJSON(), [...above, value]);
		if (Array.isArray(value)) return value.map((member) => copy(member, [...above, value]));
		return Object.fromEntries(Object.keys(value).map((key) => [key, member(value, key, [...above, value])]));
	} catch {
		return "[unreadable]";
	}
}

function member(value: object, key: string, above: object[]): unknown {
	try {
		return copy((value as Record<string, unknown>)[key], above);
	} catch {
		return "[unreadable]";
	}
}
