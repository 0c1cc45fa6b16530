import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, test } from "vitest";
import { z } from "zod";
import { type Job, JobStore } from "../../schema/jobs.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { type EmbeddedRedis, startRedis } from "../redis.ts";
import { afterFailure, type DiscardContext, defineJob, type JobContext, PermanentJobError } from "./job.ts";
import { type AttemptEnd, type RunningJobs, startJobs, waitingInLine } from "./runner.ts";

const logger = pino({ level: "silent" });
const SECOND = 1_000;
const folder = mkdtempSync(join(tmpdir(), "tidemark-jobs-"));
let database: TestDatabase;
let embedded: EmbeddedRedis;
let store: JobStore;
/** Added to the time that workers see. */
let ahead_ms: number;
let running: RunningJobs[];
let ends: AttemptEnd[];
let project = "";

type Counting = JobContext<{ to: number }, { reached: number }>;

beforeAll(async () => {
	[database, embedded] = await Promise.all([startDatabase(NO_EXPIRY), startRedis({ dataDir: folder, logger })]);
});
afterAll(async () => {
	await Promise.all([database.stop(), embedded.stop()]);
	await rm(folder, { recursive: true, force: true });
});
beforeEach(({ task }) => {
	ahead_ms = 0;
	running = [];
	ends = [];
	project = task.id;
	store = new JobStore(database.client, now);
});
afterEach(async () => {
	await Promise.all(running.map((one) => one.close()));
});

function now(): number {
	return Date.now() + ahead_ms;
}

/** A worker process, as far as jobs go. */
function worker(
	kind: string,
	run: (context: Counting) => Promise<{ reached: number }>,
	attempts = 3,
	discard?: (context: DiscardContext<unknown, { reached: number }>) => Promise<void>,
): RunningJobs {
	const input = z.object({ to: z.number() });
	const state = z.object({ reached: z.number() });
	const started = startJobs({
		...{ clickhouse: database.client, redisUrl: embedded.url, logger, now, tick_ms: 100 },
		jobs: [defineJob({ kind, input, state, attempts, concurrency: 2, run, ...(discard ? { discard } : {}) })],
		onAttempt(end) {
			ends.push(end);
			// The next attempt is not waited for.
			if (end.outcome === "retry") ahead_ms += 10 * SECOND;
		},
	});
	running.push(started);
	return started;
}

function gate(): { readonly opened: Promise<void>; open(): void } {
	let open: () => void = () => undefined;
	const opened = new Promise<void>((resolve) => {
		open = resolve;
	});
	return { opened, open };
}

function ask(kind: string, job_id = "one"): Promise<Job> {
	return store.create({ project, kind, job_id, of: "a definition", input: { to: 3 } });
}

async function when(kind: string, is: (job: Job) => boolean, job_id = "one"): Promise<Job> {
	const deadline = Date.now() + 20 * SECOND;
	for (;;) {
		const job = await store.get(project, kind, job_id);
		if (job && is(job)) return job;
		if (Date.now() > deadline) throw new Error(`the job is not there: ${JSON.stringify(job)}`);
		await new Promise((resolve) => setTimeout(resolve, 30));
	}
}
const isOver = ({ finished_at }: Job) => finished_at !== null;

it("is run once however often it is asked for, and keeps what came of it", async () => {
	let runs = 0;
	await Promise.all([ask("once"), ask("once"), ask("once")]);
	worker("once", async ({ input }) => {
		runs++;
		return { reached: input.to };
	});
	const job = await when("once", isOver);
	expect(job).toMatchObject({ status: "completed", progress: 1, attempt: 1, state: { reached: 3 }, error: null });
	expect(await ask("once")).toEqual(job);
	expect(await store.list(project, { kind: "once", of: "a definition" })).toEqual([job]);
	expect(await store.list(project, { kind: "once", of: "another" })).toEqual([]);
	expect(await store.list("another", { kind: "once" })).toEqual([]);
	expect(runs).toBe(1);
	expect(ends).toMatchObject([{ kind: "once", outcome: "completed" }]);
});

it("goes on from its checkpoint after a failure, and fails for good after the last attempt", async () => {
	const seen: (number | undefined)[] = [];
	worker("retried", async ({ state, checkpoint }) => {
		seen.push(state?.reached);
		await checkpoint({ reached: (state?.reached ?? 0) + 1 });
		throw new Error("the bucket is away");
	});
	await ask("retried");
	const job = await when("retried", isOver);
	expect(job).toMatchObject({ status: "failed", attempt: 3, error: "the bucket is away" });
	expect(seen).toEqual([undefined, 1, 2]);
});

it("is not tried again when that would not help", async () => {
	worker("refused", () => Promise.reject(new PermanentJobError("there is no such bucket")));
	await ask("refused");
	expect(await when("refused", isOver)).toMatchObject({
		status: "failed",
		attempt: 1,
		error: "there is no such bucket",
	});
});

it("is given up when somebody asks for it, whether it runs or waits", async () => {
	const begun = gate();
	await ask("waiting");
	expect(await store.cancel(project, "waiting", "one")).toBe(true);
	worker("waiting", () => Promise.reject(new Error("it was not to be begun")));
	expect(await when("waiting", isOver)).toMatchObject({ status: "cancelled", attempt: 0 });
	expect(await store.cancel(project, "waiting", "one")).toBe(false);

	worker("long", async ({ signal, progress }) => {
		progress(0.5);
		begun.open();
		await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
		return { reached: 0 };
	});
	await ask("long");
	await begun.opened;
	await store.cancel(project, "long", "one");
	expect(await when("long", isOver)).toMatchObject({ status: "cancelled", attempt: 1, progress: 0.5 });
});

it("is taken over from a worker that is gone, not from one that lives, and once", async () => {
	const job = await ask("killed");
	// As a worker that is killed right after.
	const attempt = await store.claim(job, "a worker");
	await store.checkpoint(job, attempt!, { reached: 2 });
	const seen: [number, number | undefined][] = [];
	const run = async ({ attempt, state }: Counting) => {
		seen.push([attempt, state?.reached]);
		return { reached: 3 };
	};
	worker("killed", run);
	worker("killed", run);
	await ask("killed", "another");
	await when("killed", isOver, "another");
	expect(seen).toEqual([[1, undefined]]);
	ahead_ms = 16 * SECOND;
	expect(await when("killed", isOver)).toMatchObject({ status: "completed", attempt: 2, state: { reached: 3 } });
	expect(seen.slice(1)).toEqual([[2, 2]]);
});

it("is run by one of many that claim it at once", async () => {
	const job = await ask("claimed");
	const claims = await Promise.all(
		Array.from({ length: 8 }, (_, i) => new JobStore(database.client).claim(job, `worker ${i}`)),
	);
	expect(claims.filter((attempt) => attempt !== undefined)).toEqual([1]);
});

it("survives a Redis that has forgotten everything", async () => {
	const redis = new Redis(embedded.url);
	const begun = gate();
	const go = gate();
	let runs = 0;
	const run = async () => {
		runs++;
		begun.open();
		await go.opened;
		return { reached: 3 };
	};
	worker("forgotten", run);
	worker("forgotten", run);
	await ask("forgotten");
	await begun.opened;
	await redis.flushall();
	await ask("forgotten", "later");
	go.open();
	expect(await when("forgotten", isOver)).toMatchObject({ status: "completed", attempt: 1 });
	expect(await when("forgotten", isOver, "later")).toMatchObject({ status: "completed" });
	expect(runs).toBe(2);
	await redis.quit();
});

it("is gone on with by others when its worker stops, and that counts for no attempt", async () => {
	const begun = gate();
	const first = worker(
		"stopped",
		async ({ signal, checkpoint }) => {
			await checkpoint({ reached: 1 });
			begun.open();
			await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
			return { reached: 0 };
		},
		1,
	);
	await ask("stopped");
	await begun.opened;
	await first.close();
	expect(await when("stopped", ({ status }) => status === "queued")).toMatchObject({ error: null });
	worker("stopped", async ({ state }) => ({ reached: state!.reached + 1 }), 1);
	expect(await when("stopped", isOver)).toMatchObject({ status: "completed", attempt: 2, state: { reached: 2 } });
});

it.each(["cancelled", "failed"] as const)("is %s with nothing left of it, whoever ends it", async (status) => {
	const kind = `discarded ${status}`;
	// One that is over before it is run again: it waits for another try, or has had its last one.
	const waiting = await ask(kind, "waiting");
	for (const attempt of [1, 2]) {
		await store.claim({ ...waiting, attempt: attempt - 1 }, "a worker");
		await store.checkpoint(waiting, attempt, { reached: 5 });
		if (status === "cancelled") break;
	}
	await store.giveUp(waiting, status === "cancelled" ? 1 : 2, "away", new Date(now() + 3_600 * SECOND));
	if (status === "cancelled") await store.cancel(project, kind, "waiting");
	else ahead_ms = 3_601 * SECOND;
	for (const id of ["running", "lost", "completed"]) await ask(kind, id);
	const run = async ({ job_id, attempt, checkpoint }: Counting) => {
		await checkpoint({ reached: attempt });
		if (job_id === "completed" && attempt === 2) return { reached: 2 };
		if (job_id === "completed") throw new Error("the bucket is away");
		if (job_id === "lost") await store.finish({ project, kind, job_id }, 1, { status });
		else if (status === "cancelled") await store.cancel(project, kind, job_id);
		else throw new PermanentJobError("there is no such bucket");
		await checkpoint({ reached: 6 });
		throw new Error("it was to be stopped");
	};
	const discarded = new Map<string, unknown>();
	let refusals = 2;
	worker(kind, run, 2, async ({ job_id, state }) => {
		if (job_id === "running" && refusals-- > 0) throw new Error("the bucket is away for a moment");
		discarded.set(job_id, { state, over: isOver((await store.get(project, kind, job_id))!) });
	});
	for (const id of ["waiting", "running"]) expect(await when(kind, isOver, id)).toMatchObject({ status });
	expect(await when(kind, isOver, "completed")).toMatchObject({ status: "completed" });
	await expect.poll(() => discarded.has("lost"), { timeout: 20 * SECOND }).toBe(true);
	expect(Object.fromEntries(discarded)).toEqual({
		waiting: { state: { reached: 5 }, over: false },
		running: { state: { reached: 1 }, over: false },
		lost: { state: { reached: 1 }, over: true },
	});
});

it("is over also when what it leaves cannot be taken away", async () => {
	const no = () => Promise.reject(new PermanentJobError("there is no such bucket"));
	worker("kept", no, 3, no);
	await ask("kept");
	expect(await when("kept", isOver)).toMatchObject({ status: "failed", error: "there is no such bucket" });
});

it("is its turn when it was begun, or asked for, before the other open ones of its kind and project", () => {
	const job = (job_id: string, asked: number, begun: number | null, of = {}) =>
		({
			...{ project: "p", kind: "k", job_id, created_at: new Date(asked) },
			...{ started_at: begun === null ? null : new Date(begun), ...of },
		}) as Job;
	const waiting = (...open: Job[]) => [...waitingInLine(open)].map(({ job_id }) => job_id).sort();
	expect(waiting(job("late", 2, null), job("early", 1, null))).toEqual(["late"]);
	expect(waiting(job("begun", 2, 9), job("early", 1, null), job("next", 3, null))).toEqual(["early", "next"]);
	expect(waiting(job("a", 1, 9), job("b", 1, 8))).toEqual(["a"]);
	expect(waiting(job("b", 1, null), job("a", 1, null))).toEqual(["b"]);
	expect(waiting(job("a", 1, null), job("b", 2, null, { kind: "l" }), job("c", 2, null, { project: "q" }))).toEqual([]);
});

test.each<[unknown, number, Date | "failed"]>([
	[new Error("away"), 1, new Date(2_000)],
	[new Error("away"), 2, new Date(8_000)],
	[new Error("away"), 6, new Date(600_000)],
	[new Error("away"), 7, "failed"],
	[new PermanentJobError("no"), 1, "failed"],
])("after %s in attempt %i", (error, attempt, next) => {
	expect(afterFailure(error, attempt, 7, 0)).toEqual(next);
});
