// A connection of the realtime WebSocket.
import { UnavailableError } from "./errors.ts";
import type { StreamEvent } from "./stream.ts";
import type { Query, Transport } from "./transport.ts";

/** What of the WebSocket API of browsers is used. */
export interface WebSocketLike {
	close(code?: number, reason?: string): void;
	addEventListener(type: "message", listener: (event: { data: unknown }) => void): void;
	addEventListener(type: "open" | "error" | "close", listener: () => void): void;
}
export type WebSocketClass = new (url: string) => WebSocketLike;

/** Messages that wait for a reader who is slower than they come; beyond it the oldest are left out and counted. */
const MOST_WAITING = 1_000;

/**
 * @param refused finds out why there is no connection: a WebSocket does not say
 * @throws TidemarkError
 */
export async function* socketStream(
	WebSocket: WebSocketClass,
	{ transport, path, query }: { transport: Transport; path: string; query: Query },
	refused: () => Promise<void>,
	signal: AbortSignal,
): AsyncGenerator<StreamEvent, void, undefined> {
	const socket = new WebSocket(transport.socketUrl(path, query));
	const waiting: StreamEvent[] = [];
	let [skipped, isOpen, isClosed] = [0, false, signal.aborted];
	let wake = () => {};
	const close = () => {
		isClosed = true;
		wake();
	};
	socket.addEventListener("open", () => {
		isOpen = true;
	});
	socket.addEventListener("message", ({ data }) => {
		if (waiting.length === MOST_WAITING) {
			waiting.shift();
			skipped++;
		}
		waiting.push(parsed(data));
		wake();
	});
	socket.addEventListener("error", close);
	socket.addEventListener("close", close);
	signal.addEventListener("abort", close);
	try {
		for (;;) {
			if (skipped > 0) {
				const body = { messages: skipped, reason: "This reader is slower than the stream" };
				skipped = 0;
				yield { kind: "skipped", body };
			}
			const event = waiting.shift();
			if (event) yield event;
			else if (isClosed) break;
			else {
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			}
		}
		if (signal.aborted || isOpen) return;
		await refused();
		throw new UnavailableError("cannot open a WebSocket", { code: "connection_failed" });
	} finally {
		signal.removeEventListener("abort", close);
		socket.close();
	}
}

function parsed(data: unknown): StreamEvent {
	try {
		const body = JSON.parse(String(data)) as { type?: unknown };
		return { kind: String(body.type), body };
	} catch {
		return { kind: "error", body: { error: "the stream holds what is no JSON" } };
	}
}
