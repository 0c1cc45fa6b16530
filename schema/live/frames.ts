/**
 * What ingest tells those who watch: frames of what has just become durable, folded, and alerts. They travel over a bus, in one
 * process or through Redis, and are never stored: what is missed is in ClickHouse.
 */
import type { MetricKind } from "../wire/ingest.ts";

/** Of another version nothing is known: such messages are passed over, while processes are being updated one by one. */
export const LIVE_VERSION = 1;

/**
 * Points of one metric, or events of one name, that became durable within one stretch, folded into one. Values have the unit of the
 * record, times are milliseconds since the epoch, of event time.
 */
export interface LivePart {
	readonly signal: "metric" | "event";
	readonly name: string;
	/** Of events: `counter`. */
	readonly kind: MetricKind;
	/** Of the tags only those by which this name is told apart (`KEPT_TAGS`). */
	readonly tags: Readonly<Record<string, string>>;
	/** Points or events; points of a running total are told as its increases. */
	readonly n: number;
	readonly sum: number;
	readonly min: number;
	readonly max: number;
	/** The value with the latest time. */
	readonly last: number;
	readonly last_at: number;
}

/** A log line as it was stored. */
export interface LiveLog {
	/** Milliseconds since the epoch. */
	readonly ts: number;
	/** UInt64 as decimal text: with `ts` the place of the line among all. */
	readonly id: string;
	readonly level: string;
	readonly component: string;
	readonly message: string;
	/** JSON text, or empty. */
	readonly context: string;
	readonly trace_id: string;
	readonly span_id: string;
}

/** Records that someone watches and that are not in a frame. */
export interface LeftOut {
	/** Points and events of more different parts than a frame holds. */
	readonly metrics: number;
	/** Lines of more than a frame holds. */
	readonly logs: number;
}

/** What one ingest process made durable of one project since its frame before. */
export interface LiveFrame {
	readonly type: "frame";
	readonly v: typeof LIVE_VERSION;
	readonly project: string;
	/** The process it is from, and its place among that process' frames of the project: a hole is what was missed. */
	readonly source: string;
	readonly seq: number;
	readonly parts: readonly LivePart[];
	readonly logs: readonly LiveLog[];
	readonly left_out: LeftOut;
}

/** An alert that changed its state, as viewers are told. */
export interface LiveAlert {
	readonly type: "alert";
	readonly v: typeof LIVE_VERSION;
	readonly project: string;
	readonly alert: AlertMessage;
}

/** The analytics document's message, and what identifies it. */
export interface AlertMessage {
	readonly level: "info" | "warning" | "error" | "critical";
	readonly metric: string;
	/** The value that crossed, and what it crossed; null of a change without one, such as missing data. */
	readonly value: number | null;
	readonly threshold: number | null;
	readonly message: string;
	/** RFC 3339: of the transition. */
	readonly timestamp: string;
	readonly alert_id?: string;
	readonly state?: string;
}

/** What a query process' viewers watch, by project; it is said again and again, and forgotten when it is not. */
export interface LiveInterest {
	readonly type: "interest";
	readonly v: typeof LIVE_VERSION;
	readonly source: string;
	readonly projects: Readonly<Record<string, ProjectInterest>>;
}

export interface ProjectInterest {
	/** Names of metrics and events, `*` in them stands for any text. */
	readonly names: readonly string[];
	readonly logs: boolean;
}

/** An ingest process asks what is watched: it has just started, or has found Redis again. */
export interface LiveQuestion {
	readonly type: "question";
	readonly v: typeof LIVE_VERSION;
}

/** Where frames and alerts of a project are told. */
export function projectChannel(project: string): string {
	return `tidemark:live:project:${project}`;
}

/** Where interest is told and asked for. */
export const INTEREST_CHANNEL = "tidemark:live:interest";
/** Interest is said again after this time, and forgotten after three times as long. */
export const INTEREST_INTERVAL_MS = 5_000;
/** Frames of a process follow each other at this distance, while there is something to tell. */
export const FRAME_INTERVAL_MS = 100;

export type ProjectMessage = LiveFrame | LiveAlert;
export type InterestMessage = LiveInterest | LiveQuestion;
export type LiveMessage = ProjectMessage | InterestMessage;
