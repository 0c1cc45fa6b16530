// What can go wrong at the outbound door. Messages name scheme and host only: paths, queries and headers hold secrets.
import type { AddressClass } from "./address.ts";
import type { Phase } from "./stopwatch.ts";

/** The setting that opens the door to more. */
const SETTING = "TIDEMARK_OUTBOUND_ALLOW";

/** Anything that the door answers with instead of a response. */
export abstract class OutboundError extends Error {
	/** Scheme, host and port; empty when there was no URL in the text. */
	readonly target: string;
	constructor(target: string, message: string) {
		super(`${target || "the target"}: ${message}`);
		this.target = target;
	}
}

/** Nothing was sent, and trying again is of no use before the target or the setting is another one. */
export class OutboundRefused extends OutboundError {
	override name = "OutboundRefused";
	readonly reason: "url" | "scheme" | "port" | "method" | "header" | "address" | "body";
	/** Set when the reason is the address. */
	readonly addressClass: AddressClass | undefined;
	constructor(target: string, reason: OutboundRefused["reason"], message: string, addressClass?: AddressClass) {
		super(target, message);
		this.reason = reason;
		this.addressClass = addressClass;
	}
}

/** It took longer than it may. */
export class OutboundTimeout extends OutboundError {
	override name = "OutboundTimeout";
	/** What it was doing. */
	readonly phase: Phase;
	readonly limit_ms: number;
	constructor(target: string, phase: Phase, limit_ms: number) {
		super(target, `timed out in ${phase}, limit ${limit_ms} ms`);
		this.phase = phase;
		this.limit_ms = limit_ms;
	}
}

/** The network, TLS or the other side failed. There is no `cause`: Node's errors can hold bytes of the exchange. */
export class OutboundFailure extends OutboundError {
	override name = "OutboundFailure";
	readonly phase: Phase;
	/** Of Node: `ECONNREFUSED`, `ENOTFOUND`, `CERT_HAS_EXPIRED`, `HPE_HEADER_OVERFLOW` …, or `TOO_MANY_REDIRECTS`. */
	readonly code: string;
	constructor(target: string, phase: Phase, code: string) {
		super(target, `failed in ${phase}, ${code}`);
		this.phase = phase;
		this.code = code;
	}
}

/** The refusal of an address, with the setting that would let it through. */
export function refusedAddress(target: string, addressClass: AddressClass): OutboundRefused {
	const way =
		addressClass === "metadata"
			? `only that very address in ${SETTING} allows it`
			: `${SETTING} can allow it by range or host name`;
	return new OutboundRefused(target, "address", `refused, the address is ${addressClass}; ${way}`, addressClass);
}

/** The refusal of a port that is not HTTP's. */
export function refusedPort(target: string): OutboundRefused {
	return new OutboundRefused(
		target,
		"port",
		`refused, the port is another protocol's; the host name in ${SETTING} allows it`,
	);
}
