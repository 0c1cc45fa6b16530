/** Calls that heartbeats wait for: which was the last, and when one is missed. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import { CHECK } from "./availability.ts";
import type { Scope } from "./scope.ts";

export interface LastBeat {
	/** Milliseconds since the epoch. */
	readonly ts: number;
	/** It is the note of a call that did not come. */
	readonly missed: boolean;
}

/** The last result of each check of the scope that has one. */
export function lastBeats(
	scope: Pick<Scope, "start" | "end">,
	check_ids: readonly string[],
): Question<Map<string, LastBeat>> {
	const params = new Params();
	const checks = params.add("Array(String)", check_ids);
	const where = `event = '${CHECK}' AND ${between(params, "ts", scope.start, scope.end)} AND strings['check_id'] IN ${checks}`;
	return {
		name: "last_beats",
		params,
		sql: `SELECT strings['check_id'] AS id, toUnixTimestamp64Milli(max(ts)) AS last_ts, argMax(strings['missed'] = 'true', ts) AS missed
${from("events", where)} GROUP BY id`,
		read: (rows) =>
			new Map(rows.map((row) => [row.id as string, { ts: row.last_ts as number, missed: Boolean(row.missed) }])),
	};
}

export interface Expected {
	readonly frequency_seconds: number;
	readonly grace_seconds: number;
	/** Undefined when there is none that is young enough to matter. */
	readonly last: LastBeat | undefined;
	/** Since when calls would have been taken: the test was made, the watch began. Milliseconds since the epoch. */
	readonly since: number;
	/** All calls before are known. */
	readonly through: number;
}

/**
 * When the newest call was missed that is not noted yet; undefined when none was. A call is due an interval after the last one,
 * and missed when the grace after that is over; then one is missed each interval.
 */
export function missedAt({ frequency_seconds, grace_seconds, last, since, through }: Expected): number | undefined {
	const interval = frequency_seconds * 1_000;
	const patience = interval + grace_seconds * 1_000;
	let due = last === undefined ? since + patience : last.ts + (last.missed ? interval : patience);
	// Calls that could not have been taken are not missed; the places of the others stay.
	const earliest = since + patience;
	if (due < earliest) due += Math.ceil((earliest - due) / interval) * interval;
	if (due > through) return undefined;
	return due + Math.floor((through - due) / interval) * interval;
}

/** How far back the last call may lie and still matter. Milliseconds. */
export function beatReach_ms({
	frequency_seconds,
	grace_seconds,
}: Pick<Expected, "frequency_seconds" | "grace_seconds">): number {
	return (2 * frequency_seconds + grace_seconds) * 1_000 + 3_600_000;
}
