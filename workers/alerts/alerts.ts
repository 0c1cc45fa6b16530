/** The alerts of a worker process: what is due is found by a tick, and evaluated by whichever worker takes the job. */
import { createHash } from "node:crypto";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { AlertAsking } from "../../query/measures/alerting/asking.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { Definitions, type Scanned } from "../../schema/definitions.ts";
import type { LiveBus } from "../../schema/live/bus.ts";
import { type AlertRule, alertRule } from "../../schema/wire/index.ts";
import { consume, keepTicking, Producer } from "../queues.ts";
import { watermark } from "../watermark.ts";
import { KeptBaselines } from "./baselines.ts";
import { dueOf } from "./due.ts";
import { evaluateProject } from "./evaluator.ts";
import { tellViewers } from "./live.ts";
import { type EvaluationStanding, Standing } from "./standing.ts";
import { AlertStore, type Evaluated, type HistoryRow } from "./store.ts";

export interface AlertsOptions {
	readonly clickhouse: ClickHouse;
	/** For the watermarks; fails at once when it is away. */
	readonly redis: Redis;
	readonly redisUrl: string;
	readonly bus: LiveBus;
	readonly asking: (project: string) => AlertAsking;
	/** Hears of every row of the history, once it is stored. */
	readonly onHistory?: (rows: readonly HistoryRow[]) => void;
	readonly logger: Logger;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	readonly tick_ms?: number;
}

export interface Alerts {
	/** Whether the evaluation keeps up; undefined before it was looked up. */
	standing(): EvaluationStanding | undefined;
	close(): Promise<void>;
}

const TICK_MS = 5_000;
/** How often it is looked whether the evaluation keeps up. */
const LOOK_MS = 15_000;
const CONCURRENCY = 4;
const TRIES = { attempts: 3, backoff: { type: "exponential", delay: 500 } } as const;

/** Starts to evaluate; with Redis away it waits, and goes on from where it was. */
export function startAlerts(options: AlertsOptions): Alerts {
	const { clickhouse, redis, redisUrl, bus, asking, logger, now = Date.now, tick_ms = TICK_MS } = options;
	const started = now();
	const store = new AlertStore(clickhouse, now);
	const rules = new Definitions(clickhouse, "alert", alertRule, now);
	const kept = new KeptBaselines();
	const baselines = (project: string) => kept.of(project);
	const producer = new Producer("alerts", { redisUrl, logger });
	const onHistory = (rows: readonly HistoryRow[]) => {
		tellViewers(bus, rows);
		options.onHistory?.(rows);
	};
	const worker = consume(
		"alerts",
		{
			async tick() {
				const [through, all, progress] = await Promise.all([
					watermark(redis, now(), started),
					rules.scan(),
					store.progress(),
				]);
				for (const project of dueProjects(all, progress, through)) {
					// While a project is evaluated its job is there, and is not added again.
					await producer.add("evaluate", { project }, { jobId: jobIdOf(project), ...TRIES });
				}
			},
			async evaluate({ project }) {
				for (let isMore = true; isMore; ) {
					const through = await watermark(redis, now(), started);
					isMore = await evaluateProject(
						{ store, asking, onHistory, baselines },
						project,
						await rules.scan(project),
						through,
					);
				}
			},
		},
		{ redisUrl, logger, concurrency: CONCURRENCY },
	);
	const stopTicking = keepTicking(producer, tick_ms, "tick", {});
	const standing = new Standing(rules, store, now);
	// Each process looks for itself: only one of them has the tick.
	const look = () => void standing.refresh().catch(() => undefined);
	look();
	const looking = setInterval(look, Math.min(LOOK_MS, 3 * tick_ms));
	return {
		standing: () => standing.get(),
		async close() {
			clearInterval(looking);
			stopTicking();
			await worker.close();
			await producer.close();
		},
	};
}

/** Projects in which a rule is due, cannot be read any more, or has ended and must be put away. */
export function dueProjects(
	{ definitions, unreadable }: Scanned<AlertRule>,
	progress: ReadonlyMap<string, ReadonlyMap<string, Evaluated>>,
	through: number,
): Set<string> {
	const due = new Set<string>();
	const live = new Set<string>();
	for (const rule of definitions) {
		live.add(`${rule.project} ${rule.id}`);
		const evaluated = progress.get(rule.project)?.get(rule.id)?.evaluated_at;
		const since = rule.updated_at.getTime();
		// A rule that was changed or disabled since is looked at, whatever its next instant.
		const isDue = rule.body.enabled
			? dueOf(rule.body, { evaluated, since, through }) !== undefined
			: evaluated !== undefined && evaluated < since;
		if (isDue) due.add(rule.project);
	}
	for (const { project, id, error } of unreadable) {
		live.add(`${project} ${id}`);
		if (progress.get(project)?.get(id)?.error !== error.message) due.add(project);
	}
	for (const [project, alerts] of progress) {
		for (const id of alerts.keys()) if (!live.has(`${project} ${id}`)) due.add(project);
	}
	return due;
}

/** Names of projects are anything, ids of jobs have no colon. */
function jobIdOf(project: string): string {
	return `evaluate-${createHash("sha256").update(project).digest("hex").slice(0, 32)}`;
}
