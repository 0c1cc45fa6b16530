// One request: address, key, deadline, and errors as TidemarkError.
import { errorFromAnswer, TidemarkError, UnavailableError } from "./errors.ts";
import { mayRetry, retryDelayMs } from "./retry.ts";

const READ_TRIES = 3;
/** A reader would rather know than wait longer. */
const LONGEST_READ_WAIT_MS = 5000;
const EVENT_STREAM = "text/event-stream";

export interface TransportOptions {
	apiKey: string;
	baseUrl: string;
	/** Deadline of one try, milliseconds. */
	timeoutMs: number;
	fetch: typeof globalThis.fetch;
}

/** Values of a query string: lists are joined with commas, undefined is left out. */
export type Query = Record<string, string | number | boolean | Date | readonly (string | number)[] | null | undefined>;

/** A file as it comes. */
export interface FileAnswer {
	readonly name: string;
	readonly bytes: number | undefined;
	readonly stream: ReadableStream<Uint8Array>;
}

interface PostOptions {
	contentType: string;
	signal?: AbortSignal | undefined;
	idempotencyKey?: string;
	/** Lets a browser finish the request after the page is gone; for bodies below 64 KiB. */
	keepalive?: boolean;
}

export class Transport {
	readonly #options: TransportOptions;

	constructor(options: TransportOptions) {
		this.#options = { ...options, baseUrl: options.baseUrl.replace(/\/+$/, "") };
	}

	/** GET, tried up to three times when the server is overloaded or away. */
	async get<Answer>(path: string, query: Query = {}, signal?: AbortSignal): Promise<Answer> {
		for (let tries = 1; ; tries++) {
			try {
				return await this.#request<Answer>(`${path}${queryString(query)}`, {
					method: "GET",
					...(signal && { signal }),
				});
			} catch (error) {
				if (tries >= READ_TRIES || signal?.aborted || !mayRetry(error, tries)) throw error;
				const waitMs = retryDelayMs(tries, (error as TidemarkError).retryAfter, Math.random());
				if (waitMs > LONGEST_READ_WAIT_MS) throw error;
				await new Promise((resolve) => setTimeout(resolve, waitMs));
			}
		}
	}

	/** POST, tried once: who sends the same body again must send the same Idempotency-Key, and knows how long to insist. */
	post<Answer>(path: string, body: string | Uint8Array<ArrayBuffer>, options: PostOptions): Promise<Answer> {
		return this.#request<Answer>(path, {
			method: "POST",
			body,
			headers: {
				"content-type": options.contentType,
				...(options.idempotencyKey !== undefined && { "idempotency-key": options.idempotencyKey }),
			},
			...(options.keepalive && { keepalive: true }),
			...(options.signal && { signal: options.signal }),
		});
	}

	/** PUT of JSON, tried once. */
	put<Answer>(path: string, body: object, signal?: AbortSignal): Promise<Answer> {
		const headers = { "content-type": "application/json" };
		return this.#request(path, { method: "PUT", body: JSON.stringify(body), headers, ...(signal && { signal }) });
	}

	/** PATCH of JSON, tried once: a second one may undo what somebody else did after the first. */
	patch<Answer>(path: string, body: object, signal?: AbortSignal): Promise<Answer> {
		const headers = { "content-type": "application/json" };
		return this.#request(path, { method: "PATCH", body: JSON.stringify(body), headers, ...(signal && { signal }) });
	}

	/** DELETE, tried once: a second one would not find what the first one deleted. */
	delete(path: string, signal?: AbortSignal): Promise<void> {
		return this.#request(path, { method: "DELETE", ...(signal && { signal }) });
	}

	/**
	 * GET of an event stream, tried once; the deadline is for the head of the answer, not for the stream.
	 *
	 * @throws TidemarkError when there is none
	 */
	async stream(
		path: string,
		query: Query,
		{ signal, lastEventId }: { signal: AbortSignal; lastEventId?: string },
	): Promise<ReadableStream<Uint8Array>> {
		const headers = { accept: EVENT_STREAM, ...(lastEventId !== undefined && { "last-event-id": lastEventId }) };
		return await this.#open(path, query, { headers, signal }, (answer) => {
			if (answer.headers.get("content-type")?.startsWith(EVENT_STREAM) && answer.body) return answer.body;
			void answer.body?.cancel().catch(() => {});
			throw new TidemarkError(`${this.#options.baseUrl} did not answer with a stream`);
		});
	}

	/** GET of a file of any size, tried once; the deadline is for the head of the answer. */
	async file(path: string, query: Query, signal?: AbortSignal): Promise<FileAnswer> {
		return await this.#open(path, query, { headers: {}, ...(signal && { signal }) }, ({ headers, body }) => {
			const [, name] = /filename="([^"]*)"/.exec(headers.get("content-disposition") ?? "") ?? [];
			const bytes = headers.get("content-length");
			if (!body || name === undefined) throw new TidemarkError(`${this.#options.baseUrl} did not answer with a file`);
			return { name, bytes: bytes === null ? undefined : Number(bytes), stream: body };
		});
	}

	/** A GET whose answer is read for as long as it comes. */
	async #open<T>(
		path: string,
		query: Query,
		{ headers, signal }: { headers: Record<string, string>; signal?: AbortSignal },
		read: (answer: Response) => T,
	): Promise<T> {
		const { apiKey, baseUrl, timeoutMs, fetch } = this.#options;
		const late = new AbortController();
		const timer = setTimeout(() => late.abort(), timeoutMs);
		try {
			const answer = await fetch(`${baseUrl}${path}${queryString(query)}`, {
				...{ method: "GET", cache: "no-store" },
				headers: { authorization: `Bearer ${apiKey}`, ...headers },
				signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
			});
			if (!answer.ok) throw errorFromAnswer(answer.status, answer.headers, await answer.text(), Date.now());
			return read(answer);
		} catch (cause) {
			throw this.#failure(cause, signal, late.signal);
		} finally {
			clearTimeout(timer);
		}
	}

	/** Address of a WebSocket. It has the key in it: browsers can send it in no other way. */
	socketUrl(path: string, query: Query): string {
		const { apiKey, baseUrl } = this.#options;
		return `${baseUrl.replace(/^http/, "ws")}${path}${queryString({ ...query, api_key: apiKey })}`;
	}

	/** What a request failed with, as the error for it. */
	#failure(cause: unknown, own: AbortSignal | null | undefined, deadline: AbortSignal): unknown {
		const { baseUrl, timeoutMs } = this.#options;
		if (cause instanceof TidemarkError || own?.aborted) return cause;
		if (cause instanceof SyntaxError) return new TidemarkError(`${baseUrl} did not answer with JSON`, { cause });
		return deadline.aborted
			? new UnavailableError(`no answer from ${baseUrl} within ${timeoutMs} ms`, { code: "timeout", cause })
			: new UnavailableError(`cannot reach ${baseUrl}: ${rootMessage(cause)}`, { code: "connection_failed", cause });
	}

	async #request<Answer>(path: string, init: RequestInit): Promise<Answer> {
		const { apiKey, baseUrl, timeoutMs, fetch } = this.#options;
		const deadline = AbortSignal.timeout(timeoutMs);
		const signal = init.signal ? AbortSignal.any([init.signal, deadline]) : deadline;
		const headers = { accept: "application/json", authorization: `Bearer ${apiKey}`, ...init.headers };
		try {
			const answer = await fetch(`${baseUrl}${path}`, { ...init, headers, signal });
			const text = await answer.text();
			if (!answer.ok) throw errorFromAnswer(answer.status, answer.headers, text, Date.now());
			return (answer.status === 204 ? undefined : JSON.parse(text)) as Answer;
		} catch (cause) {
			throw this.#failure(cause, init.signal, deadline);
		}
	}
}

function queryString(query: Query): string {
	const params = new URLSearchParams();
	for (const [name, value] of Object.entries(query)) {
		if (value === undefined || value === null) continue;
		params.set(
			name,
			value instanceof Date ? value.toISOString() : Array.isArray(value) ? value.join(",") : String(value),
		);
	}
	return params.size > 0 ? `?${params}` : "";
}

/** Node's fetch says only "fetch failed"; the reason is in its cause. */
function rootMessage(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	return error.cause instanceof Error ? rootMessage(error.cause) : error.message || error.name;
}
