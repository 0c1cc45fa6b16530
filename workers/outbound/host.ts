// A host as somebody wrote it, to the one name or address that is looked up, checked, connected to and put into TLS.
import { isIPv6 } from "node:net";
import { type Address, readAddress } from "./address.ts";
import { OutboundRefused } from "./errors.ts";

export interface Host {
	/** Lower case, punycode, no brackets, no last dot; an IPv4 address in four decimal parts. */
	name: string;
	/** Set when the host is an address. */
	address: Address | undefined;
}

/**
 * Ports that the Fetch standard keeps HTTP away from ("port blocking"): a request there is a line of SMTP or IRC to the
 * server behind it.
 */
const NOT_HTTP = new Set([
	0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
	111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
	540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
	6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/**
 * Reads an http or https URL. What the WHATWG parser makes of it is what is connected to: no second parser can disagree.
 *
 * @throws OutboundRefused for what is no URL and for another scheme. Neither text nor cause is kept: a URL holds secrets
 */
export function readUrl(text: string | URL, base?: URL): URL {
	let url: URL;
	try {
		url = new URL(text, base);
	} catch {
		throw new OutboundRefused(base ? originOf(base) : "", "url", base ? "leads to no URL" : "is not a URL");
	}
	if (url.protocol !== "http:" && url.protocol !== "https:") {
		throw new OutboundRefused(base ? originOf(base) : "", "scheme", `${url.protocol} is not http: or https:`);
	}
	return url;
}

/** Scheme, host and port: all of a URL that may stand in an error or a log. */
export function originOf(url: URL): string {
	return `${url.protocol}//${url.host}`;
}

export function portOf(url: URL): number {
	return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}

export function isHttpPort(port: number): boolean {
	return !NOT_HTTP.has(port);
}

/**
 * Reads a host outside of a URL, with the URL parser: `0x7f.1` is 127.0.0.1, `BÜCHER.example` is `xn--bcher-kva.example`.
 * Undefined when it is none.
 */
export function readHost(text: string): Host | undefined {
	const bare = /^\[(.*)\]$/.exec(text)?.[1] ?? text;
	// Whatever could end the host for a URL parser.
	if (bare === "" || /[\s/?#@\\%]/.test(bare) || (bare.includes(":") && !isIPv6(bare))) return undefined;
	const url = `http://${isIPv6(bare) ? `[${bare}]` : bare}/`;
	return URL.canParse(url) ? hostOf(new URL(url)) : undefined;
}

export function hostOf(url: URL): Host {
	const name = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
	return { name, address: readAddress(name) };
}
