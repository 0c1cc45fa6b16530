/** Several workers on one Redis, under a clock of the test: who evaluates, when, and what a Redis that forgets or goes away changes. */
import { rm } from "node:fs/promises";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { reachOf } from "../../query/measures/scope.ts";
import { alertAsking } from "../../query/monitoring/alerts/asking.ts";
import { Queries } from "../../query/run.ts";
import { Definitions, unreadableDefinitions } from "../../schema/definitions.ts";
import { LocalBus } from "../../schema/live/bus.ts";
import { projectChannel } from "../../schema/live/frames.ts";
import { kpiBody } from "../../schema/wire/index.ts";
import { type Alerts, startAlerts } from "../../workers/alerts/alerts.ts";
import { type EmbeddedRedis, startRedis } from "../../workers/redis.ts";
import { GONE_MS, sayWatermark } from "../../workers/watermark.ts";
import { temporaryFolder, until } from "../server.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../support/database.ts";
import { MINUTE, Simulation, START } from "./simulation.ts";

const logger = pino({ level: "silent" });
const TICK_MS = 100;

let database: TestDatabase;
let embedded: EmbeddedRedis;
let redis: Redis;
let folder: string;
let sim: Simulation;
let workers: Alerts[] = [];
/** When each worker started, by its clock: it has listened long enough. */
const LISTENED = START - 2 * GONE_MS;

beforeAll(async () => {
	folder = temporaryFolder();
	[database, embedded] = await Promise.all([startDatabase(NO_EXPIRY), startRedis({ dataDir: folder, logger })]);
	redis = new Redis(embedded.url, { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
	await until(() => redis.status === "ready");
}, 60_000);
afterAll(async () => {
	redis?.disconnect();
	await Promise.all([database?.stop(), embedded?.stop()]);
	await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
	await redis.flushall();
	sim = new Simulation(database.client);
	sim.now = LISTENED;
});
afterEach(async () => {
	await Promise.all(workers.map((worker) => worker.close()));
	workers = [];
});

function start(bus = new LocalBus()): Alerts {
	const now = () => sim.now;
	const queries = new Queries({ client: database.client, secondLock: false });
	const kpis = new Definitions(database.client, "kpi", kpiBody, now);
	const worker = startAlerts({
		...{ clickhouse: database.client, redis, redisUrl: embedded.url, bus, logger, now, tick_ms: TICK_MS },
		asking: (project) => alertAsking({ queries, reach: reachOf(NO_EXPIRY), kpis, now }, project),
		onHistory: (rows) => sim.heard.push(...rows),
	});
	workers.push(worker);
	return worker;
}

const deep = {
	conditions: [{ metric: "depth", operator: ">", value: 10, timeframe: "1m" }],
	allow_unknown: true,
} as const;
const passed = (project: string, lines: number) =>
	until(async () => (await sim.path(project, "a")).length >= lines, { what: `${lines} rows of ${project}` });

test("with three workers every instant is evaluated once, and everybody is told once", async () => {
	await sim.values("many", "depth", { 1: 5, 2: 20, 3: 20, 4: 2, 5: 30 });
	start();
	start();
	start();
	sim.now = START;
	await sim.rule("many", "a", deep);
	const expected = ["1 no_data→ok", "2 ok→firing", "4 firing→ok", "5 ok→firing"];
	for (const [i, minute] of [1, 2, 4, 5].entries()) {
		sim.now = START + minute * MINUTE;
		await passed("many", i + 1);
	}
	expect(await sim.path("many", "a")).toEqual(expected);
	const heard = () => sim.heard.filter(({ project }) => project === "many");
	// A row can be read before those who tell people have heard of it.
	await until(() => heard().length >= expected.length, { what: "the last change to be heard of" });
	expect(heard()).toHaveLength(expected.length);
});

test("a Redis that was flushed, and one that was away, lose no instant", async () => {
	await sim.values("flushed", "depth", { 1: 20, 2: 2, 3: 20, 4: 2 });
	start();
	sim.now = START;
	await sim.rule("flushed", "a", deep);
	sim.now = START + MINUTE;
	await passed("flushed", 1);
	await redis.flushall();
	sim.now = START + 2 * MINUTE;
	await passed("flushed", 2);
	await redis.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "no").catch(() => undefined);
	sim.now = START + 4 * MINUTE;
	await passed("flushed", 4);
	expect(await sim.path("flushed", "a")).toEqual(["1 no_data→firing", "2 firing→ok", "3 ok→firing", "4 firing→ok"]);
});

test("nothing is evaluated that ingest has not stored, however long it stands; a process that is gone is waited for no longer", async () => {
	await sim.values("held", "depth", { 1: 20, 2: 2 });
	sim.now = START;
	await sim.rule("held", "a", { ...deep, no_data: "alert" });
	sim.now = START + 2.5 * MINUTE;
	let through = START + 1.5 * MINUTE;
	const stop = sayWatermark(redis, { source: "one", storedThrough: () => through, now: () => sim.now });
	const other = sayWatermark(redis, { source: "two", storedThrough: () => sim.now, now: () => sim.now });
	start();
	await until(async () => ((await sim.path("held", "a")).length >= 2 ? true : undefined), {
		what: "what is stored to be evaluated",
	});
	// Ticks go on: what is not stored would be evaluated by now.
	const ticks = Number(await redis.get("tidemark:alerts:id"));
	await until(async () => Number(await redis.get("tidemark:alerts:id")) > ticks + 5);
	expect(await sim.path("held", "a")).toEqual(["0 no_data→no_data", "1 no_data→firing"]);
	through = START + 2 * MINUTE;
	await passed("held", 3);
	expect((await sim.path("held", "a"))[2]).toBe("2 firing→ok");
	// `one` says no more that it lives, while the other does.
	await stop();
	await redis.hset("tidemark:watermarks", "one", JSON.stringify({ through, at: sim.now }));
	sim.now += GONE_MS + MINUTE;
	await passed("held", 4);
	expect((await sim.path("held", "a"))[3]).toBe("3 ok→no_data");
	await other();
});

test("viewers of a project are told of its alerts, in the words of the document", async () => {
	const told: unknown[] = [];
	const bus = new LocalBus();
	bus.subscribe(projectChannel("seen"), (message) => told.push(message));
	await sim.values("seen", "depth", { 1: 20 });
	start(bus);
	sim.now = START;
	await sim.rule("seen", "a", { ...deep, severity: "critical", name: "Deep" });
	sim.now = START + MINUTE;
	await passed("seen", 1);
	await until(() => told.length > 0);
	expect(told).toMatchObject([
		{
			...{ type: "alert", project: "seen" },
			alert: {
				...{ level: "critical", metric: "depth", value: 20, threshold: 10, alert_id: "a", state: "firing" },
				...{ message: "Deep: depth is 20, above 10", timestamp: new Date(START + MINUTE).toISOString() },
			},
		},
	]);
});

test("a rule that does not fit its schema is in error, and told of; the rules of its own and of other projects go on", async () => {
	for (const project of ["mixed", "beside"]) await sim.values(project, "depth", { 1: 20, 2: 20, 3: 20, 4: 2 });
	const worker = start();
	sim.now = START;
	for (const project of ["mixed", "beside"]) await sim.rule(project, "a", deep);
	await sim.rule("mixed", "b", deep);
	sim.now = START + MINUTE;
	await passed("mixed", 1);
	// As a newer version of the program might write it, and no JSON at all.
	const broken = JSON.stringify({ ...(await sim.rules.get("mixed", "b"))!.body, conditions: [{ type: "forecast" }] });
	await write("b", broken);
	await write("c", "{");
	await until(async () => (await sim.path("mixed", "c")).length > 0, { what: "the error to be noted" });
	sim.now = START + 4 * MINUTE;
	for (const project of ["mixed", "beside"]) await passed(project, 2);
	expect(await sim.path("mixed", "a")).toEqual(["1 no_data→firing", "4 firing→ok"]);
	expect(await sim.path("beside", "a")).toEqual(["1 no_data→firing", "4 firing→ok"]);
	const history = await sim.history("mixed", "c");
	expect(history.map(({ kind, to }) => `${kind} ${to}`).sort()).toEqual(["gap ", "transition error"]);
	expect(history[0]!.reason).toContain("alert c of project mixed does not fit its schema");
	// What burned when it became unreadable burns on: nobody knows better.
	expect((await sim.history("mixed", "b")).map(({ kind }) => kind)).toEqual(["transition", "gap"]);
	expect((await sim.history("mixed", "b"))[1]!.reason).toContain("conditions.0");
	expect(unreadableDefinitions(database.client).get("alert")).toBe(2);
	const standing = () => worker.standing();
	await until(() => standing()?.failing === 2 && standing()?.lag_seconds === 0, { what: "the failing to be counted" });
	sim.now = START + 3600 * MINUTE;
	expect(worker.standing()?.lag_seconds).toBeGreaterThan(3_000 * 60);
	sim.now = START + 4 * MINUTE;
	// Stored anew it goes on, and what burned of the old one is over.
	await sim.rule("mixed", "b", deep);
	await until(async () => (await sim.path("mixed", "b")).some((one) => one.endsWith("firing→ok")));
	await sim.rules.delete("mixed", "c");
	await until(() => unreadableDefinitions(database.client).get("alert") === 0, { what: "the count to go down" });

	async function write(id: string, body: string): Promise<void> {
		const time = new Date(START).toISOString().replace("T", " ").replace("Z", "");
		const version = String(sim.now * 1_000 + 1_000_000_000);
		const row = { project: "mixed", kind: "alert", id, version, deleted: 0, created_at: time, updated_at: time };
		await database.client.insert({ table: "definitions", values: [{ ...row, body }], format: "JSONEachRow" });
	}
});
