// DNS records as a test asks for them: of a type, from the system's name servers or a given one.
import { promises } from "node:dns";
import { readAddress } from "./address.ts";
import { checkedAddresses, type Door } from "./connect.ts";
import { OutboundRefused, refusedAddress } from "./errors.ts";
import { type Host, readHost } from "./host.ts";
import { Stopwatch, type Timings } from "./stopwatch.ts";

/** No PTR: what the operator's name servers say about private addresses is nobody else's. */
export const RECORD_TYPES = ["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT"] as const;
export type RecordType = (typeof RECORD_TYPES)[number];

export interface DnsQuestion {
	readonly name: string;
	readonly type: RecordType;
	/** Name server to ask, checked like any other host; those of the system when undefined. */
	readonly server?: string | undefined;
	/** Of `server`, default 53. */
	readonly port?: number | undefined;
	/** Default 5000. */
	readonly total_ms?: number | undefined;
	readonly signal?: AbortSignal | undefined;
}

export interface DnsAnswer {
	/** As in a zone file, sorted: `192.0.2.1`, `10 mail.example.com`, `0 issue ca.example`; the text alone for TXT. */
	readonly records: readonly string[];
	/** All of it is `dns_ms`. */
	readonly timings: Timings;
}

/**
 * Asks for records. Addresses in the answer are checked too, or the names of the operator's own network could be read.
 *
 * @throws OutboundRefused, OutboundTimeout, the reason of `signal`, or OutboundFailure: `ENOTFOUND` when there is no such
 * name, `ENODATA` when it has no record of the type
 */
export async function askDns(question: DnsQuestion, door: Door): Promise<DnsAnswer> {
	const { type, port = 53, total_ms = 5000, signal } = question;
	const name = readHost(question.name);
	if (!name || name.address) throw new OutboundRefused("", "url", "a host name is needed to ask DNS for");
	const target = `dns://${question.server === undefined ? "" : hostOfServer(question.server).name}/${name.name}`;
	const watch = new Stopwatch({ total_ms, signal });
	const resolver = new promises.Resolver({ timeout: total_ms, tries: 1 });
	watch.onEnd(() => resolver.cancel());
	try {
		if (question.server !== undefined) {
			const host = hostOfServer(question.server);
			const to = { host, port, target, tls: undefined, connect_ms: total_ms };
			const servers = await checkedAddresses(to, door, watch);
			resolver.setServers(servers.map((server) => `${bracketed(server.toString())}:${port}`));
		}
		watch.enter("dns", total_ms);
		const records = await watch.wait(ask(resolver, name.name, type));
		for (const record of records) refusePrivate(record, name, target, door);
		return { records: records.sort(), timings: watch.stop() };
	} catch (error) {
		throw watch.explain(error, target);
	} finally {
		watch.stop();
	}
}

function hostOfServer(text: string): Host {
	const host = readHost(text);
	if (!host) throw new OutboundRefused("", "url", "the name server is not a host");
	return host;
}

function bracketed(address: string): string {
	return address.includes(":") ? `[${address}]` : address;
}

function refusePrivate(record: string, name: Host, target: string, { guard }: Door): void {
	const address = readAddress(record);
	const refusal = address && guard.refusal(name, address);
	if (refusal) throw refusedAddress(target, refusal);
}

async function ask(resolver: promises.Resolver, name: string, type: RecordType): Promise<string[]> {
	switch (type) {
		case "A":
		case "AAAA":
		case "CNAME":
		case "NS":
			return resolver.resolve(name, type);
		case "TXT":
			return (await resolver.resolveTxt(name)).map((parts) => parts.join(""));
		case "MX":
			return (await resolver.resolveMx(name)).map(({ priority, exchange }) => `${priority} ${exchange}`);
		case "SRV":
			return (await resolver.resolveSrv(name)).map((of) => `${of.priority} ${of.weight} ${of.port} ${of.name}`);
		case "CAA":
			return (await resolver.resolveCaa(name)).map(({ critical, ...tag }) =>
				[critical, ...Object.entries(tag).flat()].join(" "),
			);
		case "SOA": {
			const of = await resolver.resolveSoa(name);
			return [[of.nsname, of.hostmaster, of.serial, of.refresh, of.retry, of.expire, of.minttl].join(" ")];
		}
	}
}
