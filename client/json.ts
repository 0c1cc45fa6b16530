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
