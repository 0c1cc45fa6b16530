/** Watches for calls that do not come. */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { beatReach_ms, type LastBeat, type lastBeats, missedAt } from "../../query/measures/heartbeats.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import { type HeartbeatTest, type SyntheticTest, syntheticTest } from "../../schema/wire/index.ts";
import { consume, keepTicking, Producer } from "../queues.ts";
import { watermark } from "../watermark.ts";
import { checkRecord } from "./record.ts";

export interface HeartbeatsOptions {
	readonly clickhouse: ClickHouse;
	/** For the watermarks; fails at once when it is away. */
	readonly redis: Redis;
	readonly redisUrl: string;
	/** Asks `lastBeats` about a project. */
	readonly lastBeats: (project: string, ...of: Parameters<typeof lastBeats>) => Promise<Map<string, LastBeat>>;
	readonly write: (project: string, events: readonly object[]) => Promise<unknown>;
	readonly logger: Logger;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	readonly tick_ms?: number;
}

const TICK_MS = 5_000;

type Heartbeat = Definition<HeartbeatTest>;

export function startHeartbeats(options: HeartbeatsOptions): { close(): Promise<void> } {
	const { clickhouse, redis, redisUrl, write, logger, now = Date.now, tick_ms = TICK_MS } = options;
	const tests = new Definitions(clickhouse, "synthetic_test", syntheticTest, now);
	const started = now();
	const producer = new Producer("heartbeats", { redisUrl, logger });
	const worker = consume(
		"heartbeats",
		{
			async tick() {
				const through = await watermark(redis, now(), started);
				for (const [project, watched] of byProject((await tests.list()).filter(isWatched))) {
					const start = through - Math.max(...watched.map(({ body }) => beatReach_ms(body)));
					const ids = watched.map(({ id }) => id);
					// Those after the watermark count too: a call that is known did come.
					const beats = await options.lastBeats(project, { start, end: now() + tick_ms }, ids);
					const misses = watched.flatMap((test) => missOf(test, beats.get(test.id), { started, through }));
					if (misses.length > 0) await write(project, misses);
				}
			},
		},
		{ redisUrl, logger, concurrency: 1 },
	);
	const stopTicking = keepTicking(producer, tick_ms, "tick", {});
	return {
		async close() {
			stopTicking();
			await worker.close();
			await producer.close();
		},
	};
}

/** The record of a call that did not come, if there is a new one. Told twice it counts once, by the instant. */
export function missOf(
	{ id, body, updated_at }: Heartbeat,
	last: LastBeat | undefined,
	{ started, through }: { readonly started: number; readonly through: number },
): object[] {
	const { frequency_seconds, grace_seconds } = body;
	const since = Math.max(started, updated_at.getTime());
	const at = missedAt({ frequency_seconds, grace_seconds, last, since, through });
	if (at === undefined) return [];
	const error = `no call within ${frequency_seconds} s and ${grace_seconds} s of grace`;
	const result = {
		status: "failed",
		duration_ms: null,
		status_code: null,
		timings: null,
		tls_days_left: null,
	} as const;
	return [
		checkRecord({
			test_id: id,
			test: body,
			at,
			instant: `missed ${at}`,
			missed: true,
			result: { ...result, attempts: null, error },
		}),
	];
}

function isWatched(test: Definition<SyntheticTest>): test is Heartbeat {
	return test.body.type === "heartbeat" && test.body.enabled;
}

function byProject(tests: readonly Heartbeat[]): Map<string, Heartbeat[]> {
	const groups = new Map<string, Heartbeat[]>();
	for (const test of tests) groups.set(test.project, [...(groups.get(test.project) ?? []), test]);
	return groups;
}
