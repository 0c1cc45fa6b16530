/** The synthetic tests of a worker process: runs at its location what is due there. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import { type ActiveTest, type SyntheticTest, syntheticTest } from "../../schema/wire/index.ts";
import type { Outbound } from "../outbound/outbound.ts";
import { consume, keepTicking, Producer } from "../queues.ts";
import { sayLocation } from "./presence.ts";
import { checkRecord, type Run, runAnswer } from "./record.ts";
import { runStored } from "./run.ts";
import { dueInstants, isTooLate, type Scheduled } from "./schedule.ts";

export interface SyntheticsOptions {
	readonly clickhouse: ClickHouse;
	/** Fails at once when it is away. */
	readonly redis: Redis;
	readonly redisUrl: string;
	readonly location: string;
	readonly outbound: Outbound;
	readonly box: SecretBox;
	/** Takes events of a project, the way of all others. Resolves when they are durable. */
	readonly write: (project: string, events: readonly object[]) => Promise<unknown>;
	readonly logger: Logger;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	readonly tick_ms?: number;
}

const TICK_MS = 5_000;
/** Runs wait for others most of their time. */
const CONCURRENCY = 64;
/** How long a planned run is remembered, longer than it is looked back. */
const KEPT = { age: 120 } as const;
const TRIES = { attempts: 3, backoff: { type: "fixed", delay: 1_000 } } as const;

/** Starts to run tests; with Redis away it waits, and does not make up for what was due meanwhile. */
export function startSynthetics(options: SyntheticsOptions): { close(): Promise<void> } {
	const { clickhouse, redis, redisUrl, location, outbound, box, write, logger } = options;
	const { now = Date.now, tick_ms = TICK_MS } = options;
	const tests = new Definitions(clickhouse, "synthetic_test", syntheticTest, now);
	const queue = { redisUrl, logger, of: location };
	const producer = new Producer("checks", queue);
	const closing = new AbortController();
	const { signal } = closing;
	const tools = { outbound, box, now, signal, pause: (ms: number) => sleep(ms, undefined, { signal }) };

	const runNow = async ({ id, project, body }: Definition<ActiveTest>, instant: number | string): Promise<Run> => {
		const at = now();
		const run: Run = {
			test_id: id,
			test: body,
			location,
			at,
			instant,
			result: await runStored(body, project, tools),
		};
		await write(project, [checkRecord(run)]);
		return run;
	};
	const worker = consume(
		"checks",
		{
			async tick() {
				// A second look at each instant costs nothing: its job is still known, and its record counts once.
				const window = { from: now() - 2 * tick_ms, to: now() + 3 * tick_ms };
				for (const test of await tests.list()) {
					if (!isRunAt(test.body, location)) continue;
					for (const instant of dueInstants(scheduled(test), location, window)) {
						const data = { project: test.project, id: test.id, instant };
						const delay = Math.max(0, instant - now());
						const kept = { removeOnComplete: KEPT, removeOnFail: KEPT };
						await producer.add("run", data, { jobId: jobIdOf(data), delay, ...kept, ...TRIES });
					}
				}
			},
			async run({ project, id, instant }) {
				const test = await tests.get(project, id);
				// It was deleted, switched off or changed since: then it is due at other times.
				if (!test || !isActive(test) || !isRunAt(test.body, location)) return;
				if (dueInstants(scheduled(test), location, { from: instant, to: instant + 1 }).length === 0) return;
				if (isTooLate(instant, now(), test.body.frequency_seconds)) return;
				await runNow(test, instant);
			},
			async ask({ project, id }, job) {
				const test = await tests.get(project, id);
				if (!test || !isActive(test)) throw new Error("the test is gone");
				return runAnswer(await runNow(test, `asked ${job.id} ${job.timestamp}`));
			},
		},
		{ ...queue, concurrency: CONCURRENCY },
	);
	const stopTicking = keepTicking(producer, tick_ms, "tick", {});
	const endPresence = sayLocation(redis, location, now);
	return {
		async close() {
			stopTicking();
			endPresence();
			closing.abort(new Error("the worker is closing"));
			await worker.close();
			await producer.close();
		},
	};
}

function isActive(test: Definition<SyntheticTest>): test is Definition<ActiveTest> {
	return test.body.type !== "heartbeat";
}

function isRunAt(test: SyntheticTest, location: string): boolean {
	return test.type !== "heartbeat" && test.enabled && test.locations.includes(location);
}

function scheduled({ project, id, body, updated_at }: Definition<SyntheticTest>): Scheduled {
	return { project, id, frequency_seconds: body.frequency_seconds, updated_at: updated_at.getTime() };
}

/** Names of projects are anything, ids of jobs have no colon. */
function jobIdOf({ project, id, instant }: { project: string; id: string; instant: number }): string {
	return `run-${createHash("sha256").update(`${project} ${id}`).digest("hex").slice(0, 32)}-${instant}`;
}
