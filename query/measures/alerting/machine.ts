/**
 * Where an instance of an alert goes, given what was seen at an instant. Pure: no clock, no store.
 *
 * | seen      | ok, no_data*, error | pending                 | firing              | recovering          | no_data (alerting) |
 * | --------- | ------------------- | ----------------------- | ------------------- | ------------------- | ------------------ |
 * | breach    | pending, or firing without `for` | firing after `for` | stays  | firing              | as from ok; without `for` the same firing |
 * | hold      | ok                  | ok                      | recovering          | stays               | ok                 |
 * | clear     | ok                  | ok                      | ok, or recovering for `keep_firing_for` | ok after it | ok       |
 * | unknown   | keep_last: stays; ok: as clear; alert: no_data once it has lasted `for` |||||
 * | failed    | error               | error                   | stays               | stays               | stays              |
 *
 * \* no_data without an alert: nothing is known yet.
 */
import type { AlertState, NoDataPolicy } from "../../../schema/wire/index.ts";

/**
 * What an evaluation found of an instance: its conditions hold (`breach`), they do not but the recovery threshold is not passed
 * (`hold`), they do not (`clear`), there was no data to tell (`unknown`), or the evaluation itself failed.
 */
export type Verdict = "breach" | "hold" | "clear" | "unknown" | "failed";

export interface Seen {
	readonly verdict: Verdict;
	/** Of the condition that decides; null without one. */
	readonly value: number | null;
	readonly threshold: number | null;
}

/** Times are instants of evaluation, milliseconds since the epoch. */
export interface Standing {
	readonly state: AlertState;
	readonly since: number;
	/** First of the unbroken breaches; null without one. */
	readonly breach_since: number | null;
	/** Since when a firing instance is clear. */
	readonly clear_since: number | null;
	readonly unknown_since: number | null;
	/** When it began to burn: from then until it is ok again, it is one firing. Null while there is nothing to tell anybody. */
	readonly fired_at: number | null;
	readonly value: number | null;
	readonly threshold: number | null;
}

export interface Timing {
	readonly for_ms: number;
	readonly keep_firing_for_ms: number;
	readonly no_data: NoDataPolicy;
}

/** What people are told of a transition: that it burns, that it is over, or nothing. */
export type Notice = "fire" | "resolve" | null;

export interface Transition {
	readonly at: number;
	readonly from: AlertState;
	readonly to: AlertState;
	readonly value: number | null;
	readonly threshold: number | null;
	/** Identifies the firing that begins, goes on, or ends with it. */
	readonly fired_at: number | null;
	readonly notice: Notice;
	readonly reason: string;
}

export interface Step {
	readonly after: Standing;
	readonly transition: Transition | undefined;
}

/** Of an instance that was never seen: nothing is known. */
export function unseen(at: number): Standing {
	return {
		...{ state: "no_data", since: at, breach_since: null, clear_since: null, unknown_since: null, fired_at: null },
		...{ value: null, threshold: null },
	};
}

/** @param at the instant of evaluation, after that of the step before */
export function step(before: Standing, seen: Seen, at: number, timing: Timing): Step {
	switch (seen.verdict) {
		case "breach":
			return breach(before, seen, at, timing);
		case "hold":
			return isFiring(before)
				? go(before, at, "recovering", "value between recovery threshold and threshold", {
						...{ ...valuesOf(seen), breach_since: null, clear_since: null, unknown_since: null },
					})
				: clear(before, seen, at, timing);
		case "clear":
			return clear(before, seen, at, timing);
		case "unknown":
			return unknown(before, seen, at, timing);
		case "failed":
			return fail(before, at);
	}
}

/** The evaluation failed. What burns is not over because it cannot be looked at. */
export function fail(before: Standing, at: number): Step {
	if (before.fired_at !== null) return { after: before, transition: undefined };
	return go(before, at, "error", "the evaluation failed", { breach_since: null, unknown_since: null });
}

/** Ends an instance for another reason than its values: its rule was changed, it is not heard of any more. */
export function close(before: Standing, at: number, reason: string): Step {
	return go(before, at, "ok", reason, {
		...{ breach_since: null, clear_since: null, unknown_since: null, fired_at: null },
	});
}

function breach(before: Standing, seen: Seen, at: number, { for_ms }: Timing): Step {
	const change = { ...valuesOf(seen), clear_since: null, unknown_since: null };
	const breach_since = before.breach_since ?? at;
	if (isFiring(before)) return go(before, at, "firing", "the conditions hold again", { ...change, breach_since });
	if (at - breach_since < for_ms)
		return go(before, at, "pending", "the conditions hold", { ...change, breach_since, fired_at: null });
	const fired_at = before.fired_at ?? at;
	const reason = for_ms > 0 ? `the conditions have held for ${(at - breach_since) / 1_000} s` : "the conditions hold";
	return go(before, at, "firing", reason, { ...change, breach_since, fired_at });
}

function clear(before: Standing, seen: Seen, at: number, { keep_firing_for_ms }: Timing): Step {
	const change = { ...valuesOf(seen), breach_since: null, unknown_since: null };
	const clear_since = before.clear_since ?? at;
	if (isFiring(before) && at - clear_since < keep_firing_for_ms)
		return go(before, at, "recovering", "the conditions do not hold any more", { ...change, clear_since });
	return go(before, at, "ok", "the conditions do not hold", { ...change, clear_since: null, fired_at: null });
}

function unknown(before: Standing, seen: Seen, at: number, timing: Timing): Step {
	const { no_data, for_ms } = timing;
	if (no_data === "ok") return clear(before, seen, at, timing);
	const unknown_since = before.unknown_since ?? at;
	if (no_data === "keep_last" || at - unknown_since < for_ms)
		return { after: { ...before, unknown_since }, transition: undefined };
	return go(before, at, "no_data", "there is no data", {
		...{ value: null, threshold: seen.threshold, breach_since: null, clear_since: null, unknown_since },
		fired_at: before.fired_at ?? at,
	});
}

function isFiring({ state }: Standing): boolean {
	return state === "firing" || state === "recovering";
}

function valuesOf({ value, threshold }: Seen): Pick<Standing, "value" | "threshold"> {
	return { value, threshold };
}

function go(before: Standing, at: number, to: AlertState, reason: string, change: Partial<Standing>): Step {
	const moved = { ...before, ...change, state: to };
	// Of an instance that nothing was known of, an alert about missing data is news, though the name of its state stays.
	const began = before.fired_at === null && moved.fired_at !== null;
	const ended = before.fired_at !== null && moved.fired_at === null;
	if (before.state === to && !began && !ended) return { after: moved, transition: undefined };
	return {
		after: { ...moved, since: at },
		transition: {
			...{ at, from: before.state, to, value: moved.value, threshold: moved.threshold, reason },
			fired_at: moved.fired_at ?? before.fired_at,
			notice: began ? "fire" : ended ? "resolve" : null,
		},
	};
}
