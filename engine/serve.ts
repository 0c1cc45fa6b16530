/** Puts the engine together: data folder, sessions, pipes, HTTP server; and takes it down again. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdir, rm, statfs, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Session } from "chdb";
import { type Logger, pino } from "pino";
import { createQueryControl } from "./control.ts";
import { findLost, takeBack } from "./deduplication-logs.ts";
import { readContentTypes } from "./formats.ts";
import { createHttpServer } from "./http.ts";
import { createPipes } from "./pipe.ts";
import { createSessionPool } from "./sessions.ts";
import { connectionArgs, type EngineSettings, sessionSettings, transitDir, userFilesDir } from "./settings.ts";
import { ParkedThreads } from "./threads.ts";

export interface RunningEngine {
	port: number;
	version: string;
	/** Lets queries finish, cancels those that do not, closes the folder. @throws when some cannot be cancelled. */
	stop(): Promise<void>;
}

/** How long to wait for the lock of an engine that is just going down. */
const LOCK_WAIT_MS = 5000;
const LOCK_RETRY_MS = 250;
/** How long a stopping engine lets its queries run. */
const DRAIN_MS = 5000;
const CANCEL_MS = 2000;

class StartError extends Error {
	readonly code: string;

	constructor(code: string, message: string, cause?: unknown) {
		super(message, { cause });
		this.code = code;
	}
}

/** Opens the engine on the folder, waiting a little for another engine's lock. The engine says why only on stderr. */
async function openEngine(settings: EngineSettings): Promise<Session> {
	const deadline = Date.now() + LOCK_WAIT_MS;
	for (;;) {
		try {
			return new Session(settings.dataDir, { connectionArgs: connectionArgs(settings) });
		} catch (error) {
			if (Date.now() > deadline) {
				throw new StartError("ENGINE_NOT_OPENED", `the engine could not open ${settings.dataDir}`, error);
			}
		}
		await sleep(LOCK_RETRY_MS);
	}
}

/** Fails with the system's error when the folder cannot be written or its disk is full. */
async function probeFolder(settings: EngineSettings): Promise<void> {
	const transit = transitDir(settings.dataDir);
	await mkdir(transit, { recursive: true });
	await mkdir(join(settings.dataDir, "backups"), { recursive: true });
	await mkdir(userFilesDir(settings.dataDir), { recursive: true });
	const probe = join(transit, `probe-${process.pid}`);
	try {
		await writeFile(probe, Buffer.alloc(64 * 1024));
	} finally {
		await rm(probe, { force: true });
	}
	const { bavail, bsize } = await statfs(settings.dataDir);
	if (bavail * bsize === 0) throw new StartError("ENOSPC", `no space left on the disk of ${settings.dataDir}`);
}

/**
 * Listens on loopback. A port of our choice is taken below the system's range for outgoing connections: from that range
 * a client could be given the port of an engine that is just restarting, even for its own attempt to reach it.
 */
async function listen(server: Server, port: number): Promise<number> {
	const listenOn = async (candidate: number): Promise<void> => {
		server.listen({ host: "127.0.0.1", port: candidate });
		await once(server, "listening");
	};
	if (port !== 0) {
		await listenOn(port);
		return port;
	}
	for (let attempt = 1; ; attempt++) {
		const candidate = randomInt(20_000, 32_000);
		try {
			await listenOn(candidate);
			return candidate;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || attempt === 100) throw error;
		}
	}
}

/** Makes repeated inserts of what was cut off by a crash possible again; see {@link findLost}. Nothing else may use the tables yet. */
function repairDeduplication(session: Session, logger: Logger): void {
	const rows = session.query(
		`SELECT database, name, data_paths[1] AS folder FROM system.tables
		WHERE engine LIKE '%MergeTree' AND engine NOT LIKE 'Replicated%' AND notEmpty(data_paths)`,
		"JSONEachRow",
	);
	const quoted = (name: string) => `\`${name.replace(/[\\`]/g, "\\$&")}\``;
	const tables = rows
		.split("\n")
		.filter(Boolean)
		.map((row) => {
			const { database, name, folder } = JSON.parse(row) as Record<"database" | "name" | "folder", string>;
			return { name: `${quoted(database)}.${quoted(name)}`, folder };
		});
	for (const lost of findLost(tables)) {
		session.query(`DETACH TABLE ${lost.table} SYNC`);
		takeBack(lost);
		session.query(`ATTACH TABLE ${lost.table}`);
		const parts = lost.entries.map(({ part }) => part);
		logger.warn(
			{ table: lost.table, parts },
			"an insert was cut off between its deduplication and its part; it may be repeated",
		);
	}
}

/** @throws with `code`: an errno name, or `ENGINE_NOT_OPENED`. */
export async function runEngine(settings: EngineSettings): Promise<RunningEngine> {
	// stdout belongs to the parent's log; lines carry their own level.
	const logger = pino({ base: { component: "engine" } });
	await probeFolder(settings);
	// The engine takes a table name that is the name of a file in the working directory for that file.
	process.chdir(userFilesDir(settings.dataDir));
	const control = await openEngine(settings);
	repairDeduplication(control, logger);
	// Only now that the folder is ours: what lies in transit belongs to requests that died with their engine.
	const transit = transitDir(settings.dataDir);
	await rm(transit, { recursive: true, force: true });
	await mkdir(transit, { recursive: true });
	const [version, timezone] = control.query("SELECT version(), timezone()", "TabSeparated").trim().split("\t");
	const pool = createSessionPool({
		dataDir: settings.dataDir,
		pipeDir: transit,
		size: settings.maxConcurrentQueries,
		base: sessionSettings(settings),
		onRunning: (running) => threads.fit(running),
	});
	const parking = join(transit, "parking");
	createPipes([...pool.pipePaths, parking]);
	const threads = new ParkedThreads(parking);
	const server = createHttpServer({
		pool,
		password: settings.password,
		transitDir: transit,
		version: version!,
		timezone: timezone!,
		displayName: hostname(),
		contentType: readContentTypes(control),
		control: createQueryControl(control, logger),
		logger,
	});
	const port = await listen(server, settings.port);
	return {
		port,
		version: version!,
		async stop() {
			const drained = async (within_ms: number): Promise<boolean> => {
				const deadline = Date.now() + within_ms;
				while (pool.running > 0 && Date.now() < deadline) await sleep(20);
				return pool.running === 0;
			};
			server.close();
			server.closeIdleConnections();
			const clean = await drained(DRAIN_MS);
			// Dropping the clients cancels what they wait for.
			server.closeAllConnections();
			if (!clean && !(await drained(CANCEL_MS))) throw new Error("queries did not end");
			pool.close();
			control.close();
			threads.wakeAll();
		},
	};
}
