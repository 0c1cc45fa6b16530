// Agents for clients that bring their own HTTP, such as one for S3: what they connect to is checked here.
import { type ClientRequestArgs, Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Duplex } from "node:stream";
import type { TlsOptions } from "./connect.ts";
import { OutboundRefused } from "./errors.ts";

/** Opens a checked connection. */
type Open = (to: { host: string; port: number; tls?: TlsOptions | undefined }) => Promise<{ socket: Duplex }>;

type Created = (error: Error | null, socket: Duplex) => void;

/** For `http:` URLs. A kept connection stays with the address that was checked when it was opened. */
export class GuardedHttpAgent extends HttpAgent {
	readonly #open: Open;
	constructor(open: Open) {
		super({ keepAlive: true });
		this.#open = open;
	}
	override createConnection(options: ClientRequestArgs, created: Created): undefined {
		hand(this.#open, options, 80, undefined, created);
	}
}

/** For `https:` URLs. */
export class GuardedHttpsAgent extends HttpsAgent {
	readonly #open: Open;
	constructor(open: Open) {
		super({ keepAlive: true });
		this.#open = open;
	}
	override createConnection(options: ClientRequestArgs, created: Created): undefined {
		hand(this.#open, options, 443, { alpn: ["http/1.1"] }, created);
	}
}

function hand(
	open: Open,
	{ host, port, socketPath }: ClientRequestArgs,
	usualPort: number,
	tls: TlsOptions | undefined,
	created: Created,
): void {
	const opening = socketPath
		? Promise.reject(new OutboundRefused("", "url", "a socket's path is no host"))
		: open({ host: host ?? "", port: Number(port ?? usualPort), tls });
	opening.then(
		({ socket }) => created(null, socket),
		// Nobody looks at the socket of a failure.
		(error: Error) => created(error, undefined as never),
	);
}
