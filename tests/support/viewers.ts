/** Readers of streams, as clients outside of the program. */
import { type ClientRequest, get, type IncomingMessage } from "node:http";
import { WebSocket } from "ws";
import type { Server } from "../server.ts";

export type Message = Readonly<Record<string, unknown>>;

export interface TestViewer extends AsyncDisposable {
	/** All messages so far; of server-sent events those that are named have their name as `type`. */
	readonly messages: readonly Message[];
	/** Undefined while it is open; of server-sent events the code of the event `close`, or 1006 of an end without one. */
	readonly closed: { readonly code: number; readonly reason: string } | undefined;
	/** Stops reading from the socket, or goes on. */
	pause(): void;
	resume(): void;
}

export interface SocketViewer extends TestViewer {
	send(message: object | string): void;
}

export interface ViewerOptions {
	/** Hears of each message when it comes; they are then not kept. */
	readonly onMessage?: (message: Message) => void;
	readonly headers?: Readonly<Record<string, string>>;
}

/** What the server answered instead of a stream. */
export class RefusedError extends Error {
	override readonly name = "RefusedError";
	readonly status: number;
	readonly body: Message;

	constructor(status: number, body: Message) {
		super(`refused with ${status}: ${JSON.stringify(body)}`);
		this.status = status;
		this.body = body;
	}
}

/** @param path with its query; the key comes as a header, unless the query has one. @throws RefusedError */
export async function openSocket(
	server: Pick<Server, "url" | "adminKey">,
	path: string,
	{ onMessage, headers = {} }: ViewerOptions = {},
): Promise<SocketViewer> {
	const messages: Message[] = [];
	let closed: TestViewer["closed"];
	const socket = new WebSocket(server.url.replace("http", "ws") + path, {
		headers: { ...keyOf(server, path), ...headers },
		perMessageDeflate: false,
	});
	const keep = onMessage ?? ((message) => messages.push(message));
	socket.on("message", (data) => keep(JSON.parse(String(data))));
	socket.on("close", (code, reason) => {
		closed = { code, reason: String(reason) };
	});
	await new Promise<void>((resolve, reject) => {
		socket.once("open", resolve);
		socket.once("error", reject);
		socket.once("unexpected-response", (_, response) => refusal(response).then(reject, reject));
	});
	socket.on("error", () => undefined);
	return {
		...{ messages, pause: () => socket.pause(), resume: () => socket.resume() },
		get closed() {
			return closed;
		},
		send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
		async [Symbol.asyncDispose]() {
			socket.terminate();
		},
	};
}

/** @throws RefusedError */
export async function openEvents(
	server: Pick<Server, "url" | "adminKey">,
	path: string,
	{ onMessage, headers = {} }: ViewerOptions = {},
): Promise<TestViewer> {
	const messages: Message[] = [];
	let closed: TestViewer["closed"];
	let goodbye: { code: number; reason: string } | undefined;
	let request!: ClientRequest;
	const response = await new Promise<IncomingMessage>((resolve, reject) => {
		request = get(server.url + path, { agent: false, headers: { ...keyOf(server, path), ...headers } }, resolve);
		request.on("error", reject);
	});
	if (response.statusCode !== 200) throw await refusal(response);
	const keep = onMessage ?? ((message) => messages.push(message));
	let text = "";
	response.setEncoding("utf8").on("data", (chunk: string) => {
		text += chunk;
		for (let end = text.indexOf("\n\n"); end !== -1; end = text.indexOf("\n\n")) {
			const lines = text.slice(0, end).split("\n");
			text = text.slice(end + 2);
			const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
			const data = field("data");
			if (data === undefined) continue;
			const type = field("event");
			const message = { ...JSON.parse(data), ...(type === undefined ? {} : { type }) };
			if (type === "close") goodbye = message;
			keep(message);
		}
	});
	response.on("error", () => undefined);
	response.on("close", () => {
		closed = goodbye ?? { code: 1006, reason: "" };
	});
	return {
		...{ messages, pause: () => void response.pause(), resume: () => void response.resume() },
		get closed() {
			return closed;
		},
		async [Symbol.asyncDispose]() {
			request.destroy();
		},
	};
}

function keyOf({ adminKey }: Pick<Server, "adminKey">, path: string): Record<string, string> {
	return path.includes("api_key=") ? {} : { "X-API-Key": adminKey };
}

async function refusal(response: IncomingMessage): Promise<RefusedError> {
	let text = "";
	for await (const chunk of response.setEncoding("utf8")) text += chunk;
	return new RefusedError(response.statusCode!, JSON.parse(text) as Message);
}
