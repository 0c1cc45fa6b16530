// The one way out: look the host up, check every address, connect to a checked one and to no other.
import { lookup as systemLookup } from "node:dns/promises";
import { connect as connectSocket, type LookupFunction, type Socket } from "node:net";
import { type Certificate, connect as connectTls, type TLSSocket } from "node:tls";
import { type Address, type AddressClass, readAddress } from "./address.ts";
import type { Guard } from "./allow.ts";
import { OutboundFailure, refusedAddress } from "./errors.ts";
import type { Host } from "./host.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** Addresses of a host name, in the order in which to try them. */
export type Lookup = (name: string) => Promise<readonly string[]>;

/** What the door is made of. */
export interface Door {
	readonly guard: Guard;
	readonly lookup: Lookup;
	/** Certificates of authorities to trust instead of Node's (which `NODE_EXTRA_CA_CERTS` adds to), in PEM. */
	readonly ca: string | undefined;
}

export interface Destination {
	readonly host: Host;
	readonly port: number;
	/** Undefined for plain TCP. */
	readonly tls: TlsOptions | undefined;
	/** How errors call it. */
	readonly target: string;
	/** Limit of each of look-up, connection and handshake. */
	readonly connect_ms: number;
}

export interface TlsOptions {
	/** False takes any certificate; `TlsFacts.problem` then says what is wrong with it. */
	readonly verify?: boolean;
	readonly alpn?: readonly string[];
}

/** What TLS agreed on and what the other side showed. */
export interface TlsFacts {
	/** Such as `TLSv1.3`. */
	readonly protocol: string | null;
	readonly issuer: string | null;
	readonly subject: string | null;
	readonly validFrom: Date;
	readonly validTo: Date;
	/** Code of what is wrong with the certificate, such as `CERT_HAS_EXPIRED`; null when nothing is. */
	readonly problem: string | null;
}

export interface Connection {
	readonly socket: Socket | TLSSocket;
	/** That the socket is connected to. */
	readonly address: string;
	/** Null without TLS. */
	readonly tls: TlsFacts | null;
}

/** Before the next of several addresses is tried; Node's own 250 ms give up on far ones. */
const NEXT_ADDRESS_AFTER_MS = 1000;

/**
 * Connects. A look-up happens once, its addresses that are refused are dropped, and the socket is given the addresses that
 * are left, never the name: another answer a moment later changes nothing.
 *
 * @throws OutboundRefused when no address is left, otherwise what `Stopwatch.explain` understands
 */
export async function connect(to: Destination, door: Door, watch: Stopwatch): Promise<Connection> {
	const addresses = await checkedAddresses(to, door, watch);
	watch.enter("connect", to.connect_ms);
	let socket: Socket | TLSSocket = dial(to, addresses);
	// `close` follows every error; without a listener between two owners an error would end the process.
	socket.on("error", () => {});
	watch.onEnd(() => socket.destroy());
	try {
		await watch.wait(opened(socket, "connect"));
		const address = socket.remoteAddress ?? "";
		if (!to.tls) return { socket, address, tls: null };
		watch.enter("tls", to.connect_ms);
		const secure = handshake(socket, to, door.ca);
		socket = secure;
		socket.on("error", () => {});
		await watch.wait(opened(secure, "secureConnect"));
		return { socket, address, tls: facts(secure) };
	} catch (error) {
		socket.destroy();
		throw error;
	}
}

/** Those of a host that may be connected to; at least one. */
export async function checkedAddresses(to: Destination, { guard, lookup }: Door, watch: Stopwatch): Promise<Address[]> {
	const { host } = to;
	let found: (Address | undefined)[] = [host.address];
	if (!host.address) {
		watch.enter("dns", to.connect_ms);
		found = (await watch.wait(isLocalhost(host.name) ? loopback() : lookup(host.name))).map(readAddress);
	}
	let refused: AddressClass | undefined;
	const checked = found.filter((address): address is Address => {
		if (!address) return false;
		const refusal = guard.refusal(host, address);
		refused ??= refusal;
		return refusal === undefined;
	});
	if (checked.length > 0) return checked;
	throw refused ? refusedAddress(to.target, refused) : new OutboundFailure(to.target, "dns", "ENOTFOUND");
}

/** RFC 6761: these are the own machine whatever a name server says. */
function isLocalhost(name: string): boolean {
	return name === "localhost" || name.endsWith(".localhost");
}

async function loopback(): Promise<string[]> {
	return ["127.0.0.1", "::1"];
}

/** The system's look-up, with its hosts file and search domains. */
export async function lookupBySystem(name: string): Promise<string[]> {
	return (await systemLookup(name, { all: true, order: "verbatim" })).map(({ address }) => address);
}

function dial({ host, port }: Destination, addresses: readonly Address[]): Socket {
	const only = addresses.length === 1 ? addresses[0] : undefined;
	// An address is not looked up by Node.
	if (only) return connectSocket({ host: only.toString(), port });
	const family = (address: Address) => (address.kind() === "ipv6" ? 6 : 4);
	const pinned: LookupFunction = (_name, _options, done) =>
		done(
			null,
			addresses.map((address) => ({ address: address.toString(), family: family(address) })),
		);
	return connectSocket({
		host: host.name,
		port,
		lookup: pinned,
		autoSelectFamily: true,
		autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER_MS,
	});
}

function handshake(socket: Socket, { host, tls }: Destination, ca: string | undefined): TLSSocket {
	return connectTls({
		socket,
		// Of the certificate. SNI has no addresses.
		host: host.name,
		...(host.address ? {} : { servername: host.name }),
		rejectUnauthorized: tls?.verify !== false,
		...(tls?.alpn ? { ALPNProtocols: [...tls.alpn] } : {}),
		...(ca === undefined ? {} : { ca }),
	});
}

function opened(socket: Socket, event: "connect" | "secureConnect"): Promise<void> {
	return new Promise((resolve, reject) => {
		socket.once(event, () => resolve());
		socket.once("error", reject);
		socket.once("close", () => reject(Object.assign(new Error("closed"), { code: "ECONNRESET" })));
	});
}

function facts(socket: TLSSocket): TlsFacts {
	const certificate = socket.getPeerCertificate();
	// Typed as an Error, is a code.
	const problem = socket.authorized ? null : String(socket.authorizationError);
	return {
		protocol: socket.getProtocol(),
		issuer: nameOf(certificate.issuer),
		subject: nameOf(certificate.subject),
		validFrom: new Date(certificate.valid_from),
		validTo: new Date(certificate.valid_to),
		problem,
	};
}

/** Whom a certificate names; an attribute may be repeated. */
function nameOf(who: Partial<Certificate> | undefined): string | null {
	const name = who?.CN ?? who?.O;
	return name === undefined ? null : [name].flat().join(", ");
}
