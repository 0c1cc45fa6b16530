import { createHash } from "node:crypto";

/** JSON with the members of every object in the order of their names, so that one value has one text (as RFC 8785 has it). */
export function canonicalJson(value: unknown): string {
	return JSON.stringify(value, (_, member: unknown) =>
		typeof member === "object" && member !== null && !Array.isArray(member)
			? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
			: member,
	);
}

/** Of the bytes of a text, or of a value's canonical JSON; hex. */
export function sha256(value: unknown): string {
	const data = typeof value === "string" || value instanceof Uint8Array ? value : canonicalJson(value);
	return createHash("sha256").update(data).digest("hex");
}
