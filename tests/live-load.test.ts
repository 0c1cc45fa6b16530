// A thousand and a half viewers of one stream, one of them too slow: the others do not notice, and the server's memory stays bounded.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Server, startServer, until } from "./server.ts";
import { type Message, openEvents, openSocket, type TestViewer } from "./support/viewers.ts";

const SOCKETS = 1_000;
const EVENTS = 500;
/** Connections that are made at once: more are not faster. */
const AT_ONCE = 50;
/** What the server may grow by: some 50 kB a connection and what waits for a slow reader, not what that one never reads. */
const GROWTH_BYTES = 400 * 2 ** 20;
const MAX_ROUNDS = 30;
/** Metrics of the slow reader: together more than a megabyte a round, so that the kernel's buffers fill within seconds. */
const BULK = Array.from({ length: 4_000 }, (_, i) => `bulk.${i}.${"x".repeat(180)}`);

let server: Server;
beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" } });
});
afterAll(() => server?.stop());

const end = (viewer: TestViewer) => viewer[Symbol.asyncDispose]();
const send = (records: object[]) => server.request("/v1/ingest/metrics", { body: records });

function memoryBytes(): number {
	return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))![1]) * 1_024;
}

async function gauge(name: string): Promise<number> {
	const text = await (await server.request("/metrics")).text();
	return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

test("1,000 WebSocket and 500 SSE viewers are told within a second of ingest; a slow one among them is told and closed", async () => {
	const viewers: TestViewer[] = [];
	await using _ = { [Symbol.asyncDispose]: async () => void (await Promise.all(viewers.map(end))) };
	const before = memoryBytes();
	/** Viewers that have the value, by value. */
	const arrived = new Map<number, Set<number>>();
	const reader = (index: number) => (message: Message) => {
		const value = (message.metric === "proof.marker" ? message.value : message["proof.marker"]) as number | undefined;
		if (value !== undefined && !message.snapshot) arrived.get(value)?.add(index);
	};
	const open: (() => Promise<TestViewer>)[] = [
		...Array.from(
			{ length: SOCKETS },
			(_, i) => () =>
				openSocket(server, "/ws/analytics/realtime?metrics=proof.*&interval_seconds=1", { onMessage: reader(i) }),
		),
		...Array.from(
			{ length: EVENTS },
			(_, i) => () =>
				openEvents(server, "/v1/monitoring/metrics/stream?metrics=proof.*&interval_seconds=1", {
					onMessage: reader(SOCKETS + i),
				}),
		),
	];
	for (let i = 0; i < open.length; i += AT_ONCE) {
		viewers.push(...(await Promise.all(open.slice(i, i + AT_ONCE).map((one) => one()))));
	}
	const slow = await openSocket(server, "/ws/analytics/realtime?metrics=proof.*,bulk.*&interval_seconds=1");
	viewers.push(slow);
	slow.pause();
	expect(await gauge("tidemark_streams")).toBe(SOCKETS + EVENTS + 1);
	// The stream in its two shapes, that of the slow reader, and alerts.
	expect(await gauge("tidemark_stream_hubs")).toBe(4);

	const delays_ms: number[] = [];
	for (let round = 1; (await gauge("tidemark_stream_skipped_total")) === 0; round++) {
		expect(round, "the server has not noticed the slow reader").toBeLessThan(MAX_ROUNDS);
		expect((await send(BULK.map((name) => ({ name, value: round })))).status).toBe(202);
		const reached = new Set<number>();
		arrived.set(round, reached);
		const sent_at = performance.now();
		await send([{ name: "proof.marker", value: round }]);
		await until(() => reached.size === SOCKETS + EVENTS, { what: `everyone to have value ${round}`, interval_ms: 5 });
		delays_ms.push(performance.now() - sent_at);
		// An interval later the next value is not held back for having come too soon.
		await new Promise((resolve) => setTimeout(resolve, 1_000));
	}
	// Of the rounds the middle one: what else this machine does in one of them is no property of the server.
	expect(delays_ms.sort((a, b) => a - b)[Math.floor(delays_ms.length / 2)]).toBeLessThan(1_000);
	expect(memoryBytes() - before).toBeLessThan(GROWTH_BYTES);

	slow.resume();
	await until(() => slow.closed);
	expect(slow.closed).toMatchObject({
		code: 1013,
		reason: expect.stringMatching(/^too slow: \d+ messages were skipped$/),
	});
	const notice = slow.messages.at(-1)!;
	expect(notice).toMatchObject({ type: "skipped", messages: expect.any(Number) });
	expect(notice.messages).toBe(await gauge("tidemark_stream_skipped_total"));
	expect(await gauge("tidemark_streams")).toBe(SOCKETS + EVENTS);
	expect(viewers.filter(({ closed }) => closed !== undefined)).toEqual([slow]);

	// Every stream is told when the server stops.
	expect(await server.stop()).toEqual({ code: 0, signal: null });
	await until(() => viewers.every(({ closed }) => closed !== undefined));
	expect(new Set(viewers.map(({ closed }) => closed!.code))).toEqual(new Set([1001, 1013]));
	expect(server.output()).not.toContain(server.adminKey);
}, 90_000);
