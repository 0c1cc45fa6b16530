// All families of the demonstration, day by day: the same records for the same seed and end.
import type { BatchRecord } from "../../schema/wire/index.ts";
import { accounts, business } from "./business.ts";
import { federated } from "./federated.ts";
import { databases, hosts, probes, requests } from "./machines.ts";
import { errors, logs, profiles } from "./messages.ts";
import { activity, people } from "./people.ts";
import { DAY_MS, type Day, type Family, Random } from "./world.ts";

export interface DemoOptions {
	readonly seed: number;
	/** Milliseconds since the epoch; the last day ends here. */
	readonly now: number;
	readonly days: number;
}

/** Records of one day after the other, the last one up to now. */
export function* demoDays({ seed, now, days }: DemoOptions): Iterable<BatchRecord[]> {
	const customers = accounts(seed, days);
	const everyone = people(seed + 1, days, customers.length);
	const families: readonly Family[] = [
		...[requests, hosts, databases, probes, logs, errors, profiles],
		(day) => activity(day, everyone),
		(day) => business(day, customers),
		federated,
	];
	const lastStart = now - (now % DAY_MS);
	for (let index = 0; index < days; index++) {
		const start = lastStart - (days - 1 - index) * DAY_MS;
		const day: Day = {
			index,
			count: days,
			start,
			end: Math.min(start + DAY_MS, now),
			random: new Random(seed + 2 + index),
		};
		yield families.flatMap((family) => [...family(day)].filter((record) => hasHappened(record, now)));
	}
}

/** Series have points of the past only; other records may be planned for later on the last day. */
function hasHappened(record: BatchRecord, now: number): boolean {
	return !("timestamp" in record) || Number(record.timestamp) < now;
}
