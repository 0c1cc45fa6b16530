/**
 * When a schedule is due. A pattern is followed on the wall clock of its zone, where no hour is missing or comes twice, and each of
 * its times is one instant: a time that a change of the clocks leaves out is the first minute after it, one that comes twice is the
 * first of the two. So whatever the clocks do, each occurrence runs once. Pure; milliseconds since the epoch.
 */
import { Cron } from "croner";
import { Temporal } from "temporal-polyfill";

export interface Schedule {
	/** Five fields: minute, hour, day of the month, month, day of the week; or a nickname such as `@daily`. */
	readonly cron: string;
	/** IANA. */
	readonly timezone: string;
}

/** A pattern that is none, or that nothing ever fits. The message says which field. */
export class ScheduleError extends Error {
	override readonly name = "ScheduleError";
}

/** What a plan without a pattern says; times are of the zone. */
export interface Plan {
	readonly frequency: "hourly" | "daily" | "weekly" | "monthly" | "quarterly";
	/** A weekday in full, or the day of a month, or `last`. */
	readonly day?: string | number | undefined;
	/** `HH:MM`; of an hourly one only the minute counts. */
	readonly time: string;
}

const WEEKDAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
/** A pattern that fits no day within so many tries at a wall clock never does. */
const MAX_TRIES = 100_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** @throws ScheduleError for a day that the frequency does not have */
export function cronOf({ frequency, day, time }: Plan): string {
	const [hour, minute] = time.split(":").map(Number) as [number, number];
	const at = `${minute} ${hour}`;
	switch (frequency) {
		case "hourly":
		case "daily":
			if (day !== undefined) throw new ScheduleError(`a ${frequency} schedule has no day`);
			return frequency === "hourly" ? `${minute} * * * *` : `${at} * * *`;
		case "weekly": {
			const weekday = WEEKDAYS.indexOf(String(day ?? "monday").toLowerCase());
			if (weekday < 0) throw new ScheduleError("the day of a weekly schedule is a weekday such as monday");
			return `${at} * * ${weekday}`;
		}
		case "monthly":
		case "quarterly": {
			const months = frequency === "monthly" ? "*" : "1,4,7,10";
			if (day === "last") return `${at} L ${months} *`;
			const date = Number(day ?? 1);
			if (!Number.isInteger(date) || date < 1 || date > 28)
				throw new ScheduleError(
					`the day of a ${frequency} schedule is from 1 to 28, or last: not every month has more`,
				);
			return `${at} ${date} ${months} *`;
		}
	}
}

/** @throws ScheduleError for a pattern that is none, fires more often than every minute, or never */
export function checkSchedule(schedule: Schedule, now: number): void {
	if (nextOccurrence(schedule, now) === undefined) throw new ScheduleError("the pattern never comes true");
}

/** The first occurrence after an instant; undefined when there is none. @throws ScheduleError */
export function nextOccurrence(schedule: Schedule, after: number): number | undefined {
	const cron = patternOf(schedule.cron);
	let wall = Temporal.Instant.fromEpochMilliseconds(after).toZonedDateTimeISO(schedule.timezone).toPlainDateTime();
	// In an hour that comes twice, times of its first pass are over in the second; there are as many as it has minutes.
	for (let tries = 0; tries < MAX_TRIES; tries++) {
		const found = cron.nextRun(onUtcClock(wall));
		if (!found) return undefined;
		wall = Temporal.Instant.fromEpochMilliseconds(found.getTime()).toZonedDateTimeISO("UTC").toPlainDateTime();
		const instant = instantOf(wall, schedule.timezone);
		if (instant > after) return instant;
	}
	return undefined;
}

/** The newest occurrence in `(after, until]`; undefined when there is none. */
export function lastOccurrence(schedule: Schedule, after: number, until: number): number | undefined {
	// Looked for from near to far, so that a pattern of every minute is not followed over a year.
	for (const back of [HOUR_MS, DAY_MS, 8 * DAY_MS, 32 * DAY_MS, Number.POSITIVE_INFINITY]) {
		const start = Math.max(after, until - back);
		let found: number | undefined;
		for (let next = nextOccurrence(schedule, start); next !== undefined && next <= until; ) {
			found = next;
			next = nextOccurrence(schedule, next);
		}
		if (found !== undefined || start === after) return found;
	}
	return undefined;
}

/** How many occurrences there are in `(after, before)`, up to a limit. */
export function occurrencesBetween(schedule: Schedule, after: number, before: number, limit: number): number {
	let n = 0;
	for (let next = nextOccurrence(schedule, after); next !== undefined && next < before && n < limit; n++)
		next = nextOccurrence(schedule, next);
	return n;
}

function patternOf(text: string): Cron {
	// Of croner's own signs only those that say the same whenever they are read.
	if (!/^(@[a-z]+|[0-9A-Za-z*,/#\-\s]+)$/.test(text))
		throw new ScheduleError("a pattern has digits, names, and * , / - # L");
	try {
		return new Cron(text, { mode: "5-part", timezone: "UTC" });
	} catch (error) {
		throw new ScheduleError((error as Error).message.replace(/^CronPattern: /, ""), { cause: error });
	}
}

function onUtcClock(wall: Temporal.PlainDateTime): Date {
	return new Date(wall.toZonedDateTime("UTC").epochMilliseconds);
}

/** @see the head of this file */
function instantOf(wall: Temporal.PlainDateTime, timezone: string): number {
	const found = wall.toZonedDateTime(timezone, { disambiguation: "earlier" });
	if (found.toPlainDateTime().equals(wall)) return found.epochMilliseconds;
	// Left out: `earlier` is the same time by the clock before the change, so the change is next.
	const change = found.getTimeZoneTransition("next")!.epochMilliseconds;
	return Math.ceil(change / 60_000) * 60_000;
}
