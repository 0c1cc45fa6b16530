/** Whether the tiers say the same: the questions, and what their answers mean. */

/** A step of the ladder and the tier it is fed from: both must count the same records in the same time. */
export interface Link {
	/** Name of the tier that is fed, such as `5m`. */
	readonly tier: string;
	readonly from: CountedTable;
	readonly to: CountedTable;
	/** Of the coarser one. */
	readonly step_s: number;
	/** How far back it is compared. */
	readonly span_s: number;
}

export interface CountedTable {
	readonly table: string;
	readonly time: string;
	/** An aggregate that gives the number of records. */
	readonly count: string;
}

/** Records of one project, counted at both ends of a link. */
export interface Count {
	readonly tier: string;
	readonly project: string;
	/** In the finer tier minus in the coarser one. */
	readonly difference: number;
}

/**
 * The links between raw points and the last tier. Each compares neighbours over a few steps of the coarser one only: together
 * they prove what a comparison of raw with the days would, at a cost that does not grow with the days.
 */
export function linksOf(ladder: readonly { name: string; step_seconds: number; rollup: string }[]): Link[] {
	return ladder.map(({ name, step_seconds, rollup }, index) => {
		const finer = ladder[index - 1];
		const from = finer ? rollupCount(finer.rollup) : { table: "points", time: "ts", count: "count()" };
		// An hour of raw points is what is cheap to count; of days, yesterday and the day before.
		const span_s = finer ? Math.max(7_200, 2 * step_seconds) : 3_600;
		return { tier: name, from, to: rollupCount(rollup), step_s: step_seconds, span_s };
	});
}

function rollupCount(table: string): CountedTable {
	return { table, time: "bucket", count: "sum(n)" };
}

/** Of a shorter step only what has ended is compared: there rows still come in. Of a longer one that would be too late. */
const OPEN_FROM_STEP_S = 3_600;

/**
 * One query for a link, over whole steps.
 * @param now_s seconds since the epoch
 */
export function countQuery(link: Link, now_s: number): { sql: string; params: Record<string, unknown> } {
	const steps = now_s / link.step_s;
	const end = (link.step_s >= OPEN_FROM_STEP_S ? Math.ceil(steps) : Math.floor(steps)) * link.step_s;
	const side = ({ table, time, count }: CountedTable, sign: string) =>
		`SELECT project, ${sign}toInt64(${count}) AS n FROM ${table} WHERE ${time} >= toDateTime({start:UInt32}, 'UTC') AND ${time} < toDateTime({end:UInt32}, 'UTC') GROUP BY project`;
	return {
		sql: `SELECT project, sum(n) AS difference FROM (${side(link.from, "")} UNION ALL ${side(link.to, "-")}) GROUP BY project HAVING difference != 0`,
		params: { start: end - link.span_s, end },
	};
}

/**
 * What is still wrong, of what was wrong before. An insert that is on its way through the views shows as a difference too, but
 * not as the same one twice; a record that is missing stays missing.
 */
export function confirmed(before: readonly Count[], now: readonly Count[]): Count[] {
	const key = ({ tier, project, difference }: Count) => JSON.stringify([tier, project, difference]);
	const seen = new Set(before.map(key));
	return now.filter((count) => seen.has(key(count)));
}
