/**
 * A writer of records of every kind that repeats each request under its Idempotency-Key until it gets an answer, and knows
 * what must be stored in the end: what was accepted, once.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { LADDER } from "../../schema/granularity.ts";
import { randomFrom } from "./random.ts";

const DAY_MS = 86_400_000;
/** Partitions of several days and months: an insert that is killed half-way must not be half-stored. */
const DAYS_BACK = [0, 0, 0, 1, 20, 40];
const ATTEMPT_MS = 15_000;
const PAUSE_MS = 40;

/** What must be stored. */
export class Truth {
	/** Points by `name/writer`. Values are whole numbers, so sums are exact in any order. */
	readonly points = new Map<string, { n: number; sum: number }>();
	readonly latencies: number[] = [];
	/** Running totals by series: the first, the last, how many. */
	readonly totals = new Map<string, { n: number; first: number; last: number }>();
	readonly eventIds = new Set<string>();
	readonly plainEvents: string[] = [];
	readonly logs: string[] = [];
	readonly errors: string[] = [];
	/** Time that passed, which is another one for each. */
	readonly profiles: number[] = [];

	point(series: string, value: number): void {
		const before = this.points.get(series) ?? { n: 0, sum: 0 };
		this.points.set(series, { n: before.n + 1, sum: before.sum + value });
	}

	total(series: string, value: number): void {
		const before = this.totals.get(series);
		this.totals.set(series, { n: (before?.n ?? 0) + 1, first: before?.first ?? value, last: value });
	}

	/** Points as `points` and the rollups must have them: of running totals the increases, one less than there are totals. */
	expectedPoints(): Record<string, { n: number; sum: number }> {
		const increases = [...this.totals].map(([series, { n, first, last }]) => [series, { n: n - 1, sum: last - first }]);
		return Object.fromEntries([...this.points, ...(increases as [string, { n: number; sum: number }][])]);
	}
}

interface Request {
	readonly path: string;
	readonly type: string;
	readonly body: string;
	readonly accepted: number;
	readonly rejected: number;
	/** Puts what the request was accepted for into the truth. */
	readonly apply: (truth: Truth) => void;
}

export interface WriterOptions {
	readonly url: string;
	readonly key: string;
	readonly name: string;
	readonly seed: number;
	readonly truth: Truth;
	/** Records in each request, about. */
	readonly size?: number;
	/** Whether an answer other than success is a failure of the test; else it is waited out. */
	readonly strict?: boolean;
}

export class Writer {
	/** Requests answered, and what did not get through at the first try. */
	answered = 0;
	readonly troubles = new Map<string, number>();
	readonly #options: Required<WriterOptions>;
	readonly #random: () => number;
	#sequence = 0;
	#total = 0;
	#time = Date.now() - 3_600_000;
	#stopping = false;
	#running: Promise<void> | undefined;

	constructor(options: WriterOptions) {
		this.#options = { size: 20, strict: false, ...options };
		this.#random = randomFrom(options.seed);
	}

	start(): void {
		this.#stopping = false;
		this.#running = this.#run();
		// Seen by `stop`; until then it must not end the test process.
		this.#running.catch(() => undefined);
	}

	/** Ends after the request under way was answered. @throws what went wrong */
	async stop(): Promise<void> {
		this.#stopping = true;
		await this.#running;
	}

	async #run(): Promise<void> {
		const { name, truth } = this.#options;
		const kinds = [
			() => this.#gauges(),
			() => this.#latencies(),
			() => this.#totals(),
			() => this.#events(),
			() => this.#logs(),
			() => this.#errors(),
			() => this.#profiles(),
			() => this.#mixed(),
		];
		while (!this.#stopping) {
			const request = kinds[this.#sequence % kinds.length]!();
			const key = `${name}-${this.#sequence++}`;
			await this.#send(key, request);
			request.apply(truth);
			this.answered++;
			// Now and then the answer is "lost" all the same, and the request comes again.
			if (this.#random() < 0.1) await this.#send(key, request);
			await sleep(10);
		}
	}

	async #send(key: string, request: Request): Promise<void> {
		for (;;) {
			let response: Response;
			let answer: { accepted: number; rejected: unknown[] };
			try {
				response = await fetch(this.#options.url + request.path, {
					method: "POST",
					headers: {
						Authorization: `Bearer ${this.#options.key}`,
						"Content-Type": request.type,
						"Idempotency-Key": key,
					},
					body: request.body,
					signal: AbortSignal.timeout(ATTEMPT_MS),
				});
				answer = (await response.json()) as typeof answer;
			} catch (error) {
				this.#trouble((error as Error).name);
				if (this.#options.strict) throw error;
				await sleep(PAUSE_MS);
				continue;
			}
			if (response.status === 503 && !this.#options.strict) {
				this.#trouble("503");
				await sleep(PAUSE_MS);
				continue;
			}
			const { accepted, rejected } = answer;
			expect({ key, status: response.status, accepted, rejected: rejected?.length }, JSON.stringify(answer)).toEqual({
				...{ key, status: 202, accepted: request.accepted, rejected: request.rejected },
			});
			return;
		}
	}

	#trouble(what: string): void {
		this.troubles.set(what, (this.troubles.get(what) ?? 0) + 1);
	}

	/** Later than all before; the running totals need that. */
	#next(): number {
		this.#time += 1;
		return this.#time;
	}

	#anyDay(): number {
		return this.#next() - DAYS_BACK[Math.floor(this.#random() * DAYS_BACK.length)]! * DAY_MS;
	}

	#whole(below: number): number {
		return Math.floor(this.#random() * below);
	}

	#times<T>(make: (i: number) => T): T[] {
		return Array.from({ length: 1 + this.#whole(2 * this.#options.size) }, (_, i) => make(i));
	}

	#json(path: string, records: readonly unknown[], apply: Request["apply"]): Request {
		const body = JSON.stringify(records);
		return { path, type: "application/json", body, accepted: records.length, rejected: 0, apply };
	}

	/** One point a record, three series. */
	#gauges(): Request {
		const { name } = this.#options;
		const records = this.#times((i) => ({
			name: `kill.gauge.${i % 3}`,
			value: this.#whole(1_000),
			timestamp: this.#anyDay(),
			tags: { writer: name, zone: "a" },
		}));
		return this.#json("/v1/ingest/metrics", records, (truth) => {
			for (const record of records) truth.point(`${record.name}/${name}`, record.value);
		});
	}

	/** Many points a record, of a metric with percentiles. */
	#latencies(): Request {
		const { name } = this.#options;
		const values = this.#times(() => 1 + this.#whole(5_000));
		const timestamps = values.map(() => this.#anyDay());
		const tags = { writer: name, component: "api" };
		return this.#json(
			"/v1/ingest/metrics",
			[{ name: "kill.latency", kind: "distribution", tags, timestamps, values }],
			(truth) => {
				for (const value of values) {
					truth.point(`kill.latency/${name}`, value);
					truth.latencies.push(value);
				}
			},
		);
	}

	/** A running total that never falls. */
	#totals(): Request {
		const { name } = this.#options;
		const records = this.#times(() => {
			this.#total += this.#whole(50);
			return {
				...{ name: "kill.total", kind: "cumulative", value: this.#total, timestamp: this.#next() },
				tags: { writer: name },
			};
		});
		return this.#json("/v1/ingest/metrics", records, (truth) => {
			for (const { value } of records) truth.total(`kill.total/${name}`, value);
		});
	}

	/** With and without an id of their own; now and then one that was sent before, in another request. */
	#events(): Request {
		const { name, truth } = this.#options;
		const known = [...truth.eventIds].slice(-50);
		const records = this.#times((i) => {
			const id = `${name}-${this.#sequence}-${i}`;
			const old = this.#random() < 0.1 ? known[this.#whole(known.length)] : undefined;
			return {
				event: "killed",
				timestamp: this.#anyDay(),
				user_id: `user-${this.#whole(20)}`,
				properties: { id, n: i },
				...(i % 3 === 0 ? {} : { event_id: old ?? id }),
			};
		});
		return this.#json("/v1/ingest/events", records, (truth) => {
			for (const { event_id, properties } of records) {
				if (event_id === undefined) truth.plainEvents.push(properties.id);
				else truth.eventIds.add(event_id);
			}
		});
	}

	#logs(): Request {
		const { name } = this.#options;
		const records = this.#times((i) => ({
			message: `line ${name}-${this.#sequence}-${i}`,
			level: "warn",
			component: "writer",
			timestamp: this.#anyDay(),
		}));
		return this.#json("/v1/ingest/logs", records, (truth) => {
			truth.logs.push(...records.map(({ message }) => message));
		});
	}

	#errors(): Request {
		const { name } = this.#options;
		const records = this.#times((i) => ({
			error_message: `failure ${name}-${this.#sequence}-${i}`,
			error_type: "KilledError",
			timestamp: this.#anyDay(),
		}));
		return this.#json("/v1/ingest/errors", records, (truth) => {
			truth.errors.push(...records.map(({ error_message }) => error_message));
		});
	}

	#profiles(): Request {
		const records = this.#times((i) => ({
			operation: "killed",
			wall_ns: this.#next(),
			timestamp: this.#anyDay(),
			spans: Array.from({ length: i % 4 }, (_, n) => ({ name: `step ${n}`, start_ns: n, end_ns: 2 * n })),
		}));
		return this.#json("/v1/ingest/profiles", records, (truth) => {
			truth.profiles.push(...records.map(({ wall_ns }) => wall_ns));
		});
	}

	/** All kinds in one request, and some records that must be refused. */
	#mixed(): Request {
		const { name } = this.#options;
		const id = `${name}-${this.#sequence}-mixed`;
		const timestamp = this.#anyDay();
		const value = this.#whole(100);
		const lines = [
			{ type: "metric", name: "kill.gauge.0", value, timestamp, tags: { writer: name, zone: "a" } },
			{ type: "metric", name: "kill.refused", value: "1", timestamp },
			{ type: "event", event: "killed", event_id: id, timestamp },
			{ type: "event", event: "", event_id: `${id}-refused`, timestamp },
			{ type: "log", message: `line ${id}`, component: "writer", timestamp },
			{ type: "log", message: "refused", level: "shout", component: "writer", timestamp },
			{ type: "error", error_message: `failure ${id}`, error_type: "KilledError", timestamp },
			{ type: "error", error_message: "refused", timestamp },
			{ type: "profile", operation: "killed", wall_ns: timestamp, timestamp },
			{ type: "profile", operation: "refused", timestamp },
		];
		return {
			path: "/v1/ingest/batch",
			type: "application/x-ndjson",
			body: lines.map((line) => JSON.stringify(line)).join("\n"),
			accepted: 5,
			rejected: 5,
			apply: (truth) => {
				truth.point(`kill.gauge.0/${name}`, value);
				truth.eventIds.add(id);
				truth.logs.push(`line ${id}`);
				truth.errors.push(`failure ${id}`);
				truth.profiles.push(timestamp);
			},
		};
	}
}

type Query = <Row>(sql: string, params?: Record<string, unknown>) => Promise<Row[]>;

/** Fails unless exactly what was accepted is stored, each record once, in every table and tier. */
export async function expectStored(query: Query, truth: Truth): Promise<void> {
	const texts = async (sql: string) => (await query<{ text: string }>(sql)).map(({ text }) => text).sort();
	// Tidemark's own records are in the same project, under other names.
	const ours = (condition: string) => `WHERE project = 'default' AND ${condition}`;
	const logs = ours("component = 'writer'");
	const errors = ours("(error_type = 'KilledError' OR message = 'refused')");
	const events = ours("event IN ('killed', '')");
	expect(await texts(`SELECT message AS text FROM logs ${logs}`)).toEqual(truth.logs.toSorted());
	expect(await texts(`SELECT message AS text FROM errors ${errors}`)).toEqual(truth.errors.toSorted());
	const walls = await query<{ wall_ns: number }>(`SELECT wall_ns FROM profiles ${ours("1")} ORDER BY wall_ns`);
	expect(walls.map(({ wall_ns }) => wall_ns)).toEqual(truth.profiles.toSorted((a, b) => a - b));
	expect(await texts(`SELECT event_id AS text FROM events ${events} AND event_id != ''`)).toEqual(
		[...truth.eventIds].sort(),
	);
	expect(await texts(`SELECT strings['id'] AS text FROM events ${events} AND event_id = ''`)).toEqual(
		truth.plainEvents.toSorted(),
	);
	expect(await query("SELECT * FROM quarantine")).toEqual([]);

	const counted = async (table: string, n: string, sum: string) => {
		const rows = await query<{ series: string; n: number; sum: number }>(
			`SELECT concat(name, '/', writer) AS series, ${n} AS n, ${sum} AS sum
			FROM ${table} JOIN (
				SELECT series_id, any(tags['writer']) AS writer FROM series ${ours("name LIKE 'kill.%'")} GROUP BY series_id
			) AS series USING (series_id)
			${ours("name LIKE 'kill.%'")} GROUP BY series`,
		);
		return Object.fromEntries(rows.map(({ series, n, sum }) => [series, { n, sum }]));
	};
	const expected = truth.expectedPoints();
	expect(await counted("points", "count()", "sum(value)"), "points").toEqual(expected);
	for (const { rollup } of LADDER) expect(await counted(rollup, "sum(n)", "sum(sum)"), rollup).toEqual(expected);
	const totals = Object.fromEntries([...truth.totals].map(([series, { n, last }]) => [series, { n, sum: last }]));
	expect(await counted("cumulative", "count()", "max(value)"), "cumulative").toEqual(totals);
	const counts = await query<{ n: number }>(`SELECT sum(n) AS n FROM log_counts_1m ${logs}`);
	expect(counts, "log_counts_1m").toEqual([{ n: truth.logs.length }]);
	const issues = await query<{ n: number }>(`SELECT sum(n) AS n FROM issues ${ours("error_type = 'KilledError'")}`);
	expect(issues, "issues").toEqual([{ n: truth.errors.length }]);
	await expectSketches(query);
}

/** Merging is exact: the state of a tier is that of one sketch made of the raw values at once, and so is what is counted beside it. */
async function expectSketches(query: Query): Promise<void> {
	const where = "project = 'default' AND name = 'kill.latency'";
	const state = "hex(quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(quantiles))";
	const [raw] = await query<{ state: string; size: number; top: number }>(
		`SELECT hex(quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(value)) AS state, count() AS size, max(value) AS top FROM points WHERE ${where}`,
	);
	for (const table of LADDER.flatMap(({ sketch, sketch_total }) => [sketch, ...(sketch_total ? [sketch_total] : [])])) {
		const [merged] = await query<{ state: string; size: number; top: number }>(
			`SELECT ${state} AS state, sum(n) AS size, max(max) AS top FROM ${table} WHERE ${where}`,
		);
		expect([merged!.size, merged!.top], table).toEqual([raw!.size, raw!.top]);
		expect(merged!.state === raw!.state, table).toBe(true);
	}
}
