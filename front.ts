/** The HTTP server in front of the app: it listens before there is an app, and refuses before it is gone. */
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { createAdaptorServer, type WebSocketServerLike } from "@hono/node-server";
import { WebSocketServer } from "ws";
import { StartError } from "./storage.ts";

/** How long requests under way may take to be answered when the server stops. */
const REFUSE_MS = 10_000;
/** Clients of WebSockets say what they want to see, and no more. */
const MAX_MESSAGE_BYTES = 64 * 1024;
/** Where WebSockets are. */
const SOCKETS = /^\/ws\//;

type Fetch = Parameters<typeof createAdaptorServer>[0]["fetch"];

export interface Front {
	readonly url: string;
	/** From now on requests go to the app. */
	open(fetch: Fetch): void;
	/** From now on requests are refused; resolves when those under way are answered, or had their time. */
	refuse(): Promise<void>;
	close(): Promise<void>;
}

/**
 * Listens before anything else is started, so that a busy port is told at once and a probe gets an answer while the rest
 * comes up.
 */
export async function listen(host: string, port: number): Promise<Front> {
	const unready = (what: string) => (request: Request) => {
		const live = new URL(request.url).pathname === "/livez";
		const body = live ? { status: "ok" } : { error: `Tidemark is ${what}`, code: 503, part: "server", retry_after: 1 };
		return Response.json(body, { status: live ? 200 : 503, headers: { "Retry-After": "1" } });
	};
	let handle: Fetch = unready("starting");
	let under_way = 0;
	let settled: (() => void) | undefined;
	const server = createAdaptorServer({
		fetch: async (request, env) => {
			under_way++;
			try {
				const response = (await handle(request, env)) as Response;
				if (isUpgrade(env.incoming) && response.status >= 400) await refuseUpgrade(env.incoming.socket, response);
				return response;
			} finally {
				if (--under_way === 0) settled?.();
			}
		},
		websocket: {
			// Compression would cost each reader memory and time for messages of a hundred bytes.
			// Its types say of an optional member that it may be undefined, which the adapter's do not take.
			server: new WebSocketServer({
				...{ noServer: true, clientTracking: false, perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES },
			}) as unknown as WebSocketServerLike,
		},
	}) as Server;
	upgradeOnlySockets(server);
	// Longer than the minute for which proxies and clients keep idle connections: whoever closes first must not be us, or a
	// request meets a closed socket.
	server.keepAliveTimeout = 75_000;
	await new Promise<void>((resolve, reject) => {
		server.once("error", (cause: NodeJS.ErrnoException) => {
			const why = cause.code === "EADDRINUSE" ? "it is in use" : cause.message;
			reject(new StartError(`Cannot listen on ${host}:${port}: ${why}. Set PORT to another one.`, { cause }));
		});
		server.listen(port, host, () => resolve());
	});
	const address = server.address() as { port: number };
	const name = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
	return {
		url: `http://${name.includes(":") ? `[${name}]` : name}:${address.port}`,
		open: (fetch) => {
			handle = fetch;
		},
		async refuse() {
			handle = unready("stopping");
			if (under_way === 0) return;
			let late: NodeJS.Timeout | undefined;
			await new Promise<void>((resolve) => {
				settled = resolve;
				// Who sends a body by drips is not waited for.
				late = setTimeout(resolve, REFUSE_MS);
			});
			clearTimeout(late);
		},
		close: () =>
			new Promise((resolve) => {
				server.close(() => resolve());
				server.closeAllConnections();
			}),
	};
}

function isUpgrade({ headers, url }: Pick<IncomingMessage, "headers" | "url">): boolean {
	return headers.upgrade?.toLowerCase() === "websocket" && SOCKETS.test(url ?? "");
}

/**
 * Once a server has somebody who hears of upgrades, Node gives it every request with an `Upgrade` header, and nobody answers those
 * that are no WebSocket: Java's client offers `h2c` with each. Without the header they begin anew.
 */
function upgradeOnlySockets(server: Server): void {
	const [upgrade] = server.listeners("upgrade") as ((...of: [IncomingMessage, Duplex, Buffer]) => void)[];
	server.removeAllListeners("upgrade");
	server.on("upgrade", (request, socket, head) => {
		if (isUpgrade(request)) {
			upgrade!(request, socket, head);
			return;
		}
		const { method, url, httpVersion, rawHeaders } = request;
		const lines = [`${method} ${url} HTTP/${httpVersion}`];
		for (let i = 0; i < rawHeaders.length; i += 2) {
			const name = rawHeaders[i]!;
			if (/^(upgrade|http2-settings)$/i.test(name)) continue;
			const value = rawHeaders[i + 1]!;
			lines.push(`${name}: ${/^connection$/i.test(name) ? withoutUpgrade(value) : value}`);
		}
		socket.unshift(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), head]));
		server.emit("connection", socket);
	});
}

function withoutUpgrade(connection: string): string {
	const options = connection.split(",").map((option) => option.trim());
	return options.filter((option) => !/^(upgrade|http2-settings)$/i.test(option)).join(", ") || "keep-alive";
}

/** The answer of the app: the library's own has no body, so that nobody would be told why. */
async function refuseUpgrade(socket: Duplex, response: Response): Promise<void> {
	const body = Buffer.from(await response.arrayBuffer());
	const lines = [`HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ""}`];
	for (const [name, value] of response.headers) lines.push(`${name}: ${value}`);
	lines.push(`content-length: ${body.length}`, "connection: close");
	if (socket.destroyed) return;
	const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
	socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body]), () => socket.destroy());
	// Until then the library would write its own answer behind this one.
	await closed;
}
