import { eventRecord, HALF_PAIR, RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import type { EventRow } from "../batch.ts";
import { explain, Problem } from "./problem.ts";
import { fits, isDocument, isId, isName, isObject } from "./text.ts";
import { parseTimestamp, type TimeBounds } from "./time.ts";

export const IDS = ["user_id", "session_id", "account_id", "event_id"] as const;
/** Families whose `session_id` property is a training or check session, not a visit of a user. */
export const RESERVED = /^(fl|subscription|check|node)\./;

/** Checks one event record. Ids are also read from the properties; see {@link flatten} for what becomes of those. */
export function parseEvent(record: unknown, bounds: TimeBounds): EventRow | Problem {
	if (!isObject(record)) return new Problem("", "must be an object");
	const { event } = record;
	const properties = record.properties ?? {};
	if (!isName(event) || !isDocument(properties) || record.properties === null || !IDS.every((id) => isId(record[id]))) {
		return explain(eventRecord, record);
	}
	const ts = parseTimestamp(record.timestamp, bounds);
	if (ts instanceof Problem) return ts;
	const ids = { user_id: "", session_id: "", account_id: "", event_id: "" };
	const moved = new Set<string>();
	for (const id of IDS) {
		const own = record[id];
		if (typeof own === "string") ids[id] = own;
		else if (Object.hasOwn(properties, id) && !(id === "session_id" && RESERVED.test(event))) {
			const found = properties[id];
			if (typeof found !== "string" && typeof found !== "number") continue;
			if (!fits(String(found), RECORD_LIMITS.idBytes)) {
				return new Problem(`properties.${id}`, `longer than ${RECORD_LIMITS.idBytes} bytes`);
			}
			ids[id] = String(found);
			moved.add(id);
		}
	}
	// Two of them would be stored as one, and the second left out as known.
	if (HALF_PAIR.test(ids.event_id)) return new Problem("event_id", "has half of a surrogate pair");
	const strings: [string, string][] = [];
	const numbers: [string, number][] = [];
	const bytes = flatten(properties, "", moved, strings, numbers);
	if (bytes > RECORD_LIMITS.documentBytes) {
		return new Problem("properties", `larger than ${RECORD_LIMITS.documentBytes} bytes`);
	}
	const { user_id, session_id, account_id, event_id } = ids;
	return { event, ts, event_id, user_id, account_id, session_id, strings, numbers };
}

/**
 * Properties as two flat lists: numbers, and texts. A nested object's members get dotted names; booleans and arrays are kept
 * as their JSON text; null is as if it had not been sent.
 * @returns about the bytes they take
 */
function flatten(
	properties: Record<string, unknown>,
	prefix: string,
	leaveOut: ReadonlySet<string>,
	strings: [string, string][],
	numbers: [string, number][],
): number {
	let size = 0;
	for (const key of Object.keys(properties)) {
		if (prefix === "" && leaveOut.has(key)) continue;
		const value = properties[key];
		const name = prefix + key;
		size += name.length;
		if (typeof value === "string") {
			strings.push([name, value]);
			size += value.length;
		} else if (typeof value === "number") numbers.push([name, value]);
		else if (isObject(value)) size += flatten(value, `${name}.`, leaveOut, strings, numbers);
		else if (value !== null && value !== undefined) {
			const text = JSON.stringify(value);
			strings.push([name, text]);
			size += text.length;
		}
	}
	return size;
}
