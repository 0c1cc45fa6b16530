/** How numbers, instants and periods of a report are told to a person; JSON and CSV keep them as they are. */
import { Temporal } from "temporal-polyfill";
import type { Cell, ReportDocument } from "../../../schema/report-document.ts";

/** What stands for "no evidence". */
export const NONE = "–";

const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 });
const MOST_COLUMN_DIGITS = 4;
const SMALL = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 });

/**
 * Two decimals from 1 on, four significant digits below; powers of ten where digits would only fill space.
 * @param digits - decimals that are written in any case, so that numbers below each other can be compared
 */
export function numberText(value: number, digits?: number): string {
	const size = Math.abs(value);
	if (size >= 1e15 || (size !== 0 && size < 1e-6)) return value.toExponential(3).replace(/\.?0+e/, "e");
	if (digits !== undefined) return fixed(digits).format(value);
	return (size === 0 || size >= 1 ? WHOLE : SMALL).format(value === 0 ? 0 : value);
}

const FIXED = new Map<number, Intl.NumberFormat>();
/** Making a formatter takes longer than formatting a page with it. */
function fixed(digits: number): Intl.NumberFormat {
	const known = FIXED.get(digits);
	if (known !== undefined) return known;
	const format = new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
	FIXED.set(digits, format);
	return format;
}

/** Decimals that show each number of a column as exactly as alone; undefined when they are of too different size. */
export function columnDigits(values: readonly number[]): number | undefined {
	let most = 0;
	for (const value of values) most = Math.max(most, (numberText(value).split(".")[1] ?? "").length);
	return most <= MOST_COLUMN_DIGITS ? most : undefined;
}

/** A text that is an instant is told as a time of the zone. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** A value as it stands on a page. */
export function valueText(value: Cell | undefined, { timezone, unit, digits }: ValueOptions): string {
	if (value === null || value === undefined) return NONE;
	if (typeof value === "boolean") return value ? "yes" : "no";
	if (typeof value === "number") return `${numberText(value, digits)}${unit === "%" ? "%" : ""}`;
	return INSTANT.test(value) && !Number.isNaN(Date.parse(value)) ? instantText(value, timezone) : value;
}

export interface ValueOptions {
	readonly timezone: string;
	/** A percent sign stands close to a number; other units are written by whoever knows where there is room. */
	readonly unit?: string | undefined;
	readonly digits?: number | undefined;
}

/** A change against the period before: which way, and by how much. */
export function changeText(percentage: number): { way: "up" | "down" | "same"; text: string } {
	const way = percentage > 0 ? "up" : percentage < 0 ? "down" : "same";
	return { way, text: `${way === "up" ? "+" : ""}${numberText(percentage)}%` };
}

/** `2026-09-14 09:00` in the zone, with seconds where there are some. */
export function instantText(instant: string, timezone: string): string {
	const local = Temporal.Instant.from(instant).toZonedDateTimeISO(timezone).toPlainDateTime();
	const smallestUnit = local.second === 0 && local.millisecond === 0 ? "minute" : "second";
	return local.toString({ smallestUnit }).replace("T", " ");
}

/** Whole days are told as days, of which the last is included: `2026-09-14 to 2026-09-20`. */
export function periodText({ start, end, timezone }: ReportDocument["period"]): string {
	const from = Temporal.Instant.from(start).toZonedDateTimeISO(timezone);
	const to = Temporal.Instant.from(end).toZonedDateTimeISO(timezone);
	const days =
		from.equals(from.startOfDay()) && to.equals(to.startOfDay()) && Temporal.ZonedDateTime.compare(from, to) < 0;
	if (!days) return `${instantText(start, timezone)} to ${instantText(end, timezone)}`;
	const [first, last] = [from.toPlainDate().toString(), to.toPlainDate().subtract({ days: 1 }).toString()];
	return first === last ? first : `${first} to ${last}`;
}

/** What every page says of the data. */
export function dataThroughText({ data_through, period }: ReportDocument): string {
	return data_through === null ? "No data" : `Data through ${instantText(data_through, period.timezone)}`;
}

// Control characters, those that turn the direction of the text around them, and whatever else is not seen itself: a name
// could hide behind it.
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Variation_Selector}]/gu;

/** A text as it may stand on a page: well-formed, composed, without characters that only do something to others. */
export function pageText(text: string): string {
	const whole = text.replace(/\p{Surrogate}/gu, "\ufffd").replace(/\r\n?/g, "\n");
	return whole.replace(UNSEEN, "").replaceAll("\t", " ").normalize("NFC");
}

/** The same on one line. */
export const lineText = (text: string): string => pageText(text).replace(/\s+/g, " ").trim();
