/** What is told, before it takes the form of a channel. */
import type { Severity } from "../../schema/wire/index.ts";

/**
 * Why somebody is told: it burns, it still does, its state changes so often that each change is no news, somebody takes care
 * of it, or it is over.
 */
export const NOTICE_KINDS = ["fire", "repeat", "flapping", "acknowledge", "resolve"] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

export interface ToldInstance {
	readonly instance: string;
	readonly firing_id: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly metric: string;
	readonly value: number | null;
	readonly threshold: number | null;
	/** A sentence for people. */
	readonly message: string;
	/** Milliseconds since the epoch. */
	readonly fired_at: number;
	readonly resolved_at: number | null;
}

export interface Message {
	/** Stable over attempts: whoever gets it twice can tell. */
	readonly message_id: string;
	readonly kind: NoticeKind;
	readonly project: string;
	readonly alert_id: string;
	readonly name: string;
	readonly description: string;
	readonly severity: Severity;
	/** Of the escalation: 0 for those whom the rule itself names. */
	readonly level: number;
	/** Of the rule. */
	readonly labels: Readonly<Record<string, string>>;
	readonly runbook_url: string | null;
	/** A page on which it can be acknowledged without a key; null when there is nothing to acknowledge. */
	readonly acknowledge_url: string | null;
	/** At least one. */
	readonly instances: readonly ToldInstance[];
	readonly isTest: boolean;
	/** When it was planned, milliseconds since the epoch. */
	readonly at: number;
}

/** More are counted, not listed. */
export const MAX_LISTED = 20;

const WORDS: Readonly<Record<NoticeKind, string>> = {
	...{ fire: "FIRING", repeat: "STILL FIRING", flapping: "FLAPPING", acknowledge: "ACKNOWLEDGED", resolve: "RESOLVED" },
};

/** One line that says it all: `[FIRING] High error rate (high), 3 instances`. */
export function titleOf({ kind, name, severity, instances, isTest }: Message): string {
	const many = instances.length > 1 ? `, ${instances.length} instances` : "";
	return `${isTest ? "[TEST] " : ""}[${WORDS[kind]}] ${name} (${severity})${many}`;
}

/** A line for each instance, and one for those that are not listed. */
export function linesOf({ kind, instances }: Message): string[] {
	const lines = instances.slice(0, MAX_LISTED).map((one) => `${one.message}${lasted(kind, one)}`);
	const more = instances.length - MAX_LISTED;
	return more > 0 ? [...lines, `and ${more} more`] : lines;
}

function lasted(kind: NoticeKind, { fired_at, resolved_at }: ToldInstance): string {
	if (kind !== "resolve" || resolved_at === null) return "";
	const minutes = Math.max(1, Math.round((resolved_at - fired_at) / 60_000));
	return ` (after ${minutes} min)`;
}
