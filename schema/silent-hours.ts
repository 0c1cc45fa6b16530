/** When a silence is silent. Times are milliseconds since the epoch, hours are those of the silence's zone. */
import { Temporal } from "temporal-polyfill";
import { type Recurrence, type Silence, WEEKDAYS } from "./wire/silences.ts";

export type SilentHours = Pick<Silence, "starts_at" | "ends_at" | "recurrence" | "deleted_at">;

/** End of the stretch of silence that `at` lies in; undefined when it lies in none. */
export function silentUntil(silence: SilentHours, at: number): number | undefined {
	const { starts_at, ends_at, recurrence, deleted_at } = silence;
	const end = Math.min(
		Date.parse(ends_at),
		deleted_at === undefined ? Number.POSITIVE_INFINITY : Date.parse(deleted_at),
	);
	if (at < Date.parse(starts_at) || at >= end) return undefined;
	if (!recurrence) return end;
	const today = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(recurrence.timezone).toPlainDate();
	// One that began yesterday may go on into today, and two of 24 hours touch.
	const stops = [today.subtract({ days: 1 }), today].flatMap((day) => {
		const hours = hoursOf(recurrence, day);
		return hours && hours.from <= at && at < hours.to ? [hours.to] : [];
	});
	return stops.length === 0 ? undefined : Math.min(end, Math.max(...stops));
}

function hoursOf({ days, from, to, timezone }: Recurrence, day: Temporal.PlainDate) {
	if (!days.includes(WEEKDAYS[day.dayOfWeek - 1]!)) return undefined;
	const last = to <= from ? day.add({ days: 1 }) : day;
	return { from: instantOf(day, from, timezone, "earlier"), to: instantOf(last, to, timezone, "later") };
}

/**
 * An hour that a change of the clocks leaves out is the instant of the change; of one that comes twice the silence takes both,
 * so that it is one stretch.
 */
function instantOf(day: Temporal.PlainDate, time: string, timezone: string, repeated: "earlier" | "later"): number {
	const wanted = day.toPlainDateTime(Temporal.PlainTime.from(time));
	const found = wanted.toZonedDateTime(timezone, { disambiguation: repeated });
	if (found.toPlainDateTime().equals(wanted)) return found.epochMilliseconds;
	const before = wanted.toZonedDateTime(timezone, { disambiguation: "earlier" });
	return before.getTimeZoneTransition("next")?.epochMilliseconds ?? found.epochMilliseconds;
}
