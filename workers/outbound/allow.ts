// What the operator lets through the outbound door beside the public internet: TIDEMARK_OUTBOUND_ALLOW.
import ipaddr from "ipaddr.js";
import { type Address, type AddressClass, classOf, readAddress, within } from "./address.ts";
import { type Host, readHost } from "./host.ts";

/** What `private` stands for: the networks of the operator's own. */
const OWN: readonly (AddressClass | undefined)[] = ["private", "loopback", "carrier-grade NAT"];

/** Decides on addresses and ports. */
export interface Guard {
	/** Why a host must not be reached at an address; undefined when it may. */
	refusal(host: Host, address: Address): AddressClass | undefined;
	/** Whether the operator named the host: all addresses (but for metadata) and ports of it are open. */
	named(host: Host): boolean;
}

type Entry =
	| { kind: "own" }
	| { kind: "range"; range: [Address, number] }
	| { kind: "name"; name: string }
	| { kind: "below"; suffix: string };

/** Whether `text` is a range (`10.0.0.0/8`), an address, a host name, `*.` and a domain, or `private`. */
export function isAllowEntry(text: string): boolean {
	return readEntry(text) !== undefined;
}

/**
 * A guard that lets through public addresses and what `entries` open. A metadata service, which hands out credentials, is
 * opened by its very address alone: not by `private`, a wider range, or a name that may come to point there.
 *
 * @throws TypeError naming an entry that is none
 */
export function createGuard(entries: readonly string[]): Guard {
	const allowed = entries.map((text) => {
		const entry = readEntry(text);
		if (!entry) throw new TypeError(`${JSON.stringify(text)} is not a range, an address, a host name or private`);
		return entry;
	});

	function named({ name }: Host): boolean {
		return allowed.some(
			(entry) =>
				(entry.kind === "name" && entry.name === name) || (entry.kind === "below" && name.endsWith(entry.suffix)),
		);
	}

	return {
		named,
		refusal(host, address) {
			const found = classOf(address);
			if (found === undefined) return undefined;
			const open = allowed.some((entry) => {
				if (entry.kind === "own") return OWN.includes(found);
				if (entry.kind !== "range" || !within(address, entry.range)) return false;
				return found !== "metadata" || entry.range[1] === address.toByteArray().length * 8;
			});
			return open || (found !== "metadata" && named(host)) ? undefined : found;
		},
	};
}

function readEntry(text: string): Entry | undefined {
	if (text === "private") return { kind: "own" };
	if (text.includes("/")) {
		// Mapped addresses are checked as IPv4, so a range of them would open nothing.
		if (/^::ffff:/i.test(text) || !isCidr(text)) return undefined;
		return { kind: "range", range: ipaddr.parseCIDR(text) };
	}
	if (text.startsWith("*.")) {
		const domain = readHost(text.slice(2));
		return domain && !domain.address ? { kind: "below", suffix: `.${domain.name}` } : undefined;
	}
	const address = readAddress(text);
	if (address) return { kind: "range", range: [address, address.toByteArray().length * 8] };
	const host = readHost(text);
	return host && !host.address && !host.name.includes("*") ? { kind: "name", name: host.name } : undefined;
}

function isCidr(text: string): boolean {
	return ipaddr.IPv4.isValidCIDRFourPartDecimal(text) || ipaddr.IPv6.isValidCIDR(text);
}
