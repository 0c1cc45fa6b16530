import { profileRecord, RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import type { ProfileRow, ProfileSpan } from "../batch.ts";
import { explain, Problem } from "./problem.ts";
import { isId, isName, isObject } from "./text.ts";
import { parseTimestamp, type TimeBounds } from "./time.ts";

/** Checks one profile. What does not say whether it succeeded did; a span without a parent stands right below the operation. */
export function parseProfile(record: unknown, bounds: TimeBounds): ProfileRow | Problem {
	if (!isObject(record)) return new Problem("", "must be an object");
	const { operation, wall_ns, cpu_ns, alloc_bytes, success, component, user_id, trace_id } = record;
	// Before anything else: zod would make an issue of each of a million wrong spans.
	if (Array.isArray(record.spans) && record.spans.length > RECORD_LIMITS.profileSpans) {
		return new Problem("spans", `more than ${RECORD_LIMITS.profileSpans} spans`);
	}
	const amounts = isAmount(wall_ns) && isAmount(cpu_ns ?? 0) && isAmount(alloc_bytes ?? 0);
	if (!isName(operation) || !amounts || cpu_ns === null || alloc_bytes === null) return explain(profileRecord, record);
	if (!isId(component) || !isId(user_id) || !isId(trace_id)) return explain(profileRecord, record);
	if (success !== undefined && typeof success !== "boolean") return explain(profileRecord, record);
	const spans = parseSpans(record.spans, operation);
	if (!spans) return explain(profileRecord, record);
	const ts = parseTimestamp(record.timestamp, bounds);
	if (ts instanceof Problem) return ts;
	return {
		...{ ts, operation, component: component ?? "", user_id: user_id ?? "", trace_id: trace_id ?? "" },
		wall_ns: Math.round(wall_ns),
		cpu_ns: rounded(cpu_ns),
		alloc_bytes: rounded(alloc_bytes),
		success: success ?? true,
		spans,
	};
}

function parseSpans(spans: unknown, operation: string): ProfileSpan[] | undefined {
	if (spans === undefined) return [];
	if (!Array.isArray(spans)) return undefined;
	const parsed: ProfileSpan[] = [];
	for (const span of spans as unknown[]) {
		if (!isObject(span)) return undefined;
		const { name, start_ns, end_ns } = span;
		const parent = span.parent ?? operation;
		if (!isName(name) || !isName(parent) || !isAmount(start_ns) || !isAmount(end_ns) || end_ns < start_ns) {
			return undefined;
		}
		parsed.push({ name, parent, start_ns: Math.round(start_ns), end_ns: Math.round(end_ns) });
	}
	return parsed;
}

/** Nanoseconds or bytes that a UInt64 can hold. */
function isAmount(value: unknown): value is number {
	return typeof value === "number" && value >= 0 && value < 2 ** 63;
}

function rounded(value: unknown): number | undefined {
	return typeof value === "number" ? Math.round(value) : undefined;
}
