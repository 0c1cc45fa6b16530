import type { ControlStatus } from "../../schema/wire/index.ts";
import type { Signals } from "../measures/signals.ts";
import type { Asker } from "../run.ts";

/** What a check found, and out of what. */
export interface Finding {
	readonly status: Exclude<ControlStatus, "manual">;
	readonly reason: string;
	readonly population: number | null;
	readonly tested: number | null;
	readonly exceptions: number | null;
	/** The first of them, in words. */
	readonly exception_sample: readonly string[];
	readonly evidence: readonly Evidence[];
}

export interface Evidence {
	readonly kind: string;
	readonly title: string;
	/** JSON. */
	readonly content: readonly unknown[];
}

/** A connection of the server to elsewhere, or of others to it. */
export interface Connection {
	readonly name: string;
	/** Without user, password, path and query. */
	readonly address: string;
	readonly encrypted: boolean;
	/** It does not leave the machine. */
	readonly local: boolean;
}

export interface BackupRun {
	readonly kind: "backup" | "restore";
	readonly id: string;
	/** Milliseconds since the epoch. */
	readonly at: number;
	readonly status: "completed" | "failed" | "open";
}

/** What only the operator's settings and tables can say; it is the same for all projects. */
export interface Instance {
	/** None is known while nobody has said where people reach the server. */
	readonly connections: readonly Connection[];
	readonly public_url_known: boolean;
	/** The key of secrets stands in the settings, not in the data folder. */
	readonly secret_key_set: boolean;
	readonly retention: { readonly metrics_days: number; readonly logs_days: number; readonly events_days: number };
	/** Backups of the whole, and what was restored from one. */
	backups(span: { readonly start: number; readonly end: number }): Promise<readonly BackupRun[]>;
}

/** What checks are asked with. Times in milliseconds since the epoch. */
export interface Assessing {
	readonly asker: Asker;
	readonly instance: Instance;
	readonly start: number;
	/** Nothing at or after it counts. */
	readonly end: number;
	readonly sent: Signals;
}

export const DAY_MS = 86_400_000;
/** Records that an evidence lists at most; its title says of how many. */
export const MAX_LISTED = 1_000;
const MAX_SAMPLE = 20;

export function notTested(reason: string): Finding {
	return { status: "not_tested", reason, ...NOTHING, exception_sample: [], evidence: [] };
}
const NOTHING = { population: null, tested: null, exceptions: null };

export interface Tested {
	readonly population: number;
	readonly tested: number;
	readonly exceptions: readonly string[];
	/** Where more were found than are listed. */
	readonly found?: number;
	readonly evidence: readonly Evidence[];
	/** Of what there is, in the plural. */
	readonly what: string;
}

/** Passes when something was looked at and all of it was as it should be. */
export function testedAll({
	population,
	tested,
	exceptions,
	found = exceptions.length,
	evidence,
	what,
}: Tested): Finding {
	const counts = { population, tested, exceptions: found };
	const of = {
		...counts,
		exception_sample: exceptions.slice(0, MAX_SAMPLE),
		evidence: evidence.filter(({ content }) => content.length > 0).map(listed),
	};
	if (found > 0) return { status: "fail", reason: `${found} of ${tested} ${what} are not as they should be`, ...of };
	if (tested === 0) return { status: "not_tested", reason: `there were no ${what} to look at`, ...of };
	return { status: "pass", reason: `all ${tested} ${what} that were looked at are as they should be`, ...of };
}

/** No more than is reasonable to keep, and it says so. */
function listed({ kind, title, content }: Evidence): Evidence {
	if (content.length <= MAX_LISTED) return { kind, title, content };
	return {
		kind,
		title: `${title} (the first ${MAX_LISTED} of ${content.length})`,
		content: content.slice(0, MAX_LISTED),
	};
}

export function iso(ms: number): string;
export function iso(ms: number | null): string | null;
export function iso(ms: number | null): string | null {
	return ms === null ? null : new Date(ms).toISOString();
}
