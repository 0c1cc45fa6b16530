import {
	METRIC_KINDS,
	type MetricKind,
	type MetricPoint,
	type MetricSeries,
	metricPoint,
	metricSeries,
	RECORD_LIMITS,
} from "../../schema/wire/ingest.ts";
import type { Tags } from "../series.ts";
import { explain, Problem } from "./problem.ts";
import { fits, isId, isName, isObject } from "./text.ts";
import { parseTimestamp, type TimeBounds } from "./time.ts";

/** A metric record that passed its checks: one series and its points. */
export interface ParsedMetric {
	readonly name: string;
	/** Sorted by key; values that were numbers or booleans are text now. */
	readonly tags: Tags;
	/** Undefined when the record does not say. */
	readonly kind: MetricKind | undefined;
	readonly unit: string;
	/** Milliseconds since the epoch. */
	readonly timestamps: readonly number[];
	readonly values: readonly number[];
}

/** Checks one metric record of either form. */
export function parseMetric(record: unknown, bounds: TimeBounds): ParsedMetric | Problem {
	if (!isObject(record)) return new Problem("", "must be an object");
	const isSeries = "timestamps" in record || "values" in record;
	for (const member of ["timestamps", "values"] as const) {
		const points = record[member];
		// Before anything else: zod would make an issue of each of a million wrong points.
		if (Array.isArray(points) && points.length > RECORD_LIMITS.seriesPoints) {
			return new Problem(member, `more than ${RECORD_LIMITS.seriesPoints} points`);
		}
	}
	const schema = isSeries ? metricSeries : metricPoint;
	const { name, unit, kind } = record;
	const tags = parseTags(record.tags);
	if (!isName(name) || !isId(unit) || !isKind(kind) || !tags) return explain(schema, record);
	const points = isSeries ? seriesPoints(record, bounds) : onePoint(record, bounds);
	if (points === undefined) return explain(schema, record);
	if (points instanceof Problem) return points;
	const { timestamps, values } = points;
	return { name, tags, kind, unit: unit ?? "", timestamps, values };
}

function onePoint({ value, timestamp }: Record<string, unknown>, bounds: TimeBounds) {
	if (typeof value !== "number" || !Number.isFinite(value)) return undefined;
	if (timestamp !== undefined && typeof timestamp !== "number" && typeof timestamp !== "string") return undefined;
	const ts = parseTimestamp(timestamp as MetricPoint["timestamp"], bounds);
	return ts instanceof Problem ? ts : { timestamps: [ts], values: [value] };
}

function seriesPoints({ timestamps, values }: Record<string, unknown>, bounds: TimeBounds) {
	if (!Array.isArray(timestamps) || !Array.isArray(values)) return undefined;
	if (timestamps.length !== values.length || timestamps.length === 0) return undefined;
	if (!values.every((value) => typeof value === "number" && Number.isFinite(value))) return undefined;
	const parsed: number[] = [];
	for (const [i, timestamp] of (timestamps as MetricSeries["timestamps"]).entries()) {
		if (typeof timestamp !== "number" && typeof timestamp !== "string") return undefined;
		const ts = parseTimestamp(timestamp, bounds, `timestamps.${i}`);
		if (ts instanceof Problem) return ts;
		parsed.push(ts);
	}
	return { timestamps: parsed, values: values as number[] };
}

/** Tags sorted by key, or undefined when they are not what the contract says. */
export function parseTags(tags: unknown): Tags | undefined {
	if (tags === undefined) return [];
	if (!isObject(tags)) return undefined;
	const keys = Object.keys(tags);
	if (keys.length > RECORD_LIMITS.tags) return undefined;
	const parsed: [string, string][] = [];
	for (const key of keys) {
		const value = tags[key];
		if (!isName(key)) return undefined;
		if (typeof value === "string") {
			if (!fits(value, RECORD_LIMITS.tagValueBytes)) return undefined;
			parsed.push([key, value]);
		} else if ((typeof value === "number" && Number.isFinite(value)) || typeof value === "boolean") {
			parsed.push([key, String(value)]);
		} else return undefined;
	}
	return sortTags(parsed);
}

function sortTags(tags: [string, string][]): Tags {
	for (let i = 1; i < tags.length; i++) {
		if (tags[i - 1]![0] > tags[i]![0]) return tags.sort(([a], [b]) => (a < b ? -1 : 1));
	}
	return tags;
}

function isKind(kind: unknown): kind is MetricKind | undefined {
	return kind === undefined || (METRIC_KINDS as readonly unknown[]).includes(kind);
}
