/**
 * Runs the roles of one process: starts what they stand on, in order, and stops it in reverse. The order of stopping is the
 * promise: no intake any more, then what was accepted is stored, then the parts below go.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { listen } from "./front.ts";
import { createApp } from "./http/app.ts";
import { createAuth } from "./http/auth.ts";
import { KEY_DOCS, keyRoutes } from "./http/key-routes.ts";
import { KeyStore } from "./http/keys.ts";
import { LocalRateLimiter } from "./http/rate-limit.ts";
import { SharedRateLimiter } from "./http/shared-rate-limit.ts";
import { createIngest, INGEST_DOCS, type Ingest } from "./ingest/index.ts";
import { lockFolder } from "./lock.ts";
import { CONVENTIONS } from "./query/index.ts";
import type { Live } from "./query/live/routes.ts";
import { AuditLog } from "./schema/audit.ts";
import type { ClickHouse } from "./schema/clickhouse.ts";
import { unreadableDefinitions } from "./schema/definitions.ts";
import { type LiveBus, LocalBus } from "./schema/live/bus.ts";
import { RedisBus } from "./schema/live/redis-bus.ts";
import { startRequestAudit } from "./serve/audit.ts";
import { addQueryRole, QUERY_ROLE_DOCS } from "./serve/query.ts";
import { startWorkerRole, type WorkerRole } from "./serve/worker.ts";
import type { Role, Settings } from "./settings.ts";
import { connect, connectRedis, makeFolder, openSecretBox, retentionOf, subscribeRedis } from "./storage.ts";
import { tellViewers } from "./workers/alerts/live.ts";
import type { EvaluationStanding } from "./workers/alerts/standing.ts";
import { Notifier } from "./workers/notify/notifier.ts";
import { openOutbound } from "./workers/outbound/outbound.ts";
import { type EmbeddedRedis, startRedis } from "./workers/redis.ts";
import { watchEviction } from "./workers/redis-policy.ts";
import type { Outbox } from "./workers/self/outbox.ts";
import { type Pipeline, startSelf } from "./workers/self/self.ts";
import { sayWatermark, watermark } from "./workers/watermark.ts";

export interface ServeOptions {
	readonly settings: Settings;
	readonly roles: readonly Role[];
	readonly logger: Logger;
	readonly version: string;
	/** Where the log's lines wait for the pipeline. */
	readonly outbox: Outbox;
}

export interface Served {
	readonly url: string;
	/** Text of the admin key, when this start made it. */
	readonly newAdminKey: string | undefined;
	/** Stops everything in order. What is not stored by the deadline is replayed by the next start. */
	stop(): Promise<void>;
}

const DRAIN_MS = 20_000;
const KEY_USE_INTERVAL_MS = 60_000;
const READY_MS = 3_000;

/** @throws StartError, or an error of a part whose message is one line */
export async function serve({ settings, roles, logger, version, outbox }: ServeOptions): Promise<Served> {
	// Filled as parts come up, so that a start which fails half-way stops what it has started.
	const stops: (() => Promise<unknown>)[] = [];
	const stop = async () => {
		const failures: unknown[] = [];
		for (let part = stops.pop(); part; part = stops.pop()) await part().catch((error) => failures.push(error));
		if (failures.length > 0) throw failures[0];
	};
	try {
		makeFolder(settings.dataDir);
		const lock = await lockFolder(settings.dataDir);
		stops.push(() => lock.release());
		const front = await listen(settings.host, settings.port);
		stops.push(() => front.close());
		const redis = await startRedisOf(settings, logger, stops);
		const { clickhouse, readers, engine } = await connect(settings, logger, stops);

		const keys = new KeyStore({ client: clickhouse, readLimit: settings.rateLimit });
		const newAdminKey = await keys.ensureAdminKey({ adminKey: settings.adminKey });
		// Known from the first request on, so that writers do not notice when ClickHouse goes away right after the start.
		await keys.refresh();
		const redisUrl = settings.redisUrl ?? redis!.url;
		const shared = connectRedis(redisUrl, logger, stops);
		if (settings.redisUrl) watchEviction(shared, logger);
		const limiter = new SharedRateLimiter({ redis: shared, local: new LocalRateLimiter() });
		const source = randomUUID();
		const bus = startBus(settings, source, shared, logger, stops);
		const requireRole = createAuth({ keys, limiter });
		const uses = setInterval(() => {
			keys.flushUses().catch((err) => logger.warn({ err }, "last uses of keys could not be stored"));
		}, KEY_USE_INTERVAL_MS);
		stops.push(async () => {
			clearInterval(uses);
			await keys.flushUses().catch((err) => logger.warn({ err }, "last uses of keys could not be stored"));
		});

		// A worker's results are records like any other: it has a journal of its own, and no routes to it.
		const ingest =
			roles.includes("ingest") || roles.includes("worker")
				? await startIngest(settings, clickhouse, logger, { bus, source })
				: undefined;
		if (ingest) {
			stops.push(() => ingest.close(DRAIN_MS));
			stops.push(sayWatermark(shared, { source, storedThrough: () => ingest.storedThrough(), now: Date.now }));
		}
		let live: Live | undefined;
		let worker: WorkerRole | undefined;
		const self = await startSelf({
			...{ version, roles, outbox, logger },
			collectInterval_ms: settings.collectIntervalMs,
			pipeline: ingest && pipelineOf({ ingest, clickhouse, settings, redis: shared }),
			children: [
				...(engine ? [{ component: "engine", pid: () => engine.pid }] : []),
				...(redis ? [{ component: "redis", pid: () => redis.pid }] : []),
			],
			engineRestarts: () => engine?.restarts,
			rateLimitFallbacks: () => limiter.fallbacks,
			streams: () => live?.counts,
			evaluation: () => worker?.alerts.standing(),
			unreadable: () => unreadableDefinitions(clickhouse),
		});
		stops.push(() => self.stop());

		const box = openSecretBox(settings);
		const outbound = openOutbound({ allow: settings.outboundAllow ?? [] });
		stops.push(async () => outbound.close());
		const ownMetric = (record: object) => outbox.push("metric", record);
		const publicUrl = () => (settings.publicUrl ?? front.url).replace(/\/+$/, "");
		const notifier = new Notifier({
			...{ clickhouse, box, outbound, logger, now: Date.now, smtpUrl: settings.smtpUrl, mailFrom: settings.mailFrom },
			publicUrl,
			onHistory: (rows) => tellViewers(bus, rows),
			onDead: () => ownMetric({ name: "tidemark.notifications.failed", value: 1, kind: "counter" }),
		});

		const reads = roles.includes("query");
		const docs = [...KEY_DOCS, ...(roles.includes("ingest") ? INGEST_DOCS : []), ...(reads ? QUERY_ROLE_DOCS : [])];
		const audit = new AuditLog(clickhouse);
		const toAudit = startRequestAudit({ audit, clickhouse, docs, logger }, stops);
		const app = createApp({
			version,
			readiness: {
				clickhouse: async () => {
					// One that hangs must not hang the probe as well.
					const ping = await clickhouse.ping({ select: false, abort_signal: AbortSignal.timeout(READY_MS) });
					if (!ping.success) throw new Error("ClickHouse does not answer");
				},
				...(ingest ? { ingest: () => assertStoring(ingest) } : {}),
			},
			watched: roles.includes("worker") ? { alerts: () => assertInTime(worker?.alerts.standing()) } : {},
			metrics: self.registry,
			conventions: CONVENTIONS,
			corsOrigins: settings.corsOrigins,
			docs,
			onRequest(request) {
				self.onRequest(request);
				toAudit(request);
			},
			onError: (err, requestId) => logger.error({ err, requestId }, "a request failed"),
		});
		app.route("/", keyRoutes({ keys, audit, requireRole }));
		if (ingest && roles.includes("ingest")) app.route("/", ingest.routes(requireRole));
		const parts = { settings, clickhouse, readers, redis: shared, redisUrl, bus, box, notifier, publicUrl, logger };
		if (reads) ({ live } = addQueryRole(app, { ...parts, source, audit, requireRole }, stops));
		if (roles.includes("worker")) worker = startWorkerRole({ ...parts, ingest: ingest!, outbound, ownMetric }, stops);
		front.open(app.fetch);
		// Pushed last, so it goes first. Streams would not end by themselves, and their readers can go on elsewhere at once.
		stops.push(() => Promise.all([front.refuse(), live?.close()]));
		logger.info({ version, roles, url: front.url }, "started");
		return { url: front.url, newAdminKey, stop };
	} catch (error) {
		await stop().catch((err) => logger.error({ err }, "what was started did not stop"));
		throw error;
	}
}

/** @returns undefined when the settings name a server */
async function startRedisOf(
	settings: Settings,
	logger: Logger,
	stops: (() => Promise<unknown>)[],
): Promise<EmbeddedRedis | undefined> {
	if (settings.redisUrl) return undefined;
	const redis = await startRedis({ dataDir: settings.dataDir, logger });
	stops.push(() => redis.stop());
	return redis;
}

/** Only a Redis of the settings can have other processes on it; the embedded one is this process' own. */
function startBus(
	settings: Settings,
	source: string,
	publisher: Redis,
	logger: Logger,
	stops: (() => Promise<unknown>)[],
): LiveBus {
	if (!settings.redisUrl) return new LocalBus();
	const bus = new RedisBus({ publisher, subscriber: subscribeRedis(settings.redisUrl, logger, stops), source });
	stops.push(async () => bus.close());
	return bus;
}

function startIngest(
	settings: Settings,
	clickhouse: ClickHouse,
	logger: Logger,
	live: { readonly bus: LiveBus; readonly source: string },
): Promise<Ingest> {
	return createIngest({
		live,
		folder: join(settings.dataDir, "journal"),
		...{ clickhouse, logger, retention: retentionOf(settings) },
		alone: settings.clickhouseUrl === undefined,
		maxBodyBytes: settings.maxBodyBytes,
		maxRecords: settings.maxRecords,
		seriesPerProject: settings.seriesLimit,
		journalBudgetBytes: settings.journalBudgetBytes,
		contentCapture: settings.contentCapture,
	});
}

interface PipelineParts {
	readonly ingest: Ingest;
	readonly clickhouse: ClickHouse;
	readonly settings: Settings;
	readonly redis: Redis;
}

/** The way of the program's own records: that of all others, and like them they wait outside while the journal is full. */
function pipelineOf({ ingest, clickhouse, settings, redis }: PipelineParts): Pipeline {
	const { selfProject: project, journalBudgetBytes } = settings;
	const inlet =
		project === undefined
			? undefined
			: {
					write: (signal: "metric" | "event" | "log", records: readonly object[]) =>
						ingest.write(project, signal, records),
					ready: () => ingest.status().journalBytes < journalBudgetBytes,
				};
	const began = Date.now();
	return {
		...{ inlet, ledger: () => ingest.status(), clickhouse },
		// Without Redis this process knows of itself only.
		storedThrough: () => watermark(redis, Date.now(), began).catch(() => ingest.storedThrough()),
	};
}

function assertStoring(ingest: Ingest): void {
	const { trouble } = ingest.status();
	if (trouble?.failure === "stop") throw new Error(`records cannot be stored: ${trouble.message}`);
}

/** Behind by more than this, people are told too late. */
const LATE_SECONDS = 300;

function assertInTime(standing: EvaluationStanding | undefined): void {
	if (!standing || standing.lag_seconds <= LATE_SECONDS) return;
	throw new Error(`the evaluation of alerts is ${standing.lag_seconds} s behind`);
}
