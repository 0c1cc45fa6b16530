/** Lengths of time as people write them: `30s`, `5m`, `2h`, `7d`, `1w`. */
const UNIT_SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 } as const;

export const DURATION = /^(\d{1,7})(s|m|h|d|w)$/;

/** @throws TypeError when it is none: texts of clients are checked by their schema before */
export function durationSeconds(text: string): number {
	const [, amount, unit] = DURATION.exec(text) ?? [];
	if (amount === undefined) throw new TypeError(`${text} is no duration`);
	return Number(amount) * UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS];
}
