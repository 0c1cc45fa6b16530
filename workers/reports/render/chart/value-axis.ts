/** The axis of values: from where to where, at which round numbers, and what is said there. */
import { nice, ticks } from "d3-array";
import { numberText } from "../format.ts";

export interface ValueAxis {
	readonly low: number;
	readonly high: number;
	readonly ticks: readonly { readonly value: number; readonly text: string }[];
}

// Beyond these, differences and powers of ten are no finite doubles.
const LARGEST = 1e300;
const SMALLEST = 1e-300;
/** Values as the axis knows them. */
export const onAxis = (value: number): number =>
	Math.abs(value) < SMALLEST ? 0 : Math.max(-LARGEST, Math.min(LARGEST, value));

/**
 * @param fromZero - lengths mean something only from 0 on; a line may begin elsewhere when it moves in a narrow band far
 * away from 0.
 */
export function valueAxis(
	values: Iterable<number>,
	{ fromZero, most }: { fromZero: boolean; most: number },
): ValueAxis {
	let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
	for (const value of values) {
		low = Math.min(low, onAxis(value));
		high = Math.max(high, onAxis(value));
	}
	if (low > high) [low, high] = [0, 1];
	const farthest = Math.max(Math.abs(low), Math.abs(high));
	const band = high - low;
	const narrow = band < farthest * 0.25 && band > farthest * 1e-6;
	if (fromZero || !narrow) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
	if (low === high) high = 1;
	[low, high] = nice(low, high, most);
	const at = ticks(low, high, most).filter((value) => value >= low && value <= high);
	const step = at.length > 1 ? Math.abs(at[1]! - at[0]!) : high - low;
	const texts = at.map((value) => tickText(value, step, farthest));
	const distinct = new Set(texts).size === texts.length;
	return { low, high, ticks: at.map((value, i) => ({ value, text: distinct ? texts[i]! : numberText(value) })) };
}

function tickText(value: number, step: number, farthest: number): string {
	if (value === 0) return "0";
	if (farthest >= 1e15 || step < 1e-6) return numberText(value);
	if (farthest >= 10_000) {
		return new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 }).format(value);
	}
	const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
	return new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}
