/**
 * Runs the roles of one process: starts what they stand on, in order, and stops it in reverse. The order of stopping is the
 * promise: no intake any more, then what was accepted is stored, then the parts below go.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import type { Logger } from "pino";
import type { Role, Settings } from "./config.ts";
import { type Engine, startEngine } from "./engine/supervisor.ts";
import { createApp } from "./http/app.ts";
import { createAuth } from "./http/auth.ts";
import { KEY_DOCS, keyRoutes } from "./http/key-routes.ts";
import { KeyStore } from "./http/keys.ts";
import { LocalRateLimiter } from "./http/rate-limit.ts";
import { createIngest, INGEST_DOCS, type Ingest } from "./ingest/index.ts";
import { lockFolder } from "./lock.ts";
import { QUERY_DOCS, type QueryDeps, queryRoutes } from "./query/index.ts";
import { Queries } from "./query/run.ts";
import { AuditLog } from "./schema/audit.ts";
import { type ClickHouse, connectClickHouse } from "./schema/clickhouse.ts";
import { migrate } from "./schema/migrate.ts";
import { type Retention, retentionDays } from "./schema/retention.ts";
import { type EmbeddedRedis, startRedis } from "./workers/redis.ts";
import type { Outbox } from "./workers/self/outbox.ts";
import { type Pipeline, startSelf } from "./workers/self/self.ts";

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

/** A start that cannot succeed, told in one line. */
export class StartError extends Error {
	override readonly name = "StartError";
}

/** Of the embedded engine, and of a server whose settings name none. */
export const DATABASE = "tidemark";
const REFUSE_MS = 10_000;
const DRAIN_MS = 20_000;
const KEY_USE_INTERVAL_MS = 60_000;
const READY_MS = 3_000;
const DAY_MS = 86_400_000;

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
		const requireRole = createAuth({ keys, limiter: new LocalRateLimiter() });
		const uses = setInterval(() => {
			keys.flushUses().catch((err) => logger.warn({ err }, "last uses of keys could not be stored"));
		}, KEY_USE_INTERVAL_MS);
		stops.push(async () => {
			clearInterval(uses);
			await keys.flushUses().catch((err) => logger.warn({ err }, "last uses of keys could not be stored"));
		});

		const ingest = roles.includes("ingest") ? await startIngest(settings, clickhouse, logger) : undefined;
		if (ingest) stops.push(() => ingest.close(DRAIN_MS));
		const self = await startSelf({
			...{ version, roles, outbox, logger },
			collectInterval_ms: settings.collectIntervalMs,
			pipeline: ingest && pipelineOf(ingest, clickhouse, settings),
			children: [
				...(engine ? [{ component: "engine", pid: () => engine.pid }] : []),
				...(redis ? [{ component: "redis", pid: () => redis.pid }] : []),
			],
			engineRestarts: () => engine?.restarts,
		});
		stops.push(() => self.stop());

		const reads = roles.includes("query");
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
			metrics: self.registry,
			docs: [...KEY_DOCS, ...(ingest ? INGEST_DOCS : []), ...(reads ? QUERY_DOCS : [])],
			onRequest: (request) => self.onRequest(request),
			onError: (err, requestId) => logger.error({ err, requestId }, "a request failed"),
		});
		app.route("/", keyRoutes({ keys, audit: new AuditLog(clickhouse), requireRole }));
		if (ingest) app.route("/", ingest.routes(requireRole));
		if (reads)
			app.route("/", queryRoutes({ queries: new Queries({ client: readers }), reach: reachOf(settings), requireRole }));
		front.open(app.fetch);
		// Pushed last, so it goes first.
		stops.push(() => front.refuse());
		logger.info({ version, roles, url: front.url }, "started");
		return { url: front.url, newAdminKey, stop };
	} catch (error) {
		await stop().catch((err) => logger.error({ err }, "what was started did not stop"));
		throw error;
	}
}

/** The embedded engine without the rest, for tools and repairs. @throws StartError, or an error of the engine */
export async function startEngineAlone(settings: Settings, logger: Logger): Promise<Engine> {
	makeFolder(settings.dataDir);
	return await startEmbedded(settings, logger);
}

export function retentionOf(settings: Settings): Retention {
	return {
		metrics_days: Math.ceil(settings.metricsRetentionMs / DAY_MS),
		logs_days: Math.ceil(settings.logsRetentionMs / DAY_MS),
		events_days: Math.ceil(settings.eventsRetentionMs / DAY_MS),
	};
}

/** How far back raw points and each tier can answer. */
function reachOf(settings: Settings): QueryDeps["reach"] {
	const retention = retentionOf(settings);
	const days = retentionDays(retention);
	return { raw_days: retention.metrics_days, tier_days: ({ rollup }) => days[rollup]! };
}

function makeFolder(folder: string): void {
	try {
		mkdirSync(folder, { recursive: true });
		const probe = join(folder, ".writable");
		writeFileSync(probe, randomBytes(4_096), { flush: true });
	} catch (cause) {
		throw new StartError(`The data folder ${folder} cannot be written: ${(cause as Error).message}`, { cause });
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

/** Connects to ClickHouse, the embedded one or that of the settings, with all migrations run. */
async function connect(
	settings: Settings,
	logger: Logger,
	stops: (() => Promise<unknown>)[],
): Promise<{ clickhouse: ClickHouse; readers: ClickHouse; engine: Engine | undefined }> {
	const engine = settings.clickhouseUrl ? undefined : await startEmbedded(settings, logger);
	if (engine) stops.push(() => engine.stop());
	const at = engine
		? { url: engine.url, user: engine.user, password: engine.password, database: DATABASE }
		: serverOf(settings);
	const admin = connectClickHouse({ ...at, database: "default" });
	try {
		await migrate(admin, {
			database: at.database,
			cluster: settings.clickhouseCluster,
			retention: retentionOf(settings),
		});
	} catch (cause) {
		if (engine) throw cause;
		const [line] = (cause as Error).message.split("\n");
		throw new StartError(`ClickHouse at ${at.url} cannot be used: ${line}`, { cause });
	} finally {
		await admin.close();
	}
	const clickhouse = connectClickHouse(at);
	// Sockets of their own: a rush of questions must not keep the loader waiting for one.
	const readers = connectClickHouse(at);
	stops.push(() => Promise.all([clickhouse.close(), readers.close()]));
	return { clickhouse, readers, engine };
}

/** The server of the settings; what stands in its URL wins over what stands beside it. */
export function serverOf(settings: Settings) {
	const url = new URL(settings.clickhouseUrl!);
	const database = url.pathname.slice(1) || url.searchParams.get("database") || settings.clickhouseDatabase || DATABASE;
	const user = decodeURIComponent(url.username) || settings.clickhouseUser;
	const password = decodeURIComponent(url.password) || settings.clickhousePassword;
	return { url: url.origin, user, password, database };
}

/** The embedded engine, with what other tools need to find it in `engine.json`. */
async function startEmbedded(settings: Settings, logger: Logger): Promise<Engine> {
	const engine = await startEngine({
		dataDir: join(settings.dataDir, "clickhouse"),
		port: settings.enginePort,
		password: enginePassword(join(settings.dataDir, "engine-password")),
		maxMemoryBytes: settings.engineMemoryBytes,
		logger,
		onRestart: () => describe(engine),
	});
	// For other tools on this machine: curl, Grafana, `tidemark query-sql`.
	const describe = ({ url, user, password, pid }: Engine) =>
		writeFileSync(
			join(settings.dataDir, "engine.json"),
			`${JSON.stringify({ url, user, password, database: DATABASE, pid }, null, "\t")}\n`,
			{ mode: 0o600 },
		);
	describe(engine);
	return engine;
}

/** One password for the life of the folder, so that tools keep working over restarts. */
function enginePassword(path: string): string {
	try {
		writeFileSync(path, randomBytes(24).toString("hex"), { flag: "wx", mode: 0o600 });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
	return readFileSync(path, "utf8").trim();
}

function startIngest(settings: Settings, clickhouse: ClickHouse, logger: Logger): Promise<Ingest> {
	return createIngest({
		folder: join(settings.dataDir, "journal"),
		...{ clickhouse, logger, retention: retentionOf(settings) },
		alone: settings.clickhouseUrl === undefined,
		maxBodyBytes: settings.maxBodyBytes,
		maxRecords: settings.maxRecords,
		seriesPerProject: settings.seriesLimit,
		journalBudgetBytes: settings.journalBudgetBytes,
	});
}

/** The way of the program's own records: that of all others, and like them they wait outside while the journal is full. */
function pipelineOf(ingest: Ingest, clickhouse: ClickHouse, settings: Settings): Pipeline {
	const { selfProject: project, journalBudgetBytes } = settings;
	const inlet =
		project === undefined
			? undefined
			: {
					write: (signal: "metric" | "event" | "log", records: readonly object[]) =>
						ingest.write(project, signal, records),
					ready: () => ingest.status().journalBytes < journalBudgetBytes,
				};
	return { inlet, ledger: () => ingest.status(), clickhouse };
}

function assertStoring(ingest: Ingest): void {
	const { trouble } = ingest.status();
	if (trouble?.failure === "stop") throw new Error(`records cannot be stored: ${trouble.message}`);
}

type Fetch = Parameters<typeof createAdaptorServer>[0]["fetch"];

interface Front {
	readonly url: string;
	/** From now on requests go to the app. */
	open(fetch: Fetch): void;
	/** From now on requests are refused; resolves when those under way are answered, or had their time. */
	refuse(): Promise<void>;
	close(): Promise<void>;
}

/**
 * Listens before anything else is started, so that a busy port is told at once and a probe gets an answer while the rest
 * comes up.
 */
async function listen(host: string, port: number): Promise<Front> {
	const unready = (what: string) => (request: Request) => {
		const live = new URL(request.url).pathname === "/livez";
		const body = live ? { status: "ok" } : { error: `Tidemark is ${what}`, code: 503, part: "server", retry_after: 1 };
		return Response.json(body, { status: live ? 200 : 503, headers: { "Retry-After": "1" } });
	};
	let handle: Fetch = unready("starting");
	let under_way = 0;
	let settled: (() => void) | undefined;
	const server = createAdaptorServer({
		fetch: async (request, env) => {
			under_way++;
			try {
				return await handle(request, env);
			} finally {
				if (--under_way === 0) settled?.();
			}
		},
	}) as Server;
	// Longer than the minute for which proxies and clients keep idle connections: whoever closes first must not be us, or a
	// request meets a closed socket.
	server.keepAliveTimeout = 75_000;
	await new Promise<void>((resolve, reject) => {
		server.once("error", (cause: NodeJS.ErrnoException) => {
			const why = cause.code === "EADDRINUSE" ? "it is in use" : cause.message;
			reject(new StartError(`Cannot listen on ${host}:${port}: ${why}. Set PORT to another one.`, { cause }));
		});
		server.listen(port, host, () => resolve());
	});
	const address = server.address() as { port: number };
	const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
	return {
		url: `http://${name.includes(":") ? `[${name}]` : name}:${address.port}`,
		open: (fetch) => {
			handle = fetch;
		},
		async refuse() {
			handle = unready("stopping");
			if (under_way === 0) return;
			let late: NodeJS.Timeout | undefined;
			await new Promise<void>((resolve) => {
				settled = resolve;
				// Who sends a body by drips is not waited for.
				late = setTimeout(resolve, REFUSE_MS);
			});
			clearTimeout(late);
		},
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}
