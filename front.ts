/** The HTTP server in front of the app: it listens before there is an app, and refuses before it is gone. */
import type { Server } from "node:http";
import { createAdaptorServer } from "@hono/node-server";
import { StartError } from "./storage.ts";

/** How long requests under way may take to be answered when the server stops. */
const REFUSE_MS = 10_000;

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
				return await handle(request, env);
			} finally {
				if (--under_way === 0) settled?.();
			}
		},
	}) as Server;
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
