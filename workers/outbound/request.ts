// An HTTP request through the door: one connection for each hop, everything limited, nothing left open.
import { request as httpRequest, type IncomingMessage, validateHeaderName, validateHeaderValue } from "node:http";
import type { Socket } from "node:net";
import { unescape as decode } from "node:querystring";
import { type Connection, connect, type Door, type TlsFacts } from "./connect.ts";
import { OutboundFailure, OutboundRefused, refusedPort } from "./errors.ts";
import { hostOf, isHttpPort, originOf, portOf, readUrl } from "./host.ts";
import { type Hop, nextHop } from "./redirect.ts";
import { Stopwatch, type Timings } from "./stopwatch.ts";

/** Of one request with all its redirects. */
export interface RequestLimits {
	readonly total_ms: number;
	/** Of each of look-up, connection and TLS handshake. */
	readonly connect_ms: number;
	/** From the request to the head of the response. */
	readonly headers_ms: number;
	/** Longest silence in the body. */
	readonly idle_ms: number;
	/** Of the body; reading stops there and the response says `truncated`. */
	readonly bodyBytes: number;
	readonly headerBytes: number;
}

export interface OutboundRequest {
	/** http or https. A user and password in it become a basic `authorization` header. */
	readonly url: string | URL;
	readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array;
	/** How many redirects to follow, each checked like the first URL. Default 0: a 3xx is the answer. */
	readonly redirects?: number;
	/** False takes any certificate, for tests that only measure it. */
	readonly verifyCertificate?: boolean;
	readonly limits?: Partial<RequestLimits>;
	readonly signal?: AbortSignal;
	/** Waited for once there is a connection, before the first byte of the request. What it throws ends the request. */
	readonly beforeSend?: () => Promise<void>;
}

export interface OutboundResponse {
	readonly status: number;
	/** Names in lower case, repeated ones joined by a comma. */
	readonly headers: Readonly<Record<string, string>>;
	/** As it came: not decompressed, and none is asked for. */
	readonly body: Buffer;
	/** Whether the body is longer than `limits.bodyBytes`. */
	readonly truncated: boolean;
	/** The last URL. It may hold secrets. */
	readonly url: string;
	readonly redirects: number;
	/** That was connected to. */
	readonly address: string;
	readonly tls: TlsFacts | null;
	readonly timings: Timings;
}

const LIMITS: RequestLimits = {
	total_ms: 15_000,
	connect_ms: 5_000,
	headers_ms: 10_000,
	idle_ms: 5_000,
	bodyBytes: 64 * 1024,
	headerBytes: 16 * 1024,
};

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/** They say where the request goes and where it ends; set by whoever did not check that, they smuggle another one. */
const OURS = new Set([
	"host",
	"connection",
	"content-length",
	"expect",
	"keep-alive",
	"proxy-authorization",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
]);

/**
 * Sends a request and reads the response. Any status is an answer.
 *
 * @throws OutboundRefused, OutboundTimeout, OutboundFailure, or the reason of `signal`
 */
export async function request(given: OutboundRequest, door: Door): Promise<OutboundResponse> {
	const limits = { ...LIMITS, ...given.limits };
	const allowed = given.redirects ?? 0;
	let hop = firstHop(given);
	const watch = new Stopwatch({ total_ms: limits.total_ms, signal: given.signal });
	let connection: Connection | undefined;
	try {
		for (let redirects = 0; ; redirects++) {
			connection = await open(hop, given, limits, door, watch);
			if (redirects === 0 && given.beforeSend) await watch.wait(given.beforeSend());
			const response = await send(hop, connection.socket, limits, watch);
			const status = response.statusCode ?? 0;
			const next = allowed > 0 ? nextHop(hop, status, response.headers.location) : undefined;
			if (!next) {
				const { address, tls } = connection;
				const read = await readBody(response, limits, watch);
				const answer = { status, headers: headersOf(response), url: hop.url.href, redirects, address, tls };
				return { ...answer, ...read, timings: watch.stop() };
			}
			if (redirects === allowed) throw new OutboundFailure(originOf(hop.url), "ttfb", "TOO_MANY_REDIRECTS");
			connection.socket.destroy();
			hop = next;
		}
	} catch (error) {
		throw watch.explain(error, originOf(hop.url));
	} finally {
		watch.stop();
		connection?.socket.destroy();
	}
}

function firstHop({ url: text, method = "GET", headers = {}, body }: OutboundRequest): Hop {
	const url = readUrl(text);
	const target = originOf(url);
	if (!METHODS.includes(method)) throw new OutboundRefused(target, "method", "the method is not one of the door's");
	const sent: Record<string, string> = { accept: "*/*", "accept-encoding": "identity", "user-agent": "Tidemark" };
	if (url.username !== "" || url.password !== "") {
		// This leaves a bad escape as it is, where `decodeURIComponent` throws it, secret and all.
		const login = `${decode(url.username)}:${decode(url.password)}`;
		sent.authorization = `Basic ${Buffer.from(login).toString("base64")}`;
		url.username = "";
		url.password = "";
	}
	for (const [name, value] of Object.entries(headers)) sent[headerName(name, value, target)] = value;
	return { url, method, headers: sent, body };
}

function headerName(given: string, value: string, target: string): string {
	const name = given.toLowerCase();
	if (OURS.has(name)) throw new OutboundRefused(target, "header", `the header ${name} cannot be set`);
	try {
		validateHeaderName(name);
		validateHeaderValue(name, value);
	} catch {
		// Node's own error would quote the name, which may be a value in the wrong place.
		throw new OutboundRefused(target, "header", "a header holds characters that HTTP does not allow");
	}
	return name;
}

function open({ url }: Hop, given: OutboundRequest, limits: RequestLimits, door: Door, watch: Stopwatch) {
	const host = hostOf(url);
	const port = portOf(url);
	const target = originOf(url);
	if (!isHttpPort(port) && !door.guard.named(host)) throw refusedPort(target);
	const tls = url.protocol === "https:" ? { verify: given.verifyCertificate !== false, alpn: ["http/1.1"] } : undefined;
	return connect({ host, port, tls, target, connect_ms: limits.connect_ms }, door, watch);
}

async function send(hop: Hop, socket: Socket, limits: RequestLimits, watch: Stopwatch): Promise<IncomingMessage> {
	watch.enter("ttfb", limits.headers_ms);
	const sent = httpRequest({
		createConnection: () => socket,
		method: hop.method,
		path: `${hop.url.pathname}${hop.url.search}`,
		headers: { ...hop.headers, host: hop.url.host },
		maxHeaderSize: limits.headerBytes,
		insecureHTTPParser: false,
	});
	const answered = new Promise<IncomingMessage>((resolve, reject) => {
		sent.on("response", resolve);
		sent.on("error", reject);
		// A switch of protocols ends without a word.
		sent.on("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
	});
	sent.end(hop.body);
	const response = await watch.wait(answered);
	watch.enter("download", limits.idle_ms);
	return response;
}

async function readBody(
	response: IncomingMessage,
	limits: RequestLimits,
	watch: Stopwatch,
): Promise<{ body: Buffer; truncated: boolean }> {
	const chunks: Buffer[] = [];
	let room = limits.bodyBytes;
	let truncated = false;
	for await (const chunk of response as AsyncIterable<Buffer>) {
		watch.refresh();
		chunks.push(chunk.subarray(0, room));
		truncated = chunk.length > room;
		if (truncated) break;
		room -= chunk.length;
	}
	return { body: Buffer.concat(chunks), truncated };
}

function headersOf(response: IncomingMessage): Record<string, string> {
	const entries = Object.entries(response.headersDistinct).map(([name, values]) => [name, (values ?? []).join(", ")]);
	return Object.fromEntries(entries);
}
