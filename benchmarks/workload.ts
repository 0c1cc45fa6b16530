/**
 * The rows of every load, as functions of a seed and a row number. The load generator renders them as request bodies, the
 * floor encodes them as Native blocks: both see the same values without exchanging them.
 */
import { hex16, mix, unit } from "./random.ts";

export const WORKLOADS = ["series", "metrics", "logs", "events"] as const;
/** `series`: many points of one series in a record; `metrics`: one point a record, same points. */
export type Workload = (typeof WORKLOADS)[number];

export interface Dataset {
	readonly workload: Workload;
	readonly seed: number;
	readonly rows: number;
	/** Time of the first row, milliseconds since the epoch. */
	readonly start_ms: number;
	/** Of `series`: points of one series that stand together. */
	readonly pointsPerSeries: number;
}

export interface MetricSeries {
	readonly name: string;
	/** Sorted by key. */
	readonly tags: readonly (readonly [string, string])[];
}

const HOSTS = 1_000;
const STEP_MS = 10_000;
/** Two of ten are of kind `distribution` by their names, so that the percentile sketches are part of the load. */
const METRICS: readonly (readonly [name: string, shape: "ratio" | "bytes" | "count" | "seconds"])[] = [
	["system.cpu.utilization", "ratio"],
	["system.memory.usage", "bytes"],
	["system.memory.utilization", "ratio"],
	["system.disk.utilization", "ratio"],
	["process.memory.usage", "bytes"],
	["process.open_files", "count"],
	["queue.depth", "count"],
	["jobs.active", "count"],
	["http.server.request.duration", "seconds"],
	["db.client.operation.duration", "seconds"],
];
const COMPONENTS = ["api", "web", "worker", "billing", "search", "auth", "mail", "cache", "gateway", "reports"];
const REGIONS = ["eu-central", "eu-west", "us-east", "us-west"];
export const SERIES = HOSTS * METRICS.length;

export const ALL_SERIES: readonly MetricSeries[] = Array.from({ length: SERIES }, (_, series) => {
	const host = Math.floor(series / METRICS.length);
	return {
		name: METRICS[series % METRICS.length]![0],
		tags: [
			["component", COMPONENTS[host % COMPONENTS.length]!],
			["host", `host-${String(host).padStart(4, "0")}`],
			["region", REGIONS[host % REGIONS.length]!],
		],
	};
});

const HOUR_MS = 3_600_000;

/**
 * A small load an hour earlier that comes first and is not counted: compiled code, open connections, and every series seen
 * once, as in a server that has run for a while.
 */
export function warmUpOf(dataset: Dataset): Dataset {
	const rows = Math.max(Math.floor(dataset.rows / 20), Math.min(dataset.rows, SERIES * 10));
	return {
		...dataset,
		rows,
		pointsPerSeries: Math.min(dataset.pointsPerSeries, 10),
		start_ms: dataset.start_ms - HOUR_MS,
	};
}

/** Series of a row and the how-manieth point of it. */
export function placeOf({ workload, pointsPerSeries }: Dataset, row: number): { series: number; tick: number } {
	if (workload === "metrics") return { series: row % SERIES, tick: Math.floor(row / SERIES) };
	const round = Math.floor(row / (SERIES * pointsPerSeries));
	const within = row % (SERIES * pointsPerSeries);
	return {
		series: Math.floor(within / pointsPerSeries),
		tick: round * pointsPerSeries + (within % pointsPerSeries),
	};
}

/** Agents report every 10 s, each at an offset of its own; all series of a host at once. */
export function pointTime({ start_ms, seed }: Dataset, series: number, tick: number): number {
	return start_ms + tick * STEP_MS + (mix(seed, Math.floor(series / METRICS.length), -1) % STEP_MS);
}

export function pointValue({ seed }: Dataset, series: number, tick: number): number {
	const level = unit(seed, series, -2);
	const noise = unit(seed, series, tick);
	switch (METRICS[series % METRICS.length]![1]) {
		case "ratio":
			return Math.round((level * 0.7 + noise * 0.3) * 1e4) / 1e4;
		case "bytes":
			return Math.floor(level * 2 ** 21 + noise * 2 ** 16) * 4_096;
		case "count":
			return Math.floor(level * 50 + noise * 20);
		case "seconds":
			// Log-normal-like, 1 ms to some seconds, in microseconds: what request times look like.
			return Math.round(0.01 * Math.exp(level * 2 + (noise + unit(seed ^ 1, series, tick) - 1) * 3) * 1e6) / 1e6;
	}
}

export interface LogLine {
	readonly ts: number;
	readonly level: string;
	readonly component: string;
	/** 200 bytes. */
	readonly message: string;
	/** JSON of an object with two members. */
	readonly context: string;
}

const MESSAGE_BYTES = 200;
const WORDS = (
	"request response connection timeout user session token cache miss hit query row index shard replica leader follower retry " +
	"backoff queue job worker batch commit offset partition segment upload download file object bucket region host port socket " +
	"handshake certificate expired refused accepted rejected scheduled started finished failed aborted cancelled restored payment " +
	"invoice order cart checkout customer account profile password reset email message template render page view click search " +
	"result ranking score model inference tensor gradient round client server proxy route upstream downstream latency budget limit"
).split(" ");

export function logLine({ seed, start_ms }: Dataset, row: number): LogLine {
	const dice = unit(seed, row, 0);
	const level = dice < 0.7 ? "info" : dice < 0.9 ? "debug" : dice < 0.98 ? "warn" : "error";
	const request = hex16(seed, row, 1);
	const latency_ms = mix(seed, row, 2) % 2_000;
	let message = `request ${request} from 10.${mix(seed, row, 3) % 256}.${mix(seed, row, 4) % 256}.7 took ${latency_ms} ms:`;
	for (let word = 5; message.length < MESSAGE_BYTES; word++)
		message += ` ${WORDS[mix(seed, row, word) % WORDS.length]!}`;
	return {
		ts: start_ms + row * 2 + (mix(seed, row, -1) % 500),
		level,
		component: COMPONENTS[mix(seed, row, -2) % COMPONENTS.length]!,
		message: message.slice(0, MESSAGE_BYTES),
		context: `{"request_id":"${request}","latency_ms":${latency_ms}}`,
	};
}

export interface EventRecord {
	readonly ts: number;
	readonly event: string;
	readonly event_id: string;
	readonly user_id: string;
	readonly strings: readonly (readonly [string, string])[];
	readonly numbers: readonly (readonly [string, number])[];
}

const EVENTS = [
	...["page_view", "page_view", "page_view", "click", "click", "search", "login", "logout", "signup", "add_to_cart"],
	...["checkout", "purchase", "share", "comment", "upload", "download", "invite", "upgrade"],
];
const PLANS = ["free", "pro", "team", "enterprise"];
const BROWSERS = ["firefox", "chrome", "safari", "edge"];
const USERS = 100_000;

export function eventRecord({ seed, start_ms }: Dataset, row: number): EventRecord {
	return {
		ts: start_ms + row * 3 + (mix(seed, row, -1) % 500),
		event: EVENTS[mix(seed, row, 1) % EVENTS.length]!,
		event_id: hex16(seed, row, 2),
		user_id: `user-${mix(seed, row, 3) % USERS}`,
		strings: [
			["plan", PLANS[mix(seed, row, 4) % PLANS.length]!],
			["browser", BROWSERS[mix(seed, row, 5) % BROWSERS.length]!],
			["path", `/${WORDS[mix(seed, row, 6) % WORDS.length]!}/${mix(seed, row, 7) % 1_000}`],
		],
		numbers: [
			["duration_ms", mix(seed, row, 8) % 30_000],
			["amount", (mix(seed, row, 9) % 10_000) / 100],
		],
	};
}
