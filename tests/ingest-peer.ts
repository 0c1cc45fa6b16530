// The other end of the wire for tests of the SDK and of the import: it speaks the ingest contract and can be told to fail.
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";

export interface PeerRequest {
	method: string;
	url: string;
	headers: IncomingMessage["headers"];
	body: string;
}

/** What to do in place of the usual answer. */
export type Misbehaviour = (answer: ServerResponse, request: PeerRequest) => void;

export interface Peer {
	url: string;
	/** Stored records, in order, each once. */
	stored: Record<string, unknown>[];
	requests: PeerRequest[];
	/** Taken one by one, a request each. */
	misbehave: Misbehaviour[];
	/** A record for which this is true is rejected. */
	refuses: (record: Record<string, unknown>) => boolean;
	/** Answers of GET routes by path: a body, or what gives one. */
	answers: Map<string, unknown | ((query: URLSearchParams) => unknown)>;
	/** Routes by path that answer by themselves, such as streams. */
	routes: Map<string, Misbehaviour>;
	close(): Promise<void>;
}

export function status(code: number, body: unknown, headers: Record<string, string> = {}): Misbehaviour {
	return (answer) => send(answer, code, body, headers);
}

/** Stores the batch, then breaks the connection: the sender cannot know. */
export const storeThenHangUp: Misbehaviour = (answer) => {
	answer.setHeader("x-hang-up", "1");
};

/** Takes the request and says nothing. */
export const neverAnswer: Misbehaviour = (answer) => {
	answer.setHeader("x-silent", "1");
};

export async function startPeer(): Promise<Peer> {
	const seen = new Map<string, { body: string; answer: unknown; code: number }>();
	const server = createServer(async (incoming, answer) => {
		const raw = incoming.headers["content-encoding"] === "gzip" ? await gunzip(incoming) : await text(incoming);
		const request = { method: incoming.method!, url: incoming.url!, headers: incoming.headers, body: raw };
		peer.requests.push(request);
		peer.misbehave.shift()?.(answer, request);
		if (answer.writableEnded || answer.hasHeader("x-silent")) return;
		const { pathname, searchParams } = new URL(request.url, peer.url);
		const route = peer.routes.get(pathname);
		if (route) {
			route(answer, request);
			return;
		}
		if (request.method === "GET") {
			const known = peer.answers.get(pathname);
			const found = typeof known === "function" ? known(searchParams) : known;
			send(answer, found ? 200 : 404, found ?? { error: "no such route", code: 404 });
			return;
		}
		const key = String(incoming.headers["idempotency-key"]);
		const before = seen.get(key);
		if (before && before.body !== raw) {
			send(answer, 409, { error: "the same Idempotency-Key came with another body", code: 409 });
			return;
		}
		const verdict = before ?? take(raw);
		seen.set(key, verdict);
		if (answer.hasHeader("x-hang-up")) answer.destroy();
		else send(answer, verdict.code, verdict.answer);
	}).listen(0, "127.0.0.1");
	await once(server, "listening");

	function take(body: string) {
		const rejected: { index: number; reason: string; field: string }[] = [];
		const lines = body.split("\n").filter(Boolean);
		lines.forEach((line, index) => {
			const record = JSON.parse(line);
			if (peer.refuses(record)) rejected.push({ index, reason: "refused by the test", field: "" });
			else peer.stored.push(record);
		});
		const accepted = lines.length - rejected.length;
		return { body, code: accepted === 0 && rejected.length > 0 ? 400 : 202, answer: { accepted, rejected } };
	}

	const address = server.address() as { port: number };
	const peer: Peer = {
		url: `http://127.0.0.1:${address.port}`,
		stored: [],
		requests: [],
		misbehave: [],
		refuses: () => false,
		answers: new Map(),
		routes: new Map(),
		async close() {
			server.closeAllConnections();
			if (server.listening) await new Promise((resolve) => server.close(resolve));
		},
	};
	return peer;
}

function send(answer: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}): void {
	answer.writeHead(code, { "content-type": "application/json", "x-request-id": "req-1", ...headers });
	answer.end(typeof body === "string" ? body : JSON.stringify(body));
}

async function gunzip(incoming: IncomingMessage): Promise<string> {
	const chunks: Buffer[] = [];
	for await (const chunk of incoming) chunks.push(chunk);
	return gunzipSync(Buffer.concat(chunks)).toString();
}
