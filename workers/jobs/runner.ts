/**
 * Runs jobs: finds in ClickHouse what is to be done, hands it to a queue, claims it, keeps it alive, tries again. Redis holds ids only
 * and may forget them. A worker that is killed keeps its job for LEASE_MS, then another goes on from the last checkpoint.
 */
import { createHash, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "pino";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Job, type JobKey, JobStore, type Outcome } from "../../schema/jobs.ts";
import { consume, keepTicking, Producer } from "../queues.ts";
import { afterFailure, type JobKind, PermanentJobError } from "./job.ts";

export interface JobsOptions {
	readonly clickhouse: ClickHouse;
	readonly redisUrl: string;
	readonly logger: Logger;
	readonly jobs: readonly JobKind[];
	/** Told of each attempt that ended. */
	readonly onAttempt?: (attempt: AttemptEnd) => void;
	readonly now?: () => number;
	readonly tick_ms?: number;
}

export interface AttemptEnd {
	readonly kind: string;
	readonly outcome: Outcome | "retry" | "interrupted";
	readonly duration_ms: number;
}

export interface RunningJobs {
	/** Gives up what runs, so that another process goes on with it. */
	close(): Promise<void>;
}

const TICK_MS = 1_000;
const BEAT_MS = 3_000;
/** A worker that was not heard of for so long is gone. */
const LEASE_MS = 15_000;
const DISCARD_MS = 60_000;

type Stop = "cancel" | "lost" | "shutdown";

class StoppedError extends Error {
	override readonly name = "StoppedError";
	readonly why: Stop;
	constructor(why: Stop) {
		super(`the job was stopped: ${why}`);
		this.why = why;
	}
}

/** Starts the workers of these kinds of jobs in this process. */
export function startJobs(options: JobsOptions): RunningJobs {
	const { clickhouse, redisUrl, logger, jobs, now = Date.now, tick_ms = TICK_MS } = options;
	const store = new JobStore(clickhouse, now);
	const holder = randomUUID();
	const ending = new AbortController();
	const kinds = jobs.map(({ kind }) => kind);
	const inTurn = new Set(jobs.filter((kind) => kind.inTurn).map(({ kind }) => kind));
	const producers = new Map(kinds.map((kind) => [kind, new Producer("jobs", { redisUrl, logger, of: kind })]));
	const ticks = new Producer("job-ticks", { redisUrl, logger });

	const ticker = consume(
		"job-ticks",
		{
			async tick() {
				const open = await store.open(kinds);
				const waiting = waitingInLine(open.filter(({ kind }) => inTurn.has(kind)));
				for (const job of open) {
					if (!isDue(job, now()) || waiting.has(job)) continue;
					// Its job is there while it waits or runs, and is not added again.
					const { project, kind, job_id } = job;
					await producers.get(kind)!.add("run", { project, kind, job_id }, { jobId: queueId(job) });
				}
			},
		},
		{ redisUrl, logger, concurrency: 1 },
	);
	const runners = jobs.map((kind) =>
		consume(
			"jobs",
			{ run: (key) => attempt(kind, key, { store, holder, now, ending: ending.signal, options }) },
			{ redisUrl, logger, of: kind.kind, concurrency: kind.concurrency },
		),
	);
	const stopTicking = keepTicking(ticks, tick_ms, "tick", {});
	return {
		async close() {
			stopTicking();
			ending.abort(new StoppedError("shutdown"));
			await Promise.all([ticker, ...runners].map((worker) => worker.close()));
			await Promise.all([ticks, ...producers.values()].map((producer) => producer.close()));
		},
	};
}

/** Whether somebody has to look at a job that is not over. */
export function isDue(job: Job, now: number): boolean {
	if (job.status === "running") return now - job.alive_at!.getTime() > LEASE_MS;
	return job.cancelling || job.retry_at === null || job.retry_at.getTime() <= now;
}

/** Open jobs that are not first in the line of their kind and project: whoever was begun, then whoever asked. */
export function waitingInLine(open: readonly Job[]): Set<Job> {
	const first = new Map<string, Job>();
	const ordered = [...open].sort(
		(a, b) =>
			(a.started_at?.getTime() ?? Number.MAX_VALUE) - (b.started_at?.getTime() ?? Number.MAX_VALUE) ||
			a.created_at.getTime() - b.created_at.getTime() ||
			(a.job_id < b.job_id ? -1 : 1),
	);
	const isFirst = (job: Job) => {
		const line = JSON.stringify([job.kind, job.project]);
		if (!first.has(line)) first.set(line, job);
		return first.get(line) === job;
	};
	return new Set(ordered.filter((job) => !isFirst(job)));
}

interface Attempting {
	readonly store: JobStore;
	readonly holder: string;
	readonly now: () => number;
	readonly ending: AbortSignal;
	readonly options: JobsOptions;
}

async function attempt(kind: JobKind, key: JobKey, around: Attempting): Promise<void> {
	const { store, holder, now, options } = around;
	const job = await store.get(key.project, key.kind, key.job_id);
	if (!job || job.finished_at || !isDue(job, now())) return;
	if (job.cancelling) {
		await discard(kind, job, around);
		return await store.finish(job, job.attempt, { status: "cancelled", state: job.state });
	}
	if (job.attempt - job.interruptions >= kind.attempts) {
		await discard(kind, job, around);
		const error = job.error ?? "the worker that ran it was killed each time";
		return await store.finish(job, job.attempt, { status: "failed", state: job.state, error });
	}
	const number = await store.claim(job, holder);
	if (number === undefined) return;
	// Two that were asked for at once may each have looked before the other was seen; claimed, they see each other.
	if (kind.inTurn) {
		const waiting = waitingInLine(await store.open([kind.kind]));
		if ([...waiting].some(({ project, job_id }) => project === job.project && job_id === job.job_id)) {
			return await store.giveUp(job, number, null, new Date(now()));
		}
	}
	const started = now();
	const outcome = await runClaimed(kind, job, number, around);
	options.onAttempt?.({ kind: kind.kind, outcome, duration_ms: now() - started });
}

/** Runs what this process has claimed, and stores what came of it. */
async function runClaimed(kind: JobKind, job: Job, number: number, around: Attempting): Promise<AttemptEnd["outcome"]> {
	const { store, now, ending, options } = around;
	const stop = new AbortController();
	const signal = AbortSignal.any([stop.signal, ending]);
	let { progress, state: reached } = job;
	const look = async () => {
		const seen = await store.get(job.project, job.kind, job.job_id);
		if (!seen || seen.attempt > number || seen.finished_at) stop.abort(new StoppedError("lost"));
		else if (seen.cancelling) stop.abort(new StoppedError("cancel"));
	};
	const beats = setInterval(() => {
		// ClickHouse is away: nobody else can claim it either.
		store
			.beat(job, number, progress)
			.then(look)
			.catch(() => undefined);
	}, BEAT_MS);
	try {
		const state = await kind.run({
			...{ project: job.project, job_id: job.job_id, attempt: number, signal },
			input: kind.input.parse(job.input),
			state: stateOf(kind, job),
			progress(fraction) {
				progress = Math.min(Math.max(fraction, 0), 1);
			},
			async checkpoint(state) {
				await look();
				signal.throwIfAborted();
				reached = kind.state.parse(state);
				await store.checkpoint(job, number, reached);
			},
		});
		await insist(() => store.finish(job, number, { status: "completed", state }), ending);
		return "completed";
	} catch (error) {
		const why = signal.aborted ? (signal.reason as StoppedError).why : undefined;
		const discardIt = () => discard(kind, { ...job, state: reached }, around);
		if (why === "lost") {
			const seen = await store.get(job.project, job.kind, job.job_id);
			// Who ended it could not know of what this one wrote until now.
			if (seen?.finished_at && seen.status !== "completed") await discardIt();
			return "interrupted";
		}
		if (why === "shutdown") {
			// One who is gone already is waited for until its lease is over.
			await store.giveUp(job, number, null, new Date(now())).catch(() => undefined);
			return "interrupted";
		}
		if (why === "cancel") {
			await discardIt();
			await insist(() => store.finish(job, number, { status: "cancelled" }), ending);
			return "cancelled";
		}
		const { message } = error as Error;
		const next = afterFailure(error, number - job.interruptions, kind.attempts, now());
		options.logger.warn({ err: error, kind: job.kind, job_id: job.job_id, attempt: number }, "an attempt failed");
		if (next === "failed") {
			await discardIt();
			await insist(() => store.finish(job, number, { status: "failed", error: message }), ending);
			return "failed";
		}
		await insist(() => store.giveUp(job, number, message, next), ending);
		return "retry";
	} finally {
		clearInterval(beats);
	}
}

/** Before the end of a job is stored: a worker that is killed in between leaves it to another. */
async function discard(kind: JobKind, job: Job, { ending, options }: Attempting): Promise<void> {
	const signal = AbortSignal.any([ending, AbortSignal.timeout(DISCARD_MS)]);
	const { project, job_id } = job;
	try {
		await insist(async () => {
			await kind.discard?.({ project, job_id, input: kind.input.parse(job.input), state: stateOf(kind, job), signal });
		}, signal);
	} catch (err) {
		ending.throwIfAborted();
		// The bucket that made it fail may not let us clean up either; it is over all the same.
		options.logger.warn({ err, kind: job.kind, job_id }, "what a job has left could not be removed");
	}
}

function stateOf(kind: JobKind, { state }: Job): unknown {
	return state === undefined ? undefined : kind.state.parse(state);
}

/** What must be done, also when ClickHouse is away for a while. */
async function insist(work: () => Promise<void>, ending: AbortSignal): Promise<void> {
	for (let wait_ms = 100; ; wait_ms = Math.min(2 * wait_ms, 2_000)) {
		try {
			return await work();
		} catch (error) {
			if (ending.aborted || error instanceof PermanentJobError) throw error;
			await sleep(wait_ms, undefined, { signal: ending });
		}
	}
}

/** Ids of ours may have characters that those of BullMQ may not. */
function queueId({ project, kind, job_id }: JobKey): string {
	return createHash("sha256")
		.update(JSON.stringify([project, kind, job_id]))
		.digest("hex");
}
