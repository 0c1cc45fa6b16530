// What an IP address is for, by IANA's registries of special-purpose addresses (RFC 6890), and what clouds put where.
import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Why an address is not one of the public internet. */
export type AddressClass = keyof typeof IPV4 | keyof typeof IPV6;

/** The first class that matches counts. `metadata` hands out a cloud's credentials; the last one is Azure's, and public. */
const IPV4 = {
	metadata: [
		"169.254.169.254/32",
		"169.254.170.2/32",
		"169.254.170.23/32",
		"100.100.100.200/32",
		"192.0.0.192/32",
		"168.63.129.16/32",
	],
	unspecified: ["0.0.0.0/8"],
	loopback: ["127.0.0.0/8"],
	private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
	"carrier-grade NAT": ["100.64.0.0/10"],
	"link-local": ["169.254.0.0/16"],
	multicast: ["224.0.0.0/4"],
	broadcast: ["255.255.255.255/32"],
	documentation: ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"],
	benchmarking: ["198.18.0.0/15"],
	// Protocol assignments, AS112, AMT, relays of 6to4, class E.
	reserved: ["192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "240.0.0.0/4"],
} as const;

const IPV6 = {
	metadata: ["fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128"],
	unspecified: ["::/128"],
	loopback: ["::1/128"],
	// Unique-local, and site-local as it was before.
	private: ["fc00::/7", "fec0::/10"],
	"link-local": ["fe80::/10"],
	multicast: ["ff00::/8"],
	documentation: ["2001:db8::/32", "3fff::/20"],
	benchmarking: ["2001:2::/48"],
	// Compatible, translated (SIIT), NAT64 of the own network (any length), Teredo, 6to4: a relay may lead anywhere.
	"IPv4 in IPv6": ["::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2001::/32", "2002::/16"],
	// Protocol assignments, AS112.
	reserved: ["2001::/23", "2620:4f:8000::/48"],
} as const;

const RANGES4 = ranges(IPV4);
const RANGES6 = ranges(IPV6);
const GLOBAL_UNICAST = ipaddr.parseCIDR("2000::/3");
const NAT64 = ipaddr.parseCIDR("64:ff9b::/96");

/**
 * Reads an address as a resolver writes it; a mapped one (`::ffff:192.0.2.1`) is the IPv4 address that the system connects
 * to. Undefined when it is none: octal, hexadecimal and short forms are for the URL parser, see `readHost`.
 */
export function readAddress(text: string): Address | undefined {
	if (isIP(text) === 0) return undefined;
	// The library reads the compatible `::127.0.0.1` as the mapped `::ffff:127.0.0.1`; in hexadecimal it does not.
	const hex = text.replace(/(?<=:)(\d+)\.(\d+)\.(\d+)\.(\d+)/, (_, ...parts: string[]) => {
		const [a, b, c, d] = parts.slice(0, 4).map(Number);
		return [a! * 256 + b!, c! * 256 + d!].map((word) => word.toString(16)).join(":");
	});
	return ipaddr.process(hex);
}

/**
 * The class of an address, undefined for one of the public internet. Fails closed: IPv6 outside of global unicast is
 * `reserved` when nothing else. NAT64 (`64:ff9b::/96`) is judged by the IPv4 address that it leads to, because networks
 * without IPv4 reach the whole internet that way.
 */
export function classOf(address: Address): AddressClass | undefined {
	if (address instanceof ipaddr.IPv4) return firstMatch(address, RANGES4);
	if (address.match(NAT64)) return classOf(new ipaddr.IPv4(address.toByteArray().slice(12)));
	return firstMatch(address, RANGES6) ?? (address.match(GLOBAL_UNICAST) ? undefined : "reserved");
}

type Range = [Address, number];

function ranges(table: Record<string, readonly string[]>): [AddressClass, Range[]][] {
	return Object.entries(table).map(([name, list]) => [
		name as AddressClass,
		list.map((range) => ipaddr.parseCIDR(range)),
	]);
}

function firstMatch(address: Address, classes: [AddressClass, Range[]][]): AddressClass | undefined {
	return classes.find(([, list]) => list.some((range) => within(address, range)))?.[0];
}

/** Whether `range` holds the address; a range of the other family does not. */
export function within(address: Address, [base, bits]: Range): boolean {
	return address.kind() === base.kind() && address.match(base, bits);
}
