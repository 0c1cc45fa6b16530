// The one door through which the program reaches what others name: webhooks, mail servers, synthetic tests, buckets.
import type { Agent as HttpAgent } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { GuardedHttpAgent, GuardedHttpsAgent } from "./agents.ts";
import { createGuard } from "./allow.ts";
import { type Connection, connect, type Door, type Lookup, lookupBySystem, type TlsOptions } from "./connect.ts";
import { askDns, type DnsAnswer, type DnsQuestion } from "./dns.ts";
import { OutboundRefused } from "./errors.ts";
import { readHost } from "./host.ts";
import { type OutboundRequest, type OutboundResponse, request } from "./request.ts";
import { Stopwatch, type Timings } from "./stopwatch.ts";

export interface OutboundOptions {
	/** What is open beside the public internet: the entries of `TIDEMARK_OUTBOUND_ALLOW`. */
	readonly allow: readonly string[];
	/** Default: the system's. */
	readonly lookup?: Lookup;
	/** Authorities to trust instead of Node's, in PEM. */
	readonly ca?: string;
}

export interface ConnectRequest {
	/** A name or an address, in any notation. */
	readonly host: string;
	readonly port: number;
	/** Plain TCP when undefined. */
	readonly tls?: TlsOptions | undefined;
	/** Limit of look-up, connection and handshake together, default 5000. */
	readonly total_ms?: number | undefined;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Every method looks the host up, drops addresses that are not public (unless allowed) and connects to one that is left;
 * all throw OutboundRefused, OutboundTimeout, OutboundFailure or the reason of the given signal. Proxies of the environment
 * (`HTTP_PROXY`) are not used: behind one, nobody knows what is connected to.
 *
 * ```ts
 * const outbound = openOutbound({ allow: settings.outboundAllow });
 * const { status, headers, timings } = await outbound.request({ url, method: "POST", headers: signed, body });
 * // nodemailer; STARTTLS and TLS stay its own
 * const getSocket = ({ host, port }, done) =>
 * 	outbound.connect({ host, port }).then(({ socket }) => done(null, { connection: socket }), done);
 * // @smithy/node-http-handler
 * new NodeHttpHandler({ httpAgent: outbound.httpAgent, httpsAgent: outbound.httpsAgent });
 * ```
 */
export interface Outbound {
	request(request: OutboundRequest): Promise<OutboundResponse>;
	/** A connected socket, the caller's to read, limit and destroy. */
	connect(to: ConnectRequest): Promise<Connection & { readonly timings: Timings }>;
	dns(question: DnsQuestion): Promise<DnsAnswer>;
	readonly httpAgent: HttpAgent;
	readonly httpsAgent: HttpsAgent;
	/** Closes the connections that the agents keep. */
	close(): void;
}

/** @throws TypeError for an entry of `allow` that is none */
export function openOutbound({ allow, lookup = lookupBySystem, ca }: OutboundOptions): Outbound {
	const door: Door = { guard: createGuard(allow), lookup, ca };
	const open = (to: ConnectRequest) => connectOnce(to, door);
	const httpAgent = new GuardedHttpAgent(open);
	const httpsAgent = new GuardedHttpsAgent(open);
	return {
		request: (given) => request(given, door),
		connect: open,
		dns: (question) => askDns(question, door),
		httpAgent,
		httpsAgent,
		close() {
			httpAgent.destroy();
			httpsAgent.destroy();
		},
	};
}

async function connectOnce({ host: text, port, tls, total_ms = 5000, signal }: ConnectRequest, door: Door) {
	const host = readHost(text);
	if (!host) throw new OutboundRefused("", "url", "the host is not one");
	const target = `${tls ? "tls" : "tcp"}://${host.name.includes(":") ? `[${host.name}]` : host.name}:${port}`;
	if (!Number.isInteger(port) || port < 1 || port > 65_535) {
		throw new OutboundRefused(target, "port", "a port is from 1 to 65535");
	}
	const watch = new Stopwatch({ total_ms, signal });
	try {
		const connection = await connect({ host, port, tls, target, connect_ms: total_ms }, door, watch);
		return { ...connection, timings: watch.stop() };
	} catch (error) {
		throw watch.explain(error, target);
	} finally {
		watch.stop();
	}
}
