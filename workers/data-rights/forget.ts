import { DATA_REQUEST_KIND, type StoredRequest } from "../../schema/data-requests.ts";
import type { Definition, Definitions } from "../../schema/definitions.ts";
import { mutate, type Place } from "./mutations.ts";

/** As many requests at a time as a statement may name. */
const MAX_NAMED = 500;

/**
 * Forgets whom requests were about: the sealed id goes from their newest version, and with the earlier ones from the table, which
 * keeps them for as long as it does not merge. Begun again after a death in between, it finds what was left.
 */
export async function forgetWhom(
	place: Place,
	requests: Definitions<StoredRequest>,
	of: readonly Definition<StoredRequest>[],
): Promise<void> {
	for (const { project, id, body } of of) {
		if (body.sealed !== null) await requests.put(project, id, { ...body, sealed: null });
	}
	const result = await place.client.query({
		query: `SELECT project, id, toString(max(version)) AS newest FROM definitions WHERE kind = '${DATA_REQUEST_KIND}'
			GROUP BY project, id HAVING count() > 1 AND simpleJSONExtractRaw(argMax(body, version), 'sealed') = 'null' LIMIT ${MAX_NAMED}`,
		format: "JSONEachRow",
	});
	const rows = await result.json<{ project: string; id: string; newest: string }>();
	if (rows.length === 0) return;
	const earlier = rows.map(
		({ project, id, newest }) => `project = '${project}' AND id = '${id}' AND version < ${newest}`,
	);
	await mutate(place, "definitions", "DELETE", `kind = '${DATA_REQUEST_KIND}' AND (${earlier.join(" OR ")})`);
}
