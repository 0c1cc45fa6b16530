/** What a process keeps its records in: the data folder, ClickHouse and Redis, the embedded ones or those of the settings. */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Logger } from "pino";
import { type Engine, startEngine } from "./engine/supervisor.ts";
import { type ClickHouse, connectClickHouse } from "./schema/clickhouse.ts";
import { migrate } from "./schema/migrate.ts";
import type { Retention } from "./schema/retention.ts";
import { SecretBox } from "./schema/secret-box.ts";
import type { Settings } from "./settings.ts";

/** A start that cannot succeed, told in one line. */
export class StartError extends Error {
	override readonly name = "StartError";
}

/** Of the embedded engine, and of a server whose settings name none. */
export const DATABASE = "tidemark";
/** A command that waits longer is no help to a request. */
const REDIS_COMMAND_MS = 250;
const REDIS_CONNECT_MS = 5_000;
const REDIS_RETRY_MS = 1_000;
const DAY_MS = 86_400_000;

/** Where the files of exports lie, and for how long. */
export function exportsOf(settings: Settings): { readonly folder: string; readonly retention_ms: number } {
	const folder = settings.exportsDir ?? join(settings.dataDir, "exports");
	return { folder, retention_ms: settings.exportsRetentionMs };
}

/** Makes the data folder, and makes sure that it can be written. @throws StartError */
export function makeFolder(folder: string): void {
	try {
		mkdirSync(folder, { recursive: true });
		const probe = join(folder, ".writable");
		writeFileSync(probe, randomBytes(4_096), { flush: true });
	} catch (cause) {
		throw new StartError(`The data folder ${folder} cannot be written: ${(cause as Error).message}`, { cause });
	}
}

/** The embedded engine without the rest, for tools and repairs. @throws StartError, or an error of the engine */
export async function startEngineAlone(settings: Settings, logger: Logger): Promise<Engine> {
	makeFolder(settings.dataDir);
	return await startEmbedded(settings, logger);
}

/** Connects to ClickHouse, the embedded one or that of the settings, with all migrations run. */
export async function connect(
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

/** A client that says at once when Redis is away; what asks it must have another way. */
export function connectRedis(url: string, logger: Logger, stops: (() => Promise<unknown>)[]): Redis {
	const redis = new Redis(url, {
		...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
		commandTimeout: REDIS_COMMAND_MS,
		connectTimeout: REDIS_CONNECT_MS,
		retryStrategy: (attempt) => Math.min(attempt * 100, REDIS_RETRY_MS),
	});
	let away = false;
	redis.on("error", (err) => {
		if (!away) logger.warn({ err }, "Redis is away; keys are limited by each process on its own");
		away = true;
	});
	redis.on("ready", () => {
		if (away) logger.info("Redis is back");
		away = false;
	});
	stops.push(async () => redis.disconnect());
	return redis;
}

/** A connection for subscriptions, which waits for Redis as long as it takes. */
export function subscribeRedis(url: string, logger: Logger, stops: (() => Promise<unknown>)[]): Redis {
	const redis = new Redis(url, {
		// The bus takes its subscriptions up again itself, since it must know when that is done.
		...{ autoResubscribe: false, maxRetriesPerRequest: null, connectTimeout: REDIS_CONNECT_MS },
		commandTimeout: REDIS_CONNECT_MS,
		retryStrategy: (attempt) => Math.min(attempt * 100, REDIS_RETRY_MS),
	});
	let away = false;
	redis.on("error", (err) => {
		if (!away) logger.warn({ err }, "Redis is away; streams show only what comes in by this process");
		away = true;
	});
	redis.on("ready", () => {
		away = false;
	});
	stops.push(async () => redis.disconnect());
	return redis;
}

/** The server of the settings; what stands in its URL wins over what stands beside it. */
export function serverOf(settings: Settings) {
	const url = new URL(settings.clickhouseUrl!);
	const database = url.pathname.slice(1) || url.searchParams.get("database") || settings.clickhouseDatabase || DATABASE;
	const user = decodeURIComponent(url.username) || settings.clickhouseUser;
	const password = decodeURIComponent(url.password) || settings.clickhousePassword;
	return { url: url.origin, user, password, database };
}

/** Where the tables are, for what changes them as a whole. */
export function placeOf(settings: Settings, client: ClickHouse) {
	const { database } = settings.clickhouseUrl ? serverOf(settings) : { database: DATABASE };
	return { client, database, cluster: settings.clickhouseCluster };
}

/** The embedded engine, with what other tools need to find it in `engine.json`. */
async function startEmbedded(settings: Settings, logger: Logger): Promise<Engine> {
	const engine = await startEngine({
		dataDir: join(settings.dataDir, "clickhouse"),
		port: settings.enginePort,
		password: madeOnce(join(settings.dataDir, "engine-password")),
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

/** Opens and seals the secrets of channels: with the keys of the settings, or with one that lives in the data folder. */
export function openSecretBox(settings: Settings): SecretBox {
	const path = join(settings.dataDir, "secret-key");
	// What was sealed before there was a setting is opened with the key that was made then.
	const before = existsSync(path) ? [readFileSync(path, "utf8").trim()] : [];
	return new SecretBox(settings.secretKeys ? [...settings.secretKeys, ...before] : [madeOnce(path)]);
}

/** One secret for the life of the folder, so that tools keep working over restarts. */
function madeOnce(path: string): string {
	try {
		writeFileSync(path, randomBytes(24).toString("hex"), { flag: "wx", mode: 0o600 });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	}
	return readFileSync(path, "utf8").trim();
}

export function retentionOf(settings: Settings): Retention {
	return {
		metrics_days: Math.ceil(settings.metricsRetentionMs / DAY_MS),
		logs_days: Math.ceil(settings.logsRetentionMs / DAY_MS),
		events_days: Math.ceil(settings.eventsRetentionMs / DAY_MS),
	};
}
