/** What a kind of long work consists of; how it is claimed, retried and timed stands in runner.ts, once for all kinds. */
import type { z } from "zod";

/** Trying again would not help: what was asked for cannot be done. */
export class PermanentJobError extends Error {
	override readonly name = "PermanentJobError";
}

export interface JobContext<Input, State> {
	readonly project: string;
	readonly job_id: string;
	readonly input: Input;
	/** Of the last checkpoint, by whichever attempt. */
	readonly state: State | undefined;
	/** From 1. */
	readonly attempt: number;
	/** Aborts when the job is cancelled, another worker has taken it over, or the program ends. */
	readonly signal: AbortSignal;
	/** @param fraction 0 to 1, shown to who asks */
	progress(fraction: number): void;
	/** Stores how far it got. @throws when another worker has taken it over: what follows is not this one's to do */
	checkpoint(state: State): Promise<void>;
}

/** Of a job that is over and was not completed; `signal` limits what it may take. */
export type DiscardContext<Input, State> = Omit<JobContext<Input, State>, "attempt" | "progress" | "checkpoint">;

export interface JobKind<Input = unknown, State = unknown> {
	/** Names it in the table and its queue. */
	readonly kind: string;
	readonly input: z.ZodType<Input>;
	readonly state: z.ZodType<State>;
	/** How often it is begun at most; being killed counts. */
	readonly attempts: number;
	/** How many of them a process runs at a time. */
	readonly concurrency: number;
	/** Of a project one after the other: none is begun before those that were begun or asked for earlier are over. */
	readonly inTurn?: true;
	/** Must bear to be begun again at any point. @returns what came of it, kept as its state */
	run(context: JobContext<Input, State>): Promise<State>;
	/** Takes away what is left of one that was cancelled or failed for good, whoever ends it. May be called more than once. */
	discard?(context: DiscardContext<Input, State>): Promise<void>;
}

/** Types a kind by its schemas. */
export function defineJob<Input, State>(kind: JobKind<Input, State>): JobKind {
	return kind as unknown as JobKind;
}

const FIRST_RETRY_MS = 2_000;
const LAST_RETRY_MS = 600_000;

/** What comes after an attempt that threw. */
export function afterFailure(error: unknown, attempt: number, attempts: number, now: number): Date | "failed" {
	if (error instanceof PermanentJobError || attempt >= attempts) return "failed";
	return new Date(now + Math.min(FIRST_RETRY_MS * 4 ** (attempt - 1), LAST_RETRY_MS));
}
