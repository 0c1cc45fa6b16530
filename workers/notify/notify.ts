/** The notifications of a worker process: what is due is found by a sweep, and sent by whichever worker takes the job. */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { exclusively } from "../exclusive.ts";
import { consume, keepTicking, Producer } from "../queues.ts";
import type { Notifier } from "./notifier.ts";

export interface NotifyOptions {
	readonly notifier: Notifier;
	/** For the lock of the sweep; fails at once when it is away. */
	readonly redis: Redis;
	readonly redisUrl: string;
	readonly logger: Logger;
	readonly sweep_ms?: number;
}

export interface Notifying {
	/** Something happened: looks at once. */
	sweepNow(): void;
	close(): Promise<void>;
}

const SWEEP_MS = 5_000;
const CONCURRENCY = 8;
const LOCK = "tidemark:notifications:sweep";
/** Of a worker that was killed: so long nobody looks. */
const LOCK_MS = 10_000;

/** Starts to notify; with Redis away it waits, and then sends what is still due. */
export function startNotifying(options: NotifyOptions): Notifying {
	const { notifier, redis, redisUrl, logger, sweep_ms = SWEEP_MS } = options;
	const producer = new Producer("notifications", { redisUrl, logger });
	const worker = consume(
		"notifications",
		{
			async sweep() {
				// Two at once would claim the same notices in other groups. The next one sees what this one leaves.
				await exclusively(redis, LOCK, LOCK_MS, async () => {
					for (const message of await notifier.sweep()) {
						// While a message is being sent its job is there, and is not added again.
						await producer.add("send", message, { jobId: message.message_id });
					}
				});
			},
			send: ({ project, message_id }) => notifier.send(project, message_id),
		},
		{ redisUrl, logger, concurrency: CONCURRENCY },
	);
	const stopTicking = keepTicking(producer, sweep_ms, "sweep", {});
	return {
		sweepNow() {
			void producer.add("sweep", {}, { jobId: "sweep-now" }).catch(() => undefined);
		},
		async close() {
			stopTicking();
			await worker.close();
			await producer.close();
		},
	};
}
