/** Server-sent events, written to the socket as they are: a stream per reader in between would copy every message. */
import type { ServerResponse } from "node:http";
import { RESPONSE_ALREADY_SENT } from "@hono/node-server/utils/response";
import type { Context } from "hono";
import type { AppEnv } from "../../http/env.ts";
import type { Streams } from "./streams.ts";
import type { Goodbye, Viewer, Wire } from "./viewer.ts";

/** How long a browser waits before it connects again. */
const RETRY_MS = 2_000;
const BEAT = Buffer.from(": heartbeat\n\n");

/**
 * One event. @param kind its name; `message`, the name of those that `onmessage` hears, is left out
 * @param id what a client that connects again names as the last one it has, in `Last-Event-ID`
 */
export function sseEvent(kind: string, body: string, id?: string): Buffer {
	const name = kind === "message" ? "" : `event: ${kind}\n`;
	return Buffer.from(`${id === undefined ? "" : `id: ${id}\n`}${name}data: ${body}\n\n`);
}

class SseWire implements Wire {
	readonly #response: ServerResponse;

	constructor(response: ServerResponse) {
		this.#response = response;
	}

	get buffered(): number {
		return this.#response.writableLength;
	}

	write(messages: readonly Buffer[]): void {
		const response = this.#response;
		if (response.writableEnded) return;
		response.cork();
		for (const message of messages) response.write(message);
		response.uncork();
	}

	encode(kind: string, body: object): Buffer {
		return sseEvent(kind, JSON.stringify(body));
	}

	beat(): boolean {
		if (this.#response.destroyed) return false;
		// Behind others that wait it would tell nobody anything.
		if (this.buffered === 0) this.write([BEAT]);
		return true;
	}

	end(goodbye: Goodbye): void {
		this.write([this.encode("close", goodbye)]);
		this.#response.end();
	}

	destroy(): void {
		this.#response.destroy();
	}
}

/**
 * Answers a request with a stream.
 * @param begin joins the reader to what it asked for, and returns what ends that
 * @throws ApiError when no more streams may be open
 */
export function openSse(c: Context<AppEnv>, streams: Streams, begin: (viewer: Viewer) => () => void): Response {
	const headers = {
		...Object.fromEntries(c.res.headers),
		"X-Request-Id": c.get("requestId"),
		"Content-Type": "text/event-stream",
		// Neither kept nor compressed on the way: either would hold events back.
		"Cache-Control": "no-cache, no-transform",
		"X-Accel-Buffering": "no",
		// The connection is of no use to anybody afterwards, and its end is how streams are counted.
		Connection: "close",
	};
	if (c.req.method === "HEAD") return c.body(null, 200, headers);
	const place = streams.take(c);
	const { incoming, outgoing } = c.env;
	outgoing.writeHead(200, headers);
	incoming.socket.setNoDelay(true);
	incoming.socket.setKeepAlive(true, 30_000);
	outgoing.write(`retry: ${RETRY_MS}\n\n`);
	const end = begin(place.open(new SseWire(outgoing)));
	if (incoming.socket.destroyed) end();
	else incoming.socket.once("close", end);
	return RESPONSE_ALREADY_SENT;
}
