/** All ids of one person. */
import type { ClickHouse } from "../clickhouse.ts";
import { type Subject, subjectOf } from "./terms.ts";

/** An anonymous id may be linked to one that was sent as a user id, which is linked itself; measures follow as far. */
const LINKS = 2;

/**
 * The user id, and the anonymous ids whose first link is to it: as long as there are events that name them.
 * @returns the given id first
 */
export async function idsOf(client: ClickHouse, project: string, user_id: string): Promise<string[]> {
	const ids = new Set([user_id]);
	for (let link = 0; link < LINKS; link++) {
		const known = [...ids];
		const result = await client.query({
			query: `WITH linked AS (
					SELECT anonymous FROM identities WHERE project = {project:String} GROUP BY anonymous
					HAVING tupleElement(min(first), 2) IN (SELECT bitOr(sipHash64(arrayJoin({known:Array(String)})), toUInt64(1)))
				)
				SELECT DISTINCT arrayJoin([
					if(strings['anonymous_id'] != '', strings['anonymous_id'], if(anonymous != 0, toString(numbers['anonymous_id']), '')),
					if(bitAnd(person, bitNot(toUInt64(1))) IN (SELECT anonymous FROM linked), user_id, '')]) AS id
				FROM events WHERE project = {project:String}
					AND (anonymous IN (SELECT anonymous FROM linked) OR bitAnd(person, bitNot(toUInt64(1))) IN (SELECT anonymous FROM linked))
				HAVING id != '' AND bitAnd(sipHash64(id), bitNot(toUInt64(1))) IN (SELECT anonymous FROM linked)
				ORDER BY id`,
			query_params: { project, known },
			format: "JSONCompactEachRow",
		});
		for (const [id] of await result.json<[string]>()) ids.add(id);
		if (ids.size === known.length) break;
	}
	return [...ids];
}

/** What is looked for. */
export async function subjectOfIds(
	client: ClickHouse,
	ids: readonly string[],
	freeText: boolean | null,
): Promise<Subject> {
	const result = await client.query({
		query: "SELECT toString(sipHash64(arrayJoin({ids:Array(String)})))",
		query_params: { ids },
		format: "JSONCompactEachRow",
		use_multipart_params: true,
	});
	const hashes = (await result.json<[string]>()).map(([hash]) => hash);
	return subjectOf(ids, hashes, freeText ?? undefined);
}
