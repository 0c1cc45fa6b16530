// The job of an export on the real engine, to a folder and to a real S3 server: what arrives is what the tables hold.
import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Queries } from "../../query/run.ts";
import { exportFolder } from "../../schema/export-files.ts";
import { type ExportInput, type ExportState, exportState, MANIFEST } from "../../schema/export-job.ts";
import { JobStore } from "../../schema/jobs.ts";
import { EXPORT_DATA, type ExportManifest } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { startNarrowProxy } from "../../tests/support/narrow-proxy.ts";
import { insertErrors, insertEvents, insertLogs, insertSeries } from "../../tests/support/records.ts";
import { type S3Server, startS3 } from "../../tests/support/s3.ts";
import { type JobContext, type JobKind, PermanentJobError } from "../jobs/job.ts";
import { startJobs } from "../jobs/runner.ts";
import { openOutbound } from "../outbound/outbound.ts";
import { startRedis } from "../redis.ts";
import { sweepExports } from "./exports.ts";
import { exportJob } from "./job.ts";
import type { BucketAccess } from "./s3-requests.ts";

const DAY = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;
const BUCKET = "tidemark-exports";
/** Of the project `many`: half of them are over 8 MiB as csv, so that a part is an upload of several parts. */
const MANY = 400_000;
const HALF = 200_000;

let db: TestDatabase;
let s3: S3Server;
let folder: string;
const allow = ["127.0.0.1"];
const outbound = openOutbound({ allow });

beforeAll(async () => {
	[db, s3, folder] = await Promise.all([
		startDatabase(NO_EXPIRY),
		startS3(),
		mkdtemp(join(tmpdir(), "tidemark-exports-")),
	]);
	await s3.createBucket(BUCKET);
	for (const project of ["p", "q"]) await fill(project, project === "p" ? 1 : 100);
	const ts = `fromUnixTimestamp64Milli(toInt64(${DAY} + number * 5), 'UTC')`;
	await db.client.command({
		query: `INSERT INTO points (project, name, component, kind, series_id, ts, value) SELECT 'many', 'load', '', 'gauge', number % 50, ${ts}, number / 7 FROM numbers(${MANY})`,
	});
}, 120_000);
afterAll(async () => {
	outbound.close();
	await Promise.all([db?.stop(), s3?.stop(), rm(folder, { recursive: true, force: true })]);
});

/** Texts with all that a format could stumble over. */
const TEXTS = ['a "quoted", text', "two\nlines", "tab\tand \\ back", "Größe 大小 🌊", "'", "", '"', "\r\n", "{}"];

async function fill(project: string, factor: number): Promise<void> {
	const text = (i: number) => TEXTS[i % TEXTS.length]!;
	await insertSeries(
		db.client,
		project,
		TEXTS.slice(0, 5).map((name, i) => ({
			name: `metric ${name}`,
			kind: i === 0 ? "counter" : "gauge",
			tags: { host: text(i), component: text(i + 1), "a.b/c": "d" },
			points: Array.from(
				{ length: 40 },
				(_, n) => [DAY + n * 17 * 60_000 + i, factor * (n / 3) * 10 ** (i * 2)] as const,
			),
		})),
	);
	await insertEvents(
		db.client,
		project,
		Array.from({ length: 60 }, (_, i) => ({
			...{
				event: i % 3 === 0 ? "chosen" : `event ${text(i)}`,
				ts: DAY + i * 600_000,
				user_id: text(i),
				session_id: `s${i}`,
			},
			properties: { [`key ${text(i)}`]: text(i + 1), price: factor * i, tiny: 1e-9, flag: "true" },
		})),
	);
	const contexts = [{}, { a: { b: [1, null, "x"] }, "x/y": 0.1 }, { [TEXTS[0]!]: TEXTS[1] }];
	await insertLogs(
		db.client,
		project,
		Array.from({ length: 50 }, (_, i) => ({
			...{ ts: DAY + (i >> 1), message: `${factor} ${text(i)}`, component: text(i + 2), context: contexts[i % 3]! },
		})),
	);
	await insertErrors(
		db.client,
		project,
		Array.from({ length: 20 }, (_, i) => ({
			...{
				ts: DAY + i * HOUR,
				error_type: text(i),
				message: text(i + 1),
				stack: `at ${text(i)}`,
				context: contexts[i % 3]!,
			},
			...{ issue_id: "18446744073709551615", user_id: text(i) },
		})),
	);
}

interface RunOptions {
	readonly project?: string;
	readonly job_id?: string;
	readonly input?: Partial<ExportInput>;
	readonly state?: ExportState | undefined;
	readonly signal?: AbortSignal;
	readonly part_rows?: number;
	readonly access?: BucketAccess | undefined;
	readonly watermark?: () => Promise<number>;
	readonly now?: () => number;
	readonly onProgress?: (fraction: number) => void;
	readonly onCheckpoint?: (state: ExportState) => void;
}

const local = { type: "local" } as const;
const toBucket = { type: "s3", destination: "d", bucket: BUCKET, prefix: "" } as const;

function kindOf(options: RunOptions): JobKind {
	const { part_rows, now, watermark = async () => Number.POSITIVE_INFINITY } = options;
	const queries = new Queries({ client: db.client, secondLock: false });
	return exportJob({
		...{ folder, outbound, watermark, ...(part_rows === undefined ? {} : { part_rows }), ...(now ? { now } : {}) },
		access: async () => ("access" in options ? options.access : s3.access(BUCKET)),
		source: {
			count: (of, question, signal) => queries.of(of, signal).ask(question),
			stream: (of, question, how) => queries.stream(of, question, how),
		},
	});
}

const inputOf = (given: Partial<ExportInput> = {}): ExportInput => ({
	...{ data: [...EXPORT_DATA], granularity: "raw", format: "csv", compression: "none", target: local },
	...{ start: DAY, end: DAY + 24 * HOUR, as_of: DAY + 24 * HOUR, timezone: "UTC", asked_at: DAY + 24 * HOUR },
	...given,
});

/** One attempt, as the runner makes it. */
async function attempt(options: RunOptions = {}): Promise<{ state: ExportState; job_id: string }> {
	const { project = "p", job_id = `exp_${randomUUID()}`, onProgress, onCheckpoint } = options;
	const kind = kindOf(options);
	const input = inputOf(options.input);
	const context: JobContext<unknown, unknown> = {
		...{ project, job_id, input: kind.input.parse(input), state: options.state, attempt: 1 },
		signal: options.signal ?? new AbortController().signal,
		progress: (fraction) => onProgress?.(fraction),
		checkpoint: async (state) => onCheckpoint?.(exportState.parse(state)),
	};
	return { state: exportState.parse(await kind.run(context)), job_id };
}

const ask = async <T>(query: string, query_params: Record<string, unknown> = {}): Promise<T[]> => {
	const settings = { output_format_json_quote_64bit_integers: 0, session_timezone: "UTC" } as const;
	return await (
		await db.client.query({ query, query_params, format: "JSONEachRow", clickhouse_settings: settings })
	).json<T>();
};
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");
const namesIn = (prefix: string, job_id: string) =>
	s3.list(BUCKET, `${prefix}${job_id}/`).then((all) => all.map(({ key }) => key.split("/").at(-1)!).sort());

/** What the tables hold, as the columns of the files. */
const TRUTH: Readonly<Record<(typeof EXPORT_DATA)[number], string>> = {
	metrics: `SELECT toUnixTimestamp64Milli(ts) AS ms, name, value, kind, s.component AS component, tags
		FROM points AS p JOIN (SELECT series_id, any(component) AS component, any(tags) AS tags FROM series WHERE project = {project:String} GROUP BY series_id) AS s
		USING (series_id) WHERE project = {project:String}`,
	events: `SELECT toUnixTimestamp64Milli(ts) AS ms, event, event_id, user_id, session_id, strings, numbers FROM events WHERE project = {project:String}`,
	logs: `SELECT toUnixTimestamp64Milli(ts) AS ms, level, component, message, context FROM logs WHERE project = {project:String}`,
	errors: `SELECT toUnixTimestamp64Milli(ts) AS ms, error_type, message AS error_message, component, stack AS stack_trace, context, user_id,
		toString(issue_id) AS issue_id FROM errors WHERE project = {project:String}`,
};
/** The same, read from the files: csv and parquet by their columns, json by its members. */
const READ = {
	metrics: "name, toFloat64(value) AS value, kind, component",
	events: "event, event_id, user_id, session_id",
	logs: "level, component, message, context",
	errors: "error_type, error_message, component, stack_trace, context, user_id, issue_id",
} as const;
const FILE_FORMAT = { csv: "CSVWithNames", json: "JSONEachRow", parquet: "Parquet" } as const;
const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(row, Object.keys(row).sort())).sort();

describe.each(["csv", "parquet", "json"] as const)("%s", (format) => {
	test.each(["none", "gzip", "zstd"] as const)(
		"compressed by %s, read back by the engine, is what the tables hold",
		async (compression) => {
			const { state, job_id } = await attempt({ input: { format, compression } });
			const at = exportFolder(folder, "p", job_id);
			const manifest = JSON.parse(await readFile(join(at, MANIFEST), "utf8")) as ExportManifest;
			expect(manifest.parts).toEqual(state.parts);
			expect((await readdir(at)).sort()).toEqual([MANIFEST, ...state.parts.map(({ name }) => name)].sort());
			for (const part of state.parts) {
				const bytes = await readFile(join(at, part.name));
				expect({ bytes: bytes.length, sha256: sha256(bytes) }).toEqual({ bytes: part.bytes, sha256: part.sha256 });
				const truth = await ask<Record<string, unknown>>(TRUTH[part.data], { project: "p" });
				expect(part.rows).toBe(truth.length);
				const path = join(at, part.name);
				if (format === "json") {
					const lines = await ask<{ line: string }>(
						"SELECT line FROM file({path:String}, 'LineAsString', 'line String')",
						{ path },
					);
					expect(sorted(lines.map(({ line }) => recordOf(JSON.parse(line))))).toEqual(
						sorted(truth.map((row) => asSent(part.data, row))),
					);
					continue;
				}
				const columns =
					part.data === "metrics"
						? `${READ.metrics}, ${format === "csv" ? "JSONExtract(tags, 'Map(String, String)') AS tags" : "tags"}`
						: READ[part.data];
				const properties = part.data === "events" ? ", properties" : "";
				const types = format === "csv" ? `, '${CSV_COLUMNS[part.data]}'` : "";
				const read = await ask<Record<string, unknown>>(
					`SELECT toUnixTimestamp64Milli(toDateTime64(${format === "csv" ? "parseDateTime64BestEffort(toString(timestamp), 3, 'UTC')" : "timestamp"}, 3, 'UTC')) AS ms, ${columns}${properties} FROM file({path:String}, '${FILE_FORMAT[format]}'${types})`,
					{ path },
				);
				const told = read.map(({ properties: text, ...row }) =>
					text === undefined ? row : { ...row, properties: JSON.parse(text as string) },
				);
				const held = truth.map(({ strings, numbers, ...row }) =>
					strings === undefined ? row : { ...row, properties: { ...(strings as object), ...(numbers as object) } },
				);
				expect(sorted(told.map(flat))).toEqual(sorted(held.map(flat)));
			}
		},
	);
});

const CSV_COLUMNS = {
	metrics: "timestamp String, name String, value Float64, kind String, unit String, component String, tags String",
	events:
		"timestamp String, event String, event_id String, user_id String, account_id String, session_id String, properties String",
	logs: "timestamp String, level String, component String, message String, context String, trace_id String, span_id String",
	errors:
		"timestamp String, error_type String, error_message String, severity String, component String, stack_trace String, context String, user_id String, trace_id String, issue_id String",
};
const flat = (row: object) =>
	Object.fromEntries(
		Object.entries(row).map(([name, value]) => [
			name,
			typeof value === "object" ? sorted([value as object])[0] : value,
		]),
	);

/** A line of json, told as the truth is. */
function recordOf({ type: _, timestamp, ...record }: Record<string, unknown>): object {
	return flat({ ms: Date.parse(timestamp as string), ...record });
}

function asSent(data: (typeof EXPORT_DATA)[number], row: Record<string, unknown>): object {
	const {
		ms,
		strings,
		numbers,
		context,
		issue_id: _,
		component,
		user_id,
		stack_trace,
		session_id,
		event_id,
		...rest
	} = row;
	const optional = Object.entries({
		event_id,
		session_id,
		stack_trace,
		...(data === "metrics" ? {} : { component }),
		...(data === "events" ? { user_id } : {}),
	});
	return flat({
		...{ ms, ...rest, ...Object.fromEntries(optional.filter(([, value]) => value !== undefined && value !== "")) },
		...(strings === undefined ? {} : { properties: { ...(strings as object), ...(numbers as object) } }),
		...(context === undefined ? {} : { context: JSON.parse(context as string) }),
		...(data === "errors" ? { severity: "error" } : {}),
	});
}

test("names choose what is exported, and neither another project nor the end of the window is in it", async () => {
	const input = {
		data: ["metrics", "events"],
		metrics: [`metric ${TEXTS[1]}`],
		events: ["chosen"],
	} satisfies Partial<ExportInput>;
	const { state } = await attempt({ project: "q", input: { ...input, end: DAY + 3 * 17 * 60_000 + 1 } });
	expect(state.parts.map(({ data, rows }) => [data, rows])).toEqual([
		["metrics", 3],
		["events", 2],
	]);
	const nothing = await attempt({ project: "nobody" });
	expect(nothing.state.parts.map(({ data, rows }) => [data, rows])).toEqual(EXPORT_DATA.map((data) => [data, 0]));
});

test("a tier has a row for each series and bucket; a bucket that the window cuts holds what is inside", async () => {
	const window = { start: DAY + 20 * 60_000, end: DAY + 5 * HOUR + 60_000 };
	for (const [granularity, step] of [
		["1h", HOUR],
		["5m", 300_000],
		["1d", 24 * HOUR],
	] as const) {
		const { state, job_id } = await attempt({ input: { data: ["metrics"], granularity, format: "json", ...window } });
		const texts = await Promise.all(
			state.parts.map(({ name }) => readFile(join(exportFolder(folder, "p", job_id), name), "utf8")),
		);
		const rows = texts
			.flatMap((text) => text.split("\n").filter(Boolean))
			.map((line) => JSON.parse(line) as Record<string, unknown>);
		const points = await ask<{ ms: number; name: string; value: number }>(TRUTH.metrics, { project: "p" });
		const truth = new Map<string, number[]>();
		for (const { ms, name, value } of points.sort((a, b) => a.ms - b.ms)) {
			if (ms < window.start || ms >= window.end) continue;
			const key = `${new Date(Math.floor(ms / step) * step).toISOString()} ${name}`;
			truth.set(key, [...(truth.get(key) ?? []), value]);
		}
		expect(rows.length).toBe(truth.size);
		for (const { timestamp, name, count, sum, min, max, last } of rows) {
			const values = truth.get(`${timestamp} ${name}`)!;
			expect({ count, min, max, last }).toEqual({
				...{ count: values.length, min: Math.min(...values), max: Math.max(...values), last: values.at(-1) },
			});
			expect(sum).toBeCloseTo(
				values.reduce((a, b) => a + b, 0),
				6,
			);
		}
	}
});

const many = { data: ["metrics"], metrics: ["load"] } satisfies Partial<ExportInput>;

test("parts in a bucket have the bytes and checksums of the manifest, and the rows of the table, once each", async () => {
	const { state, job_id } = await attempt({
		project: "many",
		part_rows: HALF,
		input: { ...many, target: { ...toBucket, prefix: "a b/ü/" } },
	});
	expect(await namesIn("a b/ü/", job_id)).toEqual([MANIFEST, ...state.parts.map(({ name }) => name)].sort());
	const values = new Set<string>();
	for (const { name, bytes, sha256: sum, rows } of state.parts) {
		const body = await s3.get(BUCKET, `a b/ü/${job_id}/${name}`);
		expect([body.length, sha256(body)]).toEqual([bytes, sum]);
		const lines = body.toString().trimEnd().split("\n").slice(1);
		expect(lines.length).toBe(rows);
		for (const line of lines) values.add(line);
	}
	expect(state.parts.length).toBeGreaterThan(1);
	expect(values.size).toBe(MANY);
	const manifest = await s3.get(BUCKET, `a b/ü/${job_id}/${MANIFEST}`);
	expect(JSON.parse(manifest.toString())).toMatchObject({ rows: MANY, parts: state.parts });
	expect(sha256(manifest)).toBe(state.manifest_sha256);
});

test("an attempt that ends in the middle of a part leaves nothing under its name, and the next goes on to the same files", async () => {
	const whole = await attempt({ project: "many", part_rows: HALF, input: { ...many, target: toBucket } });
	const job_id = "exp_resumed";
	const ending = new AbortController();
	let reached: ExportState | undefined;
	const first = attempt({
		...{ project: "many", job_id, part_rows: HALF, input: { ...many, target: toBucket }, signal: ending.signal },
		onCheckpoint: (state) => {
			reached = state;
		},
		// In the second part.
		onProgress: (fraction) => fraction > 0.9 && ending.abort({ why: "shutdown" }),
	});
	await expect(first).rejects.toThrow();
	expect(reached!.parts.length).toBe(1);
	expect(await namesIn("", job_id)).toEqual([reached!.parts[0]!.name]);
	// What was sent of the second part is there, and not to be seen.
	expect(await s3.uploads(BUCKET)).toEqual([expect.stringContaining(`${job_id}/metrics-00002`)]);
	const second = await attempt({ project: "many", job_id, input: { ...many, target: toBucket }, state: reached });
	expect(second.state.parts).toEqual(whole.state.parts);
	expect(await namesIn("", job_id)).toEqual(await namesIn("", whole.job_id));
	expect(await s3.uploads(BUCKET)).toEqual([]);
});

test("an export that ends while it waits for another attempt leaves neither files nor uploads, in a bucket and in the folder", async () => {
	const logger = pino({ level: "silent" });
	const dataDir = await mkdtemp(join(tmpdir(), "tidemark-exports-redis-"));
	const redis = await startRedis({ dataDir, logger });
	const store = new JobStore(db.client);
	try {
		for (const target of [toBucket, local]) {
			const key = { project: "many", kind: "export", job_id: `exp_ended_${target.type}` };
			const options = { ...key, part_rows: HALF, input: { ...many, target } };
			const job = await store.create({ ...key, input: inputOf(options.input) });
			// Ends in the second part, as the connection does.
			const ending = new AbortController();
			const number = (await store.claim(job, "a worker"))!;
			let reached: ExportState | undefined;
			const first = attempt({
				...{ ...options, signal: ending.signal, onProgress: (fraction) => fraction > 0.9 && ending.abort() },
				onCheckpoint(state) {
					reached = state;
				},
			});
			await expect(first).rejects.toThrow();
			await store.checkpoint(job, number, reached);
			await store.giveUp(job, number, "the bucket is away", new Date(Date.now() + HOUR));
			expect(reached!.parts.length).toBe(1);
			await store.cancel(key.project, key.kind, key.job_id);
			const jobs = startJobs({
				...{ clickhouse: db.client, redisUrl: redis.url, logger, tick_ms: 100 },
				jobs: [kindOf(options)],
			});
			const ended = () => store.get(key.project, key.kind, key.job_id).then((seen) => seen?.status);
			await expect
				.poll(ended, { timeout: 20_000 })
				.toBe("cancelled")
				.finally(() => jobs.close());
			expect(await namesIn("", key.job_id)).toEqual([]);
			await expect(readdir(exportFolder(folder, key.project, key.job_id))).rejects.toThrow("ENOENT");
		}
		expect(await s3.uploads(BUCKET)).toEqual([]);
	} finally {
		await redis.stop();
		await rm(dataDir, { recursive: true, force: true });
	}
});

test("a bucket that refuses ends the export for good, in its own words and without a secret", async () => {
	const refused = (access: Partial<BucketAccess> | undefined, bucket = BUCKET) =>
		attempt({ input: { target: { ...toBucket, bucket } }, access: access && { ...s3.access(bucket), ...access } }).then(
			() => undefined,
			(error: Error) => error,
		);
	const secret = "a-secret-that-is-wrong";
	const wrong = await refused({ secret_access_key: secret });
	expect(wrong).toBeInstanceOf(PermanentJobError);
	expect(wrong!.message).toMatch(/answers 403 SignatureDoesNotMatch/);
	expect(wrong!.message).not.toContain(secret);
	const missing = await refused({}, "no-such-bucket");
	expect(missing).toBeInstanceOf(PermanentJobError);
	expect(missing!.message).toMatch(/no-such-bucket answers 404 NoSuchBucket/);
	expect(await refused(undefined)).toBeInstanceOf(PermanentJobError);
	// Behind the door's back there is nothing.
	const inside = await refused({ endpoint: "http://169.254.169.254" });
	expect(inside).toBeInstanceOf(PermanentJobError);
});

test("a slow bucket slows the reading down, and gets the same bytes", async () => {
	const proxy = await startNarrowProxy(s3.port, { bytesPerSecond: 20_000_000 });
	try {
		const access = { ...s3.access(BUCKET), endpoint: `http://127.0.0.1:${proxy.port}` };
		const slow = await attempt({ project: "many", input: { ...many, target: toBucket }, access });
		const fast = await attempt({ project: "many", input: { ...many, target: toBucket } });
		expect(slow.state.parts).toEqual(fast.state.parts);
		expect(proxy.connections).toBeGreaterThan(3);
	} finally {
		await proxy.close();
	}
});

test("records are waited for while nobody says whether they are stored, and an export says what is known in the end", async () => {
	const ends = DAY + 24 * HOUR;
	const away = () => Promise.reject(new Error("Redis is away"));
	const through = async (...said: (() => Promise<number>)[]) => {
		let time = 0;
		// Until all but the last were said.
		const now = () => {
			time += said.length > 1 ? 0 : 20_000;
			return time;
		};
		const watermark = () => (said.length > 1 ? said.shift()! : said[0]!)();
		const { state, job_id } = await attempt({
			...{ watermark, now },
			input: { data: ["logs"], format: "json" },
		});
		const manifest = await readFile(join(exportFolder(folder, "p", job_id), MANIFEST), "utf8");
		const written = (JSON.parse(manifest) as ExportManifest).data_through;
		expect(written).toBe(state.data_through === null ? null : new Date(state.data_through).toISOString());
		return state.data_through;
	};
	const at = (ms: number) => async () => ms;
	expect(await through(away, at(0), at(ends - HOUR), at(ends))).toBe(ends);
	expect(await through(at(ends - HOUR))).toBe(ends - HOUR);
	expect(await through(at(ends - HOUR), away)).toBe(ends - HOUR);
	expect(await through(away)).toBeNull();
	expect(await through(at(0))).toBeNull();
});

test("files are removed when they were kept for long enough, and rests when their export is over", async () => {
	const kept = await attempt();
	const old = await attempt();
	const rest = exportFolder(folder, "p", "exp_rest");
	const open = exportFolder(folder, "p", "exp_open");
	const { mkdir } = await import("node:fs/promises");
	await Promise.all([rest, open].map((path) => mkdir(path)));
	await new JobStore(db.client).create({ project: "p", kind: "export", job_id: "exp_open", input: {} });
	const ago = new Date(Date.now() - 2 * HOUR);
	for (const path of [join(exportFolder(folder, "p", old.job_id), MANIFEST), rest, open]) await utimes(path, ago, ago);
	const removed = await sweepExports({
		...{ folder, clickhouse: db.client, retention_ms: HOUR },
		logger: pino({ level: "silent" }),
	});
	expect(removed.sort()).toEqual([exportFolder(folder, "p", old.job_id), rest].sort());
	expect(await readdir(exportFolder(folder, "p", kept.job_id))).toContain(MANIFEST);
});
