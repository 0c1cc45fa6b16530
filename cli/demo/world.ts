// What the generators of the demonstration share: seeded chance, the days to fill, and how busy an hour is.
import type { BatchRecord } from "../../schema/wire/index.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;

/** The part of a day's records that one family has. */
export type Family = (day: Day) => Iterable<BatchRecord>;

/** One day to fill; times are milliseconds since the epoch, UTC. */
export interface Day {
	/** From 0, the oldest. */
	readonly index: number;
	/** How many there are in all. */
	readonly count: number;
	readonly start: number;
	/** Of the last day: now. No record may be at or after it. */
	readonly end: number;
	readonly random: Random;
}

/** Numbers that are the same for the same seed (mulberry32). */
export class Random {
	#state: number;

	constructor(seed: number) {
		this.#state = seed >>> 0;
	}

	/** From 0 to 1. */
	next(): number {
		this.#state = (this.#state + 0x6d2b79f5) >>> 0;
		let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
	}

	between(low: number, high: number): number {
		return low + this.next() * (high - low);
	}

	/** Both ends included. */
	whole(low: number, high: number): number {
		return Math.floor(this.between(low, high + 1));
	}

	chance(probability: number): boolean {
		return this.next() < probability;
	}

	pick<T>(list: readonly T[]): T {
		return list[Math.floor(this.next() * list.length)]!;
	}

	/** By weight. */
	weighted<T>(choices: readonly (readonly [T, number])[]): T {
		let left = this.next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
		for (const [choice, weight] of choices) {
			left -= weight;
			if (left < 0) return choice;
		}
		return choices.at(-1)![0];
	}

	/** Standard normal (Box and Muller). */
	normal(): number {
		return Math.sqrt(-2 * Math.log(1 - this.next())) * Math.cos(2 * Math.PI * this.next());
	}

	/** As durations are spread: most near the median, a long tail. */
	logNormal(median: number, sigma: number): number {
		return median * Math.exp(sigma * this.normal());
	}
}

/** How busy it is, about 1 on the average of a day: offices by day, less on weekends, growth over the whole time. */
export function busyness(ms: number, day: Day): number {
	const hour = (ms % DAY_MS) / HOUR_MS;
	const weekday = new Date(ms).getUTCDay();
	const daily = 1 + 0.75 * Math.sin(((hour - 9) / 24) * 2 * Math.PI);
	const weekly = weekday === 0 || weekday === 6 ? 0.55 : 1.15;
	return daily * weekly * (0.75 + (0.5 * day.index) / day.count);
}

/** An hour in which the model server ran out of memory: a fortnight and three days before the end. */
export function inIncident(ms: number, day: Day): boolean {
	const hour = (ms % DAY_MS) / HOUR_MS;
	const before = day.count - 1 - day.index;
	return (before === 14 || before === 3) && hour >= 10 && hour < 10.75;
}

/** Moments of a day, every `step_ms`, as long as the day lasts. */
export function* every(day: Day, step_ms: number): Iterable<number> {
	for (let ms = Math.ceil(day.start / step_ms) * step_ms; ms < day.end; ms += step_ms) yield ms;
}

/** Moments spread over a day as busily as it is, about `perDay` on an average one, ascending. */
export function moments(day: Day, perDay: number): number[] {
	const { random } = day;
	const found: number[] = [];
	for (let hour = day.start; hour < day.end; hour += HOUR_MS) {
		const expected = (perDay / 24) * busyness(hour, day);
		const count = Math.floor(expected + random.next());
		for (let i = 0; i < count; i++) found.push(hour + Math.floor(random.next() * HOUR_MS));
	}
	return found.filter((ms) => ms < day.end).sort((a, b) => a - b);
}

/** A number with so many digits after the point: nobody measures sixteen. */
export function digits(value: number, places: number): number {
	return Number(value.toFixed(places));
}

/** Collects points of many series, so that each is sent once with all its points. */
export class SeriesBook {
	readonly #series = new Map<string, BatchRecord & { timestamps: number[]; values: number[] }>();

	add(
		name: string,
		tags: Readonly<Record<string, string>>,
		timestamp: number,
		value: number,
		kind: "gauge" | "counter" | "distribution" = "gauge",
		unit?: string,
	): void {
		const key = `${name} ${Object.values(tags).join(" ")}`;
		let found = this.#series.get(key);
		if (found === undefined) {
			found = {
				...{ type: "metric", name, tags, kind, timestamps: [], values: [] },
				...(unit === undefined ? {} : { unit }),
			};
			this.#series.set(key, found);
		}
		found.timestamps.push(timestamp);
		found.values.push(value);
	}

	records(): Iterable<BatchRecord> {
		return this.#series.values();
	}
}
