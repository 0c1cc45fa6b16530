// Where a response sends a request, by the rules of fetch, with less carried over to another origin.
import { OutboundRefused } from "./errors.ts";
import { readUrl } from "./host.ts";

/** One request to one URL. */
export interface Hop {
	readonly url: URL;
	readonly method: string;
	/** Names in lower case. */
	readonly headers: Readonly<Record<string, string>>;
	readonly body: string | Uint8Array | undefined;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** All that another origin gets. Fetch drops `authorization` only, but secrets also travel in headers of any name. */
const HARMLESS = new Set([
	"accept",
	"accept-encoding",
	"accept-language",
	"content-language",
	"content-type",
	"user-agent",
]);

/**
 * The next request, undefined when the response is no redirect. It is to be checked like the first one.
 *
 * @throws OutboundRefused when the location is not an http or https URL, or a body would go to another host or out of TLS
 */
export function nextHop(hop: Hop, status: number, location: string | undefined): Hop | undefined {
	if (!REDIRECTS.has(status) || location === undefined) return undefined;
	const url = readUrl(location, hop.url);
	// The other side does not choose how we log in.
	url.username = "";
	url.password = "";
	const asGet =
		(status === 303 && hop.method !== "GET" && hop.method !== "HEAD") ||
		((status === 301 || status === 302) && hop.method === "POST");
	const sameOrigin = url.origin === hop.url.origin;
	const isUpgrade = url.protocol === "https:" && url.host === hop.url.host;
	// Bodies hold secrets too, and without its body it would be another request.
	if (hop.body !== undefined && !asGet && !sameOrigin && !isUpgrade)
		throw new OutboundRefused(url.origin, "body", "a redirect to another origin is not sent the body");
	const headers = Object.entries(hop.headers).filter(
		([name]) => (sameOrigin || HARMLESS.has(name)) && !(asGet && name.startsWith("content-")),
	);
	return {
		url,
		method: asGet ? "GET" : hop.method,
		headers: Object.fromEntries(headers),
		body: asGet ? undefined : hop.body,
	};
}
