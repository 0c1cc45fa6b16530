/** Which requests failed: ingest counts them as points arrive, queries by the series' tags. */

/** Response times in milliseconds, an accepted alias of the record of semantic conventions. */
export const HTTP_ALIAS = "response_time";

/** A request failed when the server says so; 4xx are the client's. On `name` and `tags`. Migration 0070 says the same. */
export const FAILED =
	"toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != '' " +
	`OR (name = '${HTTP_ALIAS}' AND toUInt16OrZero(tags['status']) >= 500)`;

/** {@link FAILED} outside of SQL. */
export function isFailed(name: string, tags: Readonly<Record<string, string>>): boolean {
	if (isServerError(tags["http.response.status_code"]) || (tags["error.type"] ?? "") !== "") return true;
	return name === HTTP_ALIAS && isServerError(tags.status);
}

/** As `toUInt16OrZero(text) >= 500` says. */
function isServerError(text: string | undefined): boolean {
	if (text === undefined || !/^[+-]?\d+$/.test(text)) return false;
	const code = Number(text);
	return code >= 500 && code <= 65_535;
}
