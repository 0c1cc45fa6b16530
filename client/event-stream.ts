// A connection of server-sent events over fetch, which unlike EventSource can send the key in a header and see why it is refused.
import { TidemarkError, UnavailableError } from "./errors.ts";
import { SseParser } from "./sse.ts";
import type { StreamEvent, StreamPosition } from "./stream.ts";
import type { Query, Transport } from "./transport.ts";

/** The server says something every 15 s; after two and a half silences it is taken for gone. */
const SILENCE_MS = 40_000;

/**
 * @param silenceMs after which the server is taken for gone
 * @throws TidemarkError
 */
export async function* eventStream(
	transport: Transport,
	path: string,
	query: Query,
	position: StreamPosition,
	signal: AbortSignal,
	silenceMs = SILENCE_MS,
): AsyncGenerator<StreamEvent, void, undefined> {
	const hangUp = new AbortController();
	const { lastEventId } = position;
	const body = await transport.stream(path, query, {
		signal: AbortSignal.any([signal, hangUp.signal]),
		...(lastEventId !== "" && { lastEventId }),
	});
	const parser = new SseParser(lastEventId);
	const decoder = new TextDecoder();
	const reader = body.getReader();
	try {
		for (;;) {
			const { done, value } = await within(silenceMs, reader.read());
			if (done) return;
			for (const { event, data, id } of parser.feed(decoder.decode(value, { stream: true }))) {
				yield { kind: event, body: parsed(data) };
				// Only what was taken counts: whoever leaves here and comes back is sent the rest.
				position.lastEventId = id;
			}
			position.lastEventId = parser.lastEventId;
			position.retryMs = parser.retryMs;
		}
	} catch (cause) {
		if (signal.aborted || cause instanceof TidemarkError) throw cause;
		const reason = cause instanceof Error ? cause.message : cause;
		throw new UnavailableError(`the stream broke: ${reason}`, { code: "connection_failed", cause });
	} finally {
		hangUp.abort();
	}
}

function parsed(data: string): unknown {
	try {
		return JSON.parse(data);
	} catch (cause) {
		throw new TidemarkError("the stream holds what is no JSON", { cause });
	}
}

/** @throws UnavailableError when nothing came for so long */
async function within<T>(ms: number, reading: Promise<T>): Promise<T> {
	let timer: ReturnType<typeof setTimeout> | undefined;
	const silence = new Promise<never>((_, reject) => {
		const error = () => new UnavailableError(`the stream was silent for ${ms} ms`, { code: "timeout" });
		timer = setTimeout(() => reject(error()), ms);
	});
	// Whichever loses must not be an unhandled rejection.
	reading.catch(() => {});
	try {
		return await Promise.race([reading, silence]);
	} finally {
		clearTimeout(timer);
	}
}
