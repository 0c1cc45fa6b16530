/** All queues, and what their jobs carry. Redis holds nothing else of them: what is to be done is known from ClickHouse. */
import { type ConnectionOptions, type Job, type JobsOptions, Queue, QueueEvents, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Logger } from "pino";

export interface Jobs {
	readonly alerts: {
		/** Looks which projects have something due. */
		readonly tick: Record<string, never>;
		/** Evaluates what is due in a project; one at a time. */
		readonly evaluate: { readonly project: string };
	};
	/** A queue for each location. */
	readonly checks: {
		/** Plans the runs of the next seconds. */
		readonly tick: Record<string, never>;
		/** Runs a test that is due at an instant, milliseconds since the epoch. */
		readonly run: { readonly project: string; readonly id: string; readonly instant: number };
		/** Runs a test for somebody who waits for it. */
		readonly ask: { readonly project: string; readonly id: string };
	};
	readonly heartbeats: {
		/** Looks which calls did not come. */
		readonly tick: Record<string, never>;
	};
	readonly "job-ticks": {
		/** Looks which jobs are to be begun. */
		readonly tick: Record<string, never>;
	};
	/** A queue for each kind of job. */
	readonly jobs: {
		readonly run: { readonly project: string; readonly kind: string; readonly job_id: string };
	};
	readonly reports: {
		/** Looks which reports are due. */
		readonly tick: Record<string, never>;
	};
	readonly notifications: {
		/** Looks who is to be told of what. */
		readonly sweep: Record<string, never>;
		/** Sends a message that was claimed. */
		readonly send: { readonly project: string; readonly message_id: string };
	};
}
export type QueueName = keyof Jobs;
type NameIn<Q extends QueueName> = keyof Jobs[Q] & string;

const PREFIX = "tidemark";
/** How long a worker that was killed keeps its jobs from others. */
const LOCK_MS = 20_000;

export interface QueuesOptions {
	readonly redisUrl: string;
	readonly logger: Logger;
	/** Of a queue that there are several of: which of them. */
	readonly of?: string;
}

export type Processors<Q extends QueueName> = {
	readonly [N in NameIn<Q>]: (data: Jobs[Q][N], job: Job) => Promise<unknown>;
};

/** A queue as producers see it: it fails at once when Redis is away. */
export class Producer<Q extends QueueName> {
	readonly #queue: Queue;
	readonly #redis: Redis;
	readonly #options: QueuesOptions;
	#answers: { readonly events: QueueEvents; readonly redis: Redis } | undefined;

	constructor(name: Q, options: QueuesOptions) {
		this.#options = options;
		this.#redis = connection(options.redisUrl, { enableOfflineQueue: false }, options.logger);
		this.#queue = new Queue(queueName(name, options), { connection: this.#redis as ConnectionOptions, prefix: PREFIX });
		this.#queue.on("error", () => undefined);
	}

	async add<N extends NameIn<Q>>(name: N, data: Jobs[Q][N], options: JobsOptions = {}): Promise<void> {
		await this.#queue.add(name, data, { removeOnComplete: true, removeOnFail: true, ...options });
	}

	/** Makes sure that a job comes again and again: a Redis that was flushed has forgotten it. */
	async every<N extends NameIn<Q>>(interval_ms: number, name: N, data: Jobs[Q][N]): Promise<void> {
		const known = await this.#queue.getJobScheduler(name);
		if (known?.every === interval_ms && (known.next ?? 0) > Date.now() - 2 * interval_ms) return;
		const opts = { removeOnComplete: true, removeOnFail: true };
		await this.#queue.upsertJobScheduler(name, { every: interval_ms }, { name, data, opts });
	}

	/**
	 * Adds a job and waits for what it returns.
	 * @throws what it failed with, as a message, or when nobody answers in time
	 */
	async ask<N extends NameIn<Q>>(name: N, data: Jobs[Q][N], limit_ms: number): Promise<unknown> {
		const events = this.#hear();
		await events.waitUntilReady();
		// Kept for a moment: it may be over before we listen to it.
		const kept = { age: Math.ceil(limit_ms / 1_000) };
		const job = await this.#queue.add(name, data, { removeOnComplete: kept, removeOnFail: kept });
		try {
			return await job.waitUntilFinished(events, limit_ms);
		} catch (error) {
			// What nobody waits for any more need not be done.
			await job.remove().catch(() => undefined);
			throw error;
		}
	}

	#hear(): QueueEvents {
		if (!this.#answers) {
			const { redisUrl, logger } = this.#options;
			const redis = connection(redisUrl, { maxRetriesPerRequest: null }, logger);
			const events = new QueueEvents(this.#queue.name, { connection: redis as ConnectionOptions, prefix: PREFIX });
			events.on("error", () => undefined);
			this.#answers = { events, redis };
		}
		return this.#answers.events;
	}

	async close(): Promise<void> {
		await this.#answers?.events.close();
		this.#answers?.redis.disconnect();
		await this.#queue.close();
		this.#redis.disconnect();
	}
}

/** Runs the jobs of a queue; a processor that throws is tried again by the options of its job, and what it threw is logged. */
export function consume<Q extends QueueName>(
	name: Q,
	processors: Processors<Q>,
	{ redisUrl, logger, concurrency, ...which }: QueuesOptions & { readonly concurrency: number },
): { close(): Promise<void> } {
	// BullMQ waits for a job on this connection for as long as it takes.
	const redis = connection(redisUrl, { maxRetriesPerRequest: null }, logger);
	const worker = new Worker(
		queueName(name, which),
		async (job) => {
			const process = processors[job.name as NameIn<Q>] as ((data: unknown, job: Job) => Promise<unknown>) | undefined;
			// Of a newer version of the program, which will come back to it.
			if (!process) throw new Error(`no job ${job.name} is known of the queue ${name}`);
			return await process(job.data, job);
		},
		{
			...{ connection: redis as ConnectionOptions, prefix: PREFIX, concurrency },
			...{ lockDuration: LOCK_MS, stalledInterval: LOCK_MS, maxStalledCount: 1_000 },
		},
	);
	worker.on("failed", (job, err) => logger.warn({ err, queue: name, job: job?.name, data: job?.data }, "a job failed"));
	worker.on("error", (err) => logger.debug({ err, queue: name }, "the queue is away"));
	return {
		async close() {
			await worker.close();
			redis.disconnect();
		},
	};
}

/** How often it is looked whether Redis still knows of a tick. */
const LOOK_MS = 15_000;

/**
 * Sees to it that a job comes again and again for as long as this process lives, whatever Redis forgets.
 * @returns ends it: the schedule itself stays, for others
 */
export function keepTicking<Q extends QueueName, N extends NameIn<Q>>(
	producer: Producer<Q>,
	interval_ms: number,
	name: N,
	data: Jobs[Q][N],
): () => void {
	const schedule = () => void producer.every(interval_ms, name, data).catch(() => undefined);
	schedule();
	const timer = setInterval(schedule, Math.min(LOOK_MS, 3 * interval_ms));
	return () => clearInterval(timer);
}

function queueName(name: QueueName, { of }: { readonly of?: string }): string {
	return of === undefined ? name : `${name}-${of}`;
}

function connection(url: string, options: object, logger: Logger): Redis {
	const redis = new Redis(url, { retryStrategy: (attempt: number) => Math.min(attempt * 100, 1_000), ...options });
	redis.on("error", (err) => logger.debug({ err }, "Redis is away"));
	return redis;
}
