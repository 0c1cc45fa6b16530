/** A million random points, shuffled and in part late: every tier and every zone against a truth kept in memory. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LADDER } from "../schema/granularity.ts";
import { type Server, startServer } from "./server.ts";
import { randomFrom } from "./support/random.ts";

const POINTS = 1_000_000;
const SERIES = 40;
const PER_RECORD = 500;
const RECORDS_PER_REQUEST = 20;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Four days around the last end of daylight-saving time in New York, the first Sunday of November. */
const CHANGE = lastFirstSundayOfNovember(Date.now());
const START = CHANGE - 2 * DAY;
const END = CHANGE + 2 * DAY;

interface Series {
	readonly name: string;
	readonly kind: string;
	readonly tags: Record<string, string>;
	readonly ts: Float64Array;
	readonly values: Float64Array;
}

let server: Server;
let all: Series[];
beforeAll(async () => {
	all = makeSeries(randomFrom(20_261_121));
	server = await startServer({
		env: { TIDEMARK_METRICS_RETENTION: "450d", TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_SELF_PROJECT: "off" },
	});
	await sendAll(all);
}, 180_000);
afterAll(() => server?.stop());

describe.each(LADDER)("the tier of $name", ({ rollup, step_seconds }) => {
	it("has n, sum, min, max and last of every series and bucket", async () => {
		const rows = await server.query<{
			id: string;
			at: number;
			n: number;
			sum: number;
			min: number;
			max: number;
			last: number;
		}>(
			`SELECT toString(series_id) AS id, toUnixTimestamp(bucket) AS at, sum(n) AS n, sum(${rollup}.sum) AS sum,
				min(${rollup}.min) AS min, max(${rollup}.max) AS max, argMaxMerge(${rollup}.last) AS last
			FROM ${rollup} WHERE project = 'default' GROUP BY id, at`,
		);
		const ids = await seriesIds();
		const found = new Map(rows.map(({ id, at, ...row }) => [`${ids.get(id)} ${at}`, row]));
		let compared = 0;
		for (const [i, series] of all.entries()) {
			for (const [bucket, truth] of bucketed(series, (ts) => Math.floor(ts / 1_000 / step_seconds) * step_seconds)) {
				const row = found.get(`${i} ${bucket}`);
				if (!row) throw new Error(`no bucket ${bucket} of series ${i}`);
				const { n, min, max, last } = truth;
				expect({ n: row.n, min: row.min, max: row.max, last: row.last }).toEqual({ n, min, max, last });
				expect(Math.abs(row.sum - truth.sum)).toBeLessThanOrEqual(1e-9 * Math.abs(truth.sum) + 1e-9);
				compared++;
			}
		}
		expect(found.size).toBe(compared);
	}, 120_000);
});

describe.each(["UTC", "Asia/Kathmandu", "America/New_York"])("days and hours in %s", (timezone) => {
	const at = (ms: number) => encodeURIComponent(new Date(ms).toISOString());

	/** Buckets of a metric as the route answers them. */
	async function answered(name: string, granularity: string, aggregations: readonly string[]) {
		const metrics = aggregations.map((aggregation) => `${name}:${aggregation}`).join(",");
		const path = `/v1/monitoring/metrics?granularity=${granularity}&start=${at(START)}&end=${at(END)}&timezone=${timezone}&metrics=${metrics}`;
		const response = await server.request(path);
		const body = (await response.json()) as { data_points: Record<string, number | string | null>[] };
		expect(response.status, JSON.stringify(body).slice(0, 500)).toBe(200);
		return body.data_points;
	}

	/** What a wall clock in the zone says at the start of the bucket, with its offset: 1:00 comes twice when clocks go back. */
	const clock = new Intl.DateTimeFormat("en-CA", {
		...{ timeZone: timezone, hourCycle: "h23", timeZoneName: "longOffset" },
		...{ year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit" },
	});
	const wallClock = (ms: number, granularity: string) => {
		const part = Object.fromEntries(clock.formatToParts(ms).map(({ type, value }) => [type, value]));
		const day = `${part.year}-${part.month}-${part.day}`;
		return granularity === "1d" ? day : `${day} ${part.hour} ${part.timeZoneName}`;
	};

	it.each(["1h", "1d"])(
		"sum up to the truth at a granularity of %s",
		async (granularity) => {
			// Every minute has one wall clock, so a look-up a minute is enough.
			const labels = new Map<number, string>();
			const label = (ts: number) => {
				const minute = Math.floor(ts / 60_000);
				if (!labels.has(minute)) labels.set(minute, wallClock(minute * 60_000, granularity));
				return labels.get(minute)!;
			};
			for (const name of ["gauge.a", "counter.a"]) {
				const truth = new Map<string, { n: number; sum: number; max: number }>();
				for (const series of all.filter((one) => one.name === name)) {
					for (const [bucket, { n, sum, max }] of bucketed(series, label)) {
						const before = truth.get(bucket) ?? { n: 0, sum: 0, max: Number.NEGATIVE_INFINITY };
						truth.set(bucket, { n: before.n + n, sum: before.sum + sum, max: Math.max(before.max, max) });
					}
				}
				const points = await answered(name, granularity, ["count", "sum", "max"]);
				const got = new Map(
					points.map((point) => [wallClock(Date.parse(String(point.timestamp)), granularity), point]),
				);
				expect(got.size).toBe(points.length);
				for (const [bucket, { n, sum, max }] of truth) {
					const point = got.get(bucket);
					expect(point?.[`${name}:count`], `${name} ${bucket}`).toBe(n);
					expect(point?.[`${name}:max`]).toBeCloseTo(max, 3);
					expect(Math.abs(Number(point?.[`${name}:sum`]) - sum)).toBeLessThan(1e-6 * Math.abs(sum) + 0.01);
				}
			}
		},
		60_000,
	);

	it("have percentiles within 1 % of rank", async () => {
		const values = new Map<string, number[]>();
		for (const series of all.filter((one) => one.name === "distribution.a")) {
			for (let i = 0; i < series.ts.length; i++) {
				const day = wallClock(Math.floor(series.ts[i]! / 900_000) * 900_000, "1d");
				const list = values.get(day) ?? [];
				values.set(day, list);
				list.push(series.values[i]!);
			}
		}
		const points = await answered("distribution.a", "1d", ["p50", "p95", "p99"]);
		let compared = 0;
		for (const point of points) {
			const day = values.get(wallClock(Date.parse(String(point.timestamp)), "1d"));
			if (!day) continue;
			for (const quantile of [0.5, 0.95, 0.99]) {
				const answer = Number(point[`distribution.a:p${quantile * 100}`]);
				// A sketch of 1 % relative accuracy: the ranks that its bin covers.
				const low = day.filter((value) => value <= answer * 0.99).length / day.length;
				const high = day.filter((value) => value <= answer * 1.01).length / day.length;
				expect(low - 0.01).toBeLessThanOrEqual(quantile);
				expect(high + 0.01).toBeGreaterThanOrEqual(quantile);
				compared++;
			}
		}
		expect(compared).toBeGreaterThanOrEqual(12);
	}, 60_000);
});

interface Bucket {
	n: number;
	sum: number;
	min: number;
	max: number;
	last: number;
	last_ts: number;
}

function bucketed<K>({ ts, values }: Series, bucketOf: (ts: number) => K): Map<K, Bucket> {
	const buckets = new Map<K, Bucket>();
	for (let i = 0; i < ts.length; i++) {
		const key = bucketOf(ts[i]!);
		const value = values[i]!;
		const bucket = buckets.get(key);
		if (!bucket) {
			buckets.set(key, { n: 1, sum: value, min: value, max: value, last: value, last_ts: ts[i]! });
			continue;
		}
		bucket.n++;
		bucket.sum += value;
		bucket.min = Math.min(bucket.min, value);
		bucket.max = Math.max(bucket.max, value);
		if (ts[i]! > bucket.last_ts) {
			bucket.last = value;
			bucket.last_ts = ts[i]!;
		}
	}
	return buckets;
}

function makeSeries(random: () => number): Series[] {
	const logNormal = () => Math.exp(Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));
	const values: Record<string, () => number> = {
		gauge: () => (random() - 0.5) * 1_000,
		counter: () => Math.floor(random() * 100),
		distribution: () => logNormal() * 0.05,
	};
	return Array.from({ length: SERIES }, (_, i) => {
		const kind = Object.keys(values)[i % 3]!;
		const n = POINTS / SERIES;
		// Distinct times within a series, so that "last" has one answer; in random order.
		const slots = Array.from({ length: n }, (_, slot) => START + Math.floor(((slot + random()) * (END - START)) / n));
		for (let k = slots.length - 1; k > 0; k--) {
			const other = Math.floor(random() * (k + 1));
			[slots[k], slots[other]] = [slots[other]!, slots[k]!];
		}
		return {
			...{ name: `${kind}.a`, kind, tags: { host: `h${i}`, component: `c${i % 4}` } },
			...{ ts: Float64Array.from(slots), values: Float64Array.from(slots, () => values[kind]!()) },
		};
	});
}

/** Sends slices of all series in turns, so that every request has late points of every series. */
async function sendAll(series: readonly Series[]): Promise<void> {
	const records: object[] = [];
	for (let from = 0; from < POINTS / SERIES; from += PER_RECORD) {
		for (const { name, kind, tags, ts, values } of series) {
			const slice = [from, from + PER_RECORD] as const;
			records.push({ name, kind, tags, timestamps: [...ts.slice(...slice)], values: [...values.slice(...slice)] });
		}
	}
	for (let from = 0; from < records.length; from += RECORDS_PER_REQUEST) {
		const last = from + RECORDS_PER_REQUEST >= records.length;
		const body = records.slice(from, from + RECORDS_PER_REQUEST);
		const response = await server.request(`/v1/ingest/metrics${last ? "?wait=true" : ""}`, { method: "POST", body });
		const answer = (await response.json()) as { accepted: number };
		expect([response.status, answer.accepted]).toEqual([last ? 200 : 202, body.length]);
	}
}

/** Series of the test by the id that the server gave them. */
async function seriesIds(): Promise<Map<string, number>> {
	const rows = await server.query<{ id: string; host: string }>(
		"SELECT DISTINCT toString(series_id) AS id, tags['host'] AS host FROM series WHERE project = 'default'",
	);
	expect(rows.length).toBe(SERIES);
	return new Map(rows.map(({ id, host }) => [id, Number(host.slice(1))]));
}

function lastFirstSundayOfNovember(now: number): number {
	const of = (year: number) => {
		const first = new Date(Date.UTC(year, 10, 1));
		return Date.UTC(year, 10, 1 + ((7 - first.getUTCDay()) % 7));
	};
	const year = new Date(now).getUTCFullYear();
	return of(year) + 3 * DAY < now ? of(year) : of(year - 1);
}
