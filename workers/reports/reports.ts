/** The reports of a worker process: what is due is looked for, and asked for as jobs. */
import type { Logger } from "pino";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { Definitions } from "../../schema/definitions.ts";
import { JobStore } from "../../schema/jobs.ts";
import { Deliveries } from "../../schema/reports/deliveries.ts";
import { ReportFiles } from "../../schema/reports/files.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import { NOTIFICATIONS_KIND, REPORT_KIND, storedNotifications, storedReport } from "../../schema/wire/index.ts";
import type { JobKind } from "../jobs/job.ts";
import type { SenderOptions } from "../notify/send.ts";
import { consume, Producer } from "../queues.ts";
import { deliveryJob } from "./deliver.ts";
import { DueReports } from "./due.ts";
import { type Compose, type Render, reportJob } from "./run.ts";

export interface ReportsOptions extends SenderOptions {
	readonly clickhouse: ClickHouse;
	readonly box: SecretBox;
	readonly publicUrl: () => string;
	readonly compose: Compose;
	readonly render: Render;
	/** How long files are kept. */
	readonly retention_ms: number;
}

/** The kinds of jobs that reports are made of. */
export function reportJobs(options: ReportsOptions): JobKind[] {
	const { clickhouse, now } = options;
	const parts = {
		reports: new Definitions(clickhouse, REPORT_KIND, storedReport, now),
		channels: new Definitions(clickhouse, NOTIFICATIONS_KIND, storedNotifications, now),
		...{ jobs: new JobStore(clickhouse, now), files: new ReportFiles(clickhouse) },
		deliveries: new Deliveries(clickhouse),
	};
	return [reportJob({ ...options, ...parts }), deliveryJob({ ...options, ...parts })];
}

export interface ScheduleOptions {
	readonly clickhouse: ClickHouse;
	readonly redisUrl: string;
	readonly logger: Logger;
	/** Milliseconds since the epoch. */
	readonly now?: () => number;
	readonly tick_ms?: number;
}

const TICK_MS = 5_000;
/** How often it is looked whether Redis still knows of the tick. */
const SCHEDULE_MS = 15_000;

/** Starts to look for what is due; with Redis away it waits, and then makes up for it once. */
export function startReports(options: ScheduleOptions): { close(): Promise<void> } {
	const { clickhouse, redisUrl, logger, now = Date.now, tick_ms = TICK_MS } = options;
	const due = new DueReports({
		reports: new Definitions(clickhouse, REPORT_KIND, storedReport, now),
		...{ jobs: new JobStore(clickhouse, now), logger },
	});
	const producer = new Producer("reports", { redisUrl, logger });
	const worker = consume("reports", { tick: () => due.look(now()) }, { redisUrl, logger, concurrency: 1 });
	const schedule = () => void producer.every(tick_ms, "tick", {}).catch(() => undefined);
	schedule();
	const timer = setInterval(schedule, Math.min(SCHEDULE_MS, 3 * tick_ms));
	return {
		async close() {
			clearInterval(timer);
			await worker.close();
			await producer.close();
		},
	};
}
