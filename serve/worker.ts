/** The role `worker`: what is done without being asked, or takes longer than an answer may. */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Ingest } from "../ingest/index.ts";
import { lastBeats } from "../query/measures/heartbeats.ts";
import { alertAsking } from "../query/monitoring/alerts/asking.ts";
import { reportComposer } from "../query/reports/compose.ts";
import { Queries } from "../query/run.ts";
import { AuditLog } from "../schema/audit.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";
import { Definitions } from "../schema/definitions.ts";
import type { LiveBus } from "../schema/live/bus.ts";
import { resealAll } from "../schema/reseal.ts";
import type { SecretBox } from "../schema/secret-box.ts";
import { kpiBody } from "../schema/wire/index.ts";
import type { Settings } from "../settings.ts";
import { exportsOf, placeOf } from "../storage.ts";
import { type Alerts, startAlerts } from "../workers/alerts/alerts.ts";
import { auditVerifyJob, scheduleVerifications } from "../workers/compliance/verification.ts";
import { dataRightsJobs } from "../workers/data-rights/jobs.ts";
import { destinationAccess, startExportSweep } from "../workers/exports/exports.ts";
import { exportJob } from "../workers/exports/job.ts";
import { startJobs } from "../workers/jobs/runner.ts";
import type { Notifier } from "../workers/notify/notifier.ts";
import { startNotifying } from "../workers/notify/notify.ts";
import type { Outbound } from "../workers/outbound/outbound.ts";
import { renderReport } from "../workers/reports/render/render.ts";
import { reportJobs, startReports } from "../workers/reports/reports.ts";
import { startHeartbeats } from "../workers/synthetics/heartbeats.ts";
import { startSynthetics } from "../workers/synthetics/synthetics.ts";
import { retentionJob } from "../workers/upkeep/retention.ts";
import { startUpkeep } from "../workers/upkeep/upkeep.ts";
import { watermark } from "../workers/watermark.ts";
import { retentionReach } from "./retention.ts";

export interface WorkerRoleOptions {
	readonly settings: Settings;
	readonly clickhouse: ClickHouse;
	readonly readers: ClickHouse;
	readonly redis: Redis;
	readonly redisUrl: string;
	readonly bus: LiveBus;
	/** A worker's results are records like any other. */
	readonly ingest: Ingest;
	readonly outbound: Outbound;
	readonly box: SecretBox;
	readonly notifier: Notifier;
	/** Where people reach this server, without a slash at the end. */
	readonly publicUrl: () => string;
	readonly logger: Logger;
	/** Takes a metric about the program itself. */
	readonly ownMetric: (record: object) => void;
}

/** What others may ask of the workers of a process. */
export interface WorkerRole {
	readonly alerts: Alerts;
}

/** Starts all workers of a process. @param stops is given what is to be stopped, in reverse */
export function startWorkerRole(options: WorkerRoleOptions, stops: (() => Promise<unknown>)[]): WorkerRole {
	const { settings, clickhouse, redis, redisUrl, bus, ingest, outbound, box, notifier, logger } = options;
	const queries = new Queries({ client: options.readers });
	const writeEvents = (project: string, events: readonly object[]) => ingest.write(project, "event", events);

	// A key that was exchanged: what the one before sealed is sealed anew, in the background.
	resealAll(clickhouse, box).then(
		({ resealed, unopened }) => {
			if (resealed + unopened > 0) logger.info({ resealed, unopened }, "secrets were sealed anew with the first key");
		},
		(err) => logger.warn({ err }, "secrets could not be sealed anew; `tidemark secrets reseal` tries again"),
	);
	const notifying = startNotifying({ notifier, redis, redisUrl, logger });
	stops.push(() => notifying.close());
	const kpis = new Definitions(clickhouse, "kpi", kpiBody);
	const { reach, reachOf, retention, book } = retentionReach(settings, clickhouse, stops);
	const alerts = startAlerts({
		...{ clickhouse, redis, redisUrl, bus, logger },
		onHistory: () => notifying.sweepNow(),
		// The evaluation asks what the routes ask, about any project.
		asking: (project) => alertAsking({ queries, reach, reachOf, kpis }, project),
	});
	stops.push(() => alerts.close());
	const synthetics = startSynthetics({
		...{ clickhouse, redis, redisUrl, outbound, box, logger, location: settings.location },
		write: writeEvents,
	});
	stops.push(() => synthetics.close());
	const heartbeats = startHeartbeats({
		...{ clickhouse, redis, redisUrl, logger, write: writeEvents },
		lastBeats: (project, ...of) => queries.of(project).ask(lastBeats(...of)),
	});
	stops.push(() => heartbeats.close());
	const exports = exportsOf(settings);
	const sweep = startExportSweep({ ...exports, clickhouse, logger });
	stops.push(() => sweep.close());
	const began = Date.now();
	const storedThrough = () => watermark(redis, Date.now(), began);
	const audit = new AuditLog(clickhouse);
	const place = placeOf(settings, clickhouse);
	stops.push(startUpkeep({ ...place, book, logger }));
	const exporting = exportJob({
		...{ outbound, folder: exports.folder, access: destinationAccess(clickhouse, box) },
		watermark: storedThrough,
		source: {
			count: (project, question, signal) => queries.of(project, signal).ask(question),
			stream: (project, question, how) => queries.stream(project, question, how),
		},
	});
	const reports = startReports({ clickhouse, redisUrl, logger });
	stops.push(() => reports.close());
	const reporting = reportJobs({
		...{ clickhouse, box, outbound, publicUrl: options.publicUrl, now: Date.now, render: renderReport },
		...{ smtpUrl: settings.smtpUrl, mailFrom: settings.mailFrom, retention_ms: settings.reportsRetentionMs },
		compose: reportComposer({ queries, reach, reachOf, client: clickhouse }),
	});
	const jobs = startJobs({
		...{ clickhouse, redisUrl, logger },
		jobs: [
			exporting,
			auditVerifyJob({ clickhouse, signer: box.signer, logger, ownMetric: options.ownMetric }),
			...reporting,
			...dataRightsJobs({ ...place, box, audit, storedThrough, onErased: () => ingest.announceAgain() }),
			retentionJob({ ...place, retention, audit }),
		],
		onAttempt({ kind, outcome, duration_ms }) {
			const tags = { kind, outcome };
			options.ownMetric({ name: "tidemark.job.duration", value: duration_ms, unit: "ms", kind: "distribution", tags });
		},
	});
	stops.push(() => jobs.close());
	const verifications = scheduleVerifications({ clickhouse, logger });
	stops.push(() => verifications.close());
	return { alerts };
}
