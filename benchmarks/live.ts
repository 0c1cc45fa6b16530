/**
 * What viewers of live streams cost: a thousand of one stream against one, and ingest with somebody who watches everything against
 * nobody. Only the CPU of the program counts, neither that of ClickHouse nor that of the viewers, which are in this process.
 */
import { Agent, request } from "node:http";
import { WebSocket } from "ws";
import { cpuMs, until } from "./processes.ts";
import { unit } from "./random.ts";
import type { Server } from "./server.ts";
import { type Spread, spread } from "./statistics.ts";

export interface LiveOptions {
	readonly viewers: number;
	/** How long each number of viewers is measured. */
	readonly seconds: number;
	/** Points of a measurement of ingest. */
	readonly points: number;
	readonly repeats: number;
	readonly seed: number;
	readonly report: (line: string) => void;
}

export interface LiveResult {
	readonly viewers: number;
	/** Points a second that came in while viewers were measured. */
	readonly points_per_s: number;
	/** CPU milliseconds a second with one viewer, and with all. */
	readonly one_cpu_ms: Spread;
	readonly all_cpu_ms: Spread;
	readonly viewers_ratio: Spread;
	/** What each message to one more viewer costs, microseconds. */
	readonly message_us: Spread;
	/** CPU microseconds a point with nobody watching, and with one viewer of everything. */
	readonly quiet_us: Spread;
	readonly watched_us: Spread;
	readonly watched_ratio: Spread;
}

const RECORDS = 1_000;
/** Requests a second while viewers are measured. */
const REQUESTS_PER_SECOND = 20;
const CONNECTIONS = 4;
const STREAM = "/ws/analytics/realtime?interval_seconds=1&metrics=";
/** A stream of several metrics, as a dashboard has it. */
const DASHBOARD = ["api_requests", "response_time", "error_rate", "bench.*"].join(",");
/** Viewers that connect at once. */
const AT_ONCE = 50;

export async function runLive(server: Server, options: LiveOptions): Promise<LiveResult> {
	const { viewers, seconds, points, repeats, report } = options;
	const bodies = bodiesOf(options.seed);
	await server.truncate();
	const sender = new Sender(server, bodies);
	// Series are announced, code is compiled, with and without somebody who watches.
	await ingesting(server, sender, points / 2);
	await watching(server, 1, () => ingesting(server, sender, points / 2), "*");
	const runs: { one: number; all: number; messages: number; quiet: number; watched: number }[] = [];
	for (let i = 0; i < repeats; i++) {
		const [one] = await watching(server, 1, () => paced(server, sender, seconds));
		const [all, messages] = await watching(server, viewers, () => paced(server, sender, seconds));
		// In turns, each twice: what the machine does besides does it to both.
		const turns: { quiet: number; watched: number }[] = [];
		for (let turn = 0; turn < 2; turn++) {
			const quiet = await ingesting(server, sender, points / 2);
			const [watched] = await watching(server, 1, () => ingesting(server, sender, points / 2), "*");
			turns.push({ quiet, watched });
		}
		const quiet = (turns[0]!.quiet + turns[1]!.quiet) / 2;
		const watched = (turns[0]!.watched + turns[1]!.watched) / 2;
		runs.push({ one, all, messages: messages / seconds, quiet, watched });
		report(
			`live #${i + 1}: ${one.toFixed(0)} ms CPU a second with one viewer, ${all.toFixed(0)} with ${viewers}; ` +
				`ingest ${quiet.toFixed(2)} µs a point, watched ${watched.toFixed(2)}`,
		);
	}
	sender.close();
	const over = (value: (run: (typeof runs)[number]) => number) => spread(runs.map(value));
	return {
		...{ viewers, points_per_s: REQUESTS_PER_SECOND * RECORDS },
		...{ one_cpu_ms: over(({ one }) => one), all_cpu_ms: over(({ all }) => all) },
		viewers_ratio: over(({ one, all }) => all / one),
		message_us: over(({ one, all, messages }) => ((all - one) * 1_000) / (messages * (1 - 1 / viewers))),
		...{ quiet_us: over(({ quiet }) => quiet), watched_us: over(({ watched }) => watched) },
		watched_ratio: over(({ quiet, watched }) => watched / quiet),
	};
}

/** Measures with viewers of one stream open. @returns what was measured, and the messages that all of them got meanwhile */
async function watching(
	server: Server,
	count: number,
	measure: () => Promise<number>,
	metrics = DASHBOARD,
): Promise<[measured: number, messages: number]> {
	const sockets: WebSocket[] = [];
	let messages = 0;
	try {
		for (let i = 0; i < count; i += AT_ONCE) {
			await Promise.all(
				Array.from({ length: Math.min(AT_ONCE, count - i) }, async () => {
					const { authorization } = server.headers;
					const socket = new WebSocket(server.url.replace("http", "ws") + STREAM + encodeURIComponent(metrics), {
						...{ headers: { authorization }, perMessageDeflate: false },
					});
					sockets.push(socket);
					socket.on("message", () => messages++);
					await new Promise<void>((resolve, reject) => socket.once("open", resolve).once("error", reject));
				}),
			);
		}
		messages = 0;
		const measured = await measure();
		if (messages === 0) throw new Error("viewers were sent nothing");
		return [measured, messages];
	} finally {
		for (const socket of sockets) socket.terminate();
		await until("viewers to be gone", 10_000, 50, async () => (await openStreams(server)) === 0);
	}
}

async function openStreams(server: Server): Promise<number> {
	const text = await (await fetch(`${server.url}/metrics`)).text();
	return Number(/^tidemark_streams (\d+)$/m.exec(text)?.[1]);
}

/** CPU milliseconds of the program a second, with points coming in steadily. */
async function paced(server: Server, sender: Sender, seconds: number): Promise<number> {
	await new Promise((resolve) => setTimeout(resolve, 500));
	const before = cpuMs(server.pid);
	const started_at = performance.now();
	for (let sent = 0; sent < seconds * REQUESTS_PER_SECOND; sent++) {
		const due = started_at + (sent * 1_000) / REQUESTS_PER_SECOND;
		await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
		await sender.send(1);
	}
	return ((cpuMs(server.pid) - before) * 1_000) / (performance.now() - started_at);
}

/** CPU microseconds of the program a point, as fast as it takes them, until all are stored. */
async function ingesting(server: Server, sender: Sender, points: number): Promise<number> {
	const before = cpuMs(server.pid);
	await sender.send(points / RECORDS);
	await until("the points to be stored", 60_000, 20, () => server.segments().length === 0);
	return ((cpuMs(server.pid) - before) * 1_000) / points;
}

/** Requests over a few connections, one after the other on each. */
class Sender {
	readonly #agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
	readonly #server: Server;
	readonly #bodies: readonly Buffer[];
	#next = 0;

	constructor(server: Server, bodies: readonly Buffer[]) {
		this.#server = server;
		this.#bodies = bodies;
	}

	async send(requests: number): Promise<void> {
		let left = requests;
		const lane = async () => {
			while (left-- > 0) await this.#post(this.#bodies[this.#next++ % this.#bodies.length]!);
		};
		await Promise.all(Array.from({ length: Math.min(CONNECTIONS, requests) }, lane));
	}

	close(): void {
		this.#agent.destroy();
	}

	#post(body: Buffer): Promise<void> {
		const { url, headers } = this.#server;
		return new Promise((resolve, reject) => {
			const sent = request(
				`${url}/v1/ingest/metrics`,
				{ method: "POST", agent: this.#agent, headers: { ...headers, "content-length": body.length } },
				(response) => {
					response.resume().once("end", () => {
						if (response.statusCode === 202) resolve();
						else reject(new Error(`ingest answered ${response.statusCode}`));
					});
				},
			);
			sent.once("error", reject).end(body);
		});
	}
}

/** Bodies of requests and gauges without times, so that they are of now whenever they are sent. */
function bodiesOf(seed: number): Buffer[] {
	return Array.from({ length: 20 }, (_, body) => {
		const records = Array.from({ length: RECORDS }, (_, i) => {
			const u = unit(seed, body, i);
			if (i % 10 === 0) return { name: `bench.gauge.${(i / 10) % 10}`, value: u, tags: { host: `h${i % 7}` } };
			const status = u < 0.01 ? "500" : "200";
			return {
				...{ name: "http.server.request.duration", value: u / 10 },
				tags: { "http.response.status_code": status, "http.route": `/route/${i % 50}`, component: `c${i % 5}` },
			};
		});
		return Buffer.from(JSON.stringify(records));
	});
}
