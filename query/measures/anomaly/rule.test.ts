import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { SENSITIVITIES } from "../../../schema/wire/index.ts";
import { randomFrom } from "../../../tests/support/random.ts";
import { BUCKET, baselineOf, type History } from "./baseline.ts";
import { type AnomalyRule, type AnomalyVerdict, baselineHour, judge } from "./rule.ts";
import { DAILY, DAY, HOUR, offsetOver, slotOf, WEEK, WEEKLY } from "./season.ts";

const NOW = Date.parse("2026-03-30T12:00:00Z") / 1_000;
const HIGH: AnomalyRule = { sensitivity: "high" };

/** Buckets of so many days up to NOW. */
function history(days: number, value: (t: number, i: number) => number | null): { t: number[]; values: number[] } {
	const made = { t: [] as number[], values: [] as number[] };
	const n = Math.round((days * DAY) / BUCKET);
	for (let i = 0; i < n; i++) {
		const t = NOW - (n - i) * BUCKET;
		const found = value(t, i);
		if (found === null) continue;
		made.t.push(t);
		made.values.push(found);
	}
	return made;
}

/** The verdict on values that follow the history, one a bucket, each seen after the hour before it. */
function verdicts(past: History, next: readonly number[], rule: AnomalyRule, timezone = "UTC"): AnomalyVerdict[] {
	const t = [...Array.from(past.t), ...next.map((_, i) => NOW + i * BUCKET)];
	const values = [...Array.from(past.values), ...next];
	const baseline = baselineOf(past, NOW, timezone);
	return next.map((_, i) => {
		const end = past.t.length + i + 1;
		return judge(baseline, { t: t.slice(0, end), values: values.slice(0, end) }, rule);
	});
}

const verdict = (past: History, value: number, rule = HIGH, timezone = "UTC") =>
	verdicts(past, [value], rule, timezone)[0]!;
const state = (past: History, value: number, rule = HIGH) => verdict(past, value, rule).state;

function noise(seed: number): () => number {
	const u = randomFrom(seed);
	return () => Math.sqrt(-2 * Math.log(1 - u())) * Math.cos(2 * Math.PI * u());
}

/** Hours of a day: quiet at night, 100 at noon. */
const daily = (t: number) => 60 - 40 * Math.cos((2 * Math.PI * (t % DAY)) / DAY);

/** Lengths of history around every change of method, levels, steps, noise, gaps, zeros. */
const pasts = fc
	.record({
		days: fc.constantFrom(2, 3.3, 9, 14, 20, 28, 35),
		seed: fc.integer({ min: 1, max: 1e6 }),
		level: fc.constantFrom(0, 10, -500, 1e6),
		season: fc.constantFrom(0, 1),
		sigma: fc.constantFrom(0, 0.1, 5),
		missing: fc.constantFrom(0, 0.5, 0.95),
		counts: fc.boolean(),
	})
	.map(({ days, seed, level, season, sigma, missing, counts }) => {
		const gauss = noise(seed);
		const u = randomFrom(seed + 1);
		return history(days, (t) => {
			const value = level + season * daily(t) + sigma * gauss();
			if (u() < missing) return null;
			return counts ? Math.max(0, Math.round(gauss() - 1.5)) : value;
		});
	});
/** Of whole 1/1024, so that no change of unit underflows. */
const next = fc.array(
	fc.double({ min: -1e4, max: 1e7, noNaN: true }).map((value) => Math.round(1024 * value) / 1024),
	{ minLength: 1, maxLength: 14 },
);
const RUNS = { numRuns: 60, seed: 5 };

describe("what is expected", () => {
	test("is the median of the same hour of four weeks, the scale 1.4826 × the MAD of what the other weeks foretell", () => {
		const gauss = noise(3);
		const past = history(28, (t) => 100 + 10 * (Math.floor(t / DAY) % 7) + gauss());
		const same = past.t.flatMap((t, i) =>
			Math.floor(t / HOUR) % 168 === Math.floor(NOW / HOUR) % 168
				? [{ week: Math.floor(t / WEEK), value: past.values[i]! }]
				: [],
		);
		expect(same).toHaveLength(48);
		const middle = (list: number[]) => {
			const sorted = list.toSorted((a, b) => a - b);
			return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
		};
		const off = same.map(({ week, value }) =>
			Math.abs(value - middle(same.filter((other) => other.week !== week).map((other) => other.value))),
		);
		const expected = middle(same.map(({ value }) => value));
		const found = verdict(past, expected + 5);
		expect(found).toMatchObject({ method: "hour_of_week" });
		if (found.state === "insufficient_history") throw new Error("there are four weeks");
		expect(found.expected).toBeCloseTo(expected, 9);
		expect(found.scale).toBeCloseTo(Math.max(1.4826 * middle(off), 0.01 * expected), 9);
		expect(found.z).toBeCloseTo(5 / found.scale, 6);
	});

	test("has a scale of 1 % of it where nothing moves", () => {
		expect(
			verdict(
				history(28, () => 200),
				203,
			),
		).toEqual({
			...{ state: "normal", method: "hour_of_week" },
			...{ expected: 200, scale: 2, z: 1.5 },
		});
		expect(
			verdict(
				history(28, () => -200),
				-205,
			),
		).toMatchObject({ state: "anomalous", scale: 2, z: -2.5 });
	});

	test("with less than four weeks follows the level of the last season, as the mean would and a lone median would not", () => {
		const gauss = noise(4);
		const growing = history(10, (t) => daily(t) + (20 * (t - NOW)) / DAY + gauss());
		const found = verdict(growing, daily(NOW));
		expect(found).toMatchObject({ method: "seasonal_day", state: "normal" });
		expect(Math.abs((found as { expected: number }).expected - daily(NOW))).toBeLessThan(20);
	});

	test("of two and three weeks is of the same day of the week where days differ, and of the same hour where they do not", () => {
		const gauss = noise(5);
		const weekend = (t: number) => [4, 5].includes(Math.floor(t / DAY) % 7);
		const work = history(20, (t) => (weekend(t) ? 5 : 50) + gauss());
		expect(verdict(work, 50)).toMatchObject({ method: "seasonal_week" });
		expect(
			verdict(
				history(20, (t) => daily(t) + gauss()),
				100,
			),
		).toMatchObject({ method: "seasonal_day" });
	});

	test("does not depend on the order of values within an hour, nor on what is older than four weeks", () => {
		const gauss = noise(6);
		const past = history(28, (t) => daily(t) + gauss());
		const from = past.t.length - 12 * 30;
		const swapped = past.values.slice();
		for (let i = from; i < from + 12; i++) swapped[i] = past.values[2 * from + 11 - i]!;
		const z = (values: number[]) => (verdict({ t: past.t, values }, 90) as { z: number }).z;
		expect(z(swapped)).toBe(z(past.values));
		const older = history(40, (_, i) => (i < 12 * 288 ? 1e6 : past.values[i - 12 * 288]!));
		expect(verdict(older, 90)).toEqual(verdict(past, 90));
	});

	test.each([
		["America/New_York", "2026-03-08T07:00:00Z"],
		["Australia/Lord_Howe", "2026-04-04T15:00:00Z"],
		["Asia/Kathmandu", "2026-03-20T00:00:00Z"],
	])("keeps to the clock on the wall of %s, also across its change", (timezone, change) => {
		const at = Date.parse(change) / 1_000;
		const offset = offsetOver(at - 3 * DAY, at + 3 * DAY, timezone);
		for (let t = at - 3 * DAY; t < at + 3 * DAY; t += BUCKET) {
			const shown = new Date(t * 1_000).toLocaleString("en-GB", {
				timeZone: timezone,
				weekday: "short",
				hour: "2-digit",
			});
			const [weekday, hour] = [shown.slice(0, 3), Number(shown.slice(-2))];
			expect(slotOf(DAILY, t, offset)).toBe(hour);
			expect(slotOf(WEEKLY, t, offset)).toBe(
				["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"].indexOf(weekday) * 24 + hour,
			);
		}
	});

	test("moves with the clock: the same office hours are ordinary in their zone and strange in UTC", () => {
		// The clock of New York changed on the 8th of March: the office opens at 13:00 UTC since then, at 14:00 before.
		const offset = offsetOver(NOW - 40 * DAY, NOW + DAY, "America/New_York");
		const gauss = noise(7);
		const office = (t: number) => (slotOf(DAILY, t, offset) >= 9 && slotOf(DAILY, t, offset) < 17 ? 80 : 5) + gauss();
		const opening = Date.parse("2026-03-10T13:00:00Z") / 1_000;
		const past = history(48, (t) => office(t));
		const before = lowerPart(past, opening);
		const judged = (timezone: string) =>
			judge(baselineOf(before, opening, timezone), { t: [opening], values: [80] }, HIGH);
		expect(judged("America/New_York")).toMatchObject({ state: "normal" });
		expect(judged("UTC")).toMatchObject({ state: "anomalous" });
	});
});

function lowerPart(past: History, end: number): History {
	const n = Array.from(past.t).filter((t) => t < end).length;
	return { t: Array.from(past.t).slice(0, n), values: Array.from(past.values).slice(0, n) };
}

describe("insufficient history never fires", () => {
	test("less than two full days", () => {
		const gauss = noise(8);
		for (const days of [0, 0.1, 1, 1.99])
			expect(
				state(
					history(days, () => 10 + gauss()),
					1e6,
				),
			).toBe("insufficient_history");
		expect(
			state(
				history(2, () => 10 + gauss()),
				1e6,
			),
		).toBe("anomalous");
	});

	test("an hour that fewer than two days have a value of", () => {
		const onlyNights = history(20, (t) => (t % DAY < 6 * HOUR ? 10 : null));
		expect(state(onlyNights, 1e6)).toBe("insufficient_history");
	});

	test("a series that stopped longer than four weeks ago", () => {
		const past = history(60, (t) => (t < NOW - 29 * DAY ? 10 : null));
		expect(state(past, 1e6)).toBe("insufficient_history");
	});
});

describe("in any history", () => {
	test("a constant never fires, and no finite number gives NaN or Infinity", () => {
		const any = fc.oneof(
			fc.double({ noNaN: true, noDefaultInfinity: true }),
			fc.constantFrom(0, -0, 5e-324, -5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 1e-300, 1e300),
		);
		fc.assert(
			fc.property(
				fc.array(any, { minLength: 1, maxLength: 5 }),
				any,
				fc.constantFrom(2, 9, 20, 28),
				(some, value, days) => {
					const [constant] = some as [number];
					expect(
						state(
							history(days, () => constant),
							constant,
						),
					).toBe("normal");
					const found = verdict(
						history(days, (_, i) => some[i % some.length]!),
						value,
					);
					if (found.state === "insufficient_history") throw new Error("there are two days");
					for (const number of [found.expected, found.scale, found.z]) expect(Number.isFinite(number)).toBe(true);
					expect(found.scale).toBeGreaterThanOrEqual(0);
				},
			),
			{ ...RUNS, numRuns: 100 },
		);
	});

	test("what fires at a sensitivity fires at every higher one, and minimum_deviation only takes away", () => {
		let fired = 0;
		fc.assert(
			fc.property(pasts, next, fc.double({ min: 0, max: 50, noNaN: true }), (past, values, minimum_deviation) => {
				const states = SENSITIVITIES.map((sensitivity) => verdicts(past, values, { sensitivity }));
				const demanding = SENSITIVITIES.map((sensitivity) =>
					verdicts(past, values, { sensitivity, minimum_deviation }),
				);
				for (let i = 0; i < values.length; i++) {
					const [low, medium, high] = states.map((list) => list[i]!.state === "anomalous") as [
						boolean,
						boolean,
						boolean,
					];
					if (low) expect(medium).toBe(true);
					if (medium) expect(high).toBe(true);
					if (low) fired++;
					for (const [s, list] of demanding.entries()) {
						const found = list[i]!;
						if (found.state !== "anomalous") continue;
						expect(states[s]![i]!.state).toBe("anomalous");
						expect(Math.abs(found.z)).toBeGreaterThanOrEqual(minimum_deviation);
					}
				}
			}),
			RUNS,
		);
		expect(fired).toBeGreaterThan(20);
	});

	test("the unit does not matter: another one changes expected and scale, and nothing else", () => {
		fc.assert(
			fc.property(pasts, next, fc.constantFrom(2 ** -40, 1 / 1024, 8, 2 ** 60), (past, values, unit) => {
				const plain = verdicts(past, values, HIGH);
				const scaled = { t: past.t, values: past.values.map((value) => value * unit) };
				const found = verdicts(
					scaled,
					values.map((value) => value * unit),
					HIGH,
				);
				for (const [i, other] of found.entries()) {
					const one = plain[i]!;
					expect(other.state).toBe(one.state);
					if (one.state === "insufficient_history" || other.state === "insufficient_history") continue;
					expect(other).toEqual({ ...one, expected: one.expected * unit, scale: one.scale * unit });
				}
			}),
			RUNS,
		);
	});

	test("the level does not matter while the noise is above the floor", () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 1, max: 1e6 }),
				fc.constantFrom(3, 20, 28),
				fc.integer({ min: -64, max: 64 }),
				(seed, days, shift) => {
					const gauss = noise(seed);
					// Of whole 1/64, so that the shift is exact in floating point.
					const past = history(days, (t) => Math.round(64 * (daily(t) + 20 * gauss())) / 64);
					const shifted = { t: past.t, values: past.values.map((value) => value + shift) };
					for (const value of [0, 64, 250]) {
						const [one, other] = [verdict(past, value), verdict(shifted, value + shift)];
						if (one.state === "insufficient_history" || other.state === "insufficient_history")
							throw new Error("enough history");
						expect(other.state).toBe(one.state);
						expect(other.z).toBeCloseTo(one.z, 6);
						expect(other.expected).toBeCloseTo(one.expected + shift, 6);
					}
				},
			),
			RUNS,
		);
	});
});

describe("what fires", () => {
	const gauss = noise(10);
	const past = history(28, (t) => daily(t) + 2 * gauss());

	test.each([
		["high", 1],
		["medium", 2],
		["low", 3],
	] as const)("%s: value number %d of an hour that is far off, on either side", (sensitivity, nth) => {
		for (const value of [daily(NOW) + 100, daily(NOW) - 100]) {
			const states = verdicts(past, [value, value, value], { sensitivity }).map((found) => found.state);
			expect(states).toEqual([0, 1, 2].map((i) => (i < nth - 1 ? "normal" : "anomalous")));
		}
	});

	test("only the side that the rule names", () => {
		for (const off of [100, -100]) {
			const named = (direction: "both" | "above" | "below") =>
				state(past, daily(NOW) + off, { sensitivity: "high", direction });
			expect(["both", "above", "below"].map((side) => named(side as "both"))).toEqual(
				off > 0 ? ["anomalous", "anomalous", "normal"] : ["anomalous", "normal", "anomalous"],
			);
		}
	});

	test("values that are off in both directions do not agree", () => {
		const wild = [daily(NOW) + 100, daily(NOW) - 100];
		expect(verdicts(past, wild, { sensitivity: "medium" })[1]!.state).toBe("normal");
	});

	test("a series of one value an hour can agree with itself", () => {
		const hourly = history(28, (t) => (t % HOUR === 0 ? daily(t) + 2 * gauss() : null));
		expect(state(hourly, 500, { sensitivity: "low" })).toBe("anomalous");
	});

	test("an hour that stays off does, where no single value of it would", () => {
		const off = verdicts(
			past,
			Array.from({ length: 12 }, () => daily(NOW) + 7),
			HIGH,
		).map((found) => found.state);
		expect(off[0]).toBe("normal");
		expect(off.at(-1)).toBe("anomalous");
	});

	test("what a series does every day does not, however far it is off its median", () => {
		const bursts = history(28, (_, i) => (i % 50 === 0 ? 400 : 10 + gauss()));
		const found = verdict(bursts, 400);
		expect(found.state).toBe("normal");
		expect((found as { z: number }).z).toBeGreaterThan(20);
		expect(state(bursts, 4_000)).toBe("anomalous");
	});

	test("one earlier incident does not make the rule deaf to the next", () => {
		const once = history(
			28,
			(t) => daily(t) + 2 * gauss() + (t >= NOW - 9 * DAY && t < NOW - 9 * DAY + 2 * HOUR ? 200 : 0),
		);
		expect(state(once, daily(NOW) + 100)).toBe("anomalous");
	});

	test("a counter that is mostly 0: not another 1, but a burst", () => {
		const u = randomFrom(12);
		const rare = history(28, () => (u() < 0.02 ? 1 : 0));
		expect(state(rare, 0)).toBe("normal");
		expect(state(rare, 1)).toBe("normal");
		expect(state(rare, 40)).toBe("anomalous");
	});
});

describe("an anomaly that lasts", () => {
	test("is judged by the hour in which it began, for a day", () => {
		const began = NOW + 1_234;
		expect(baselineHour(NOW + 2_999)).toBe(NOW);
		expect(baselineHour(NOW + 5 * HOUR + 17, began)).toBe(NOW);
		expect(baselineHour(began + DAY, began)).toBe(NOW + DAY);
	});
});

describe("noise", () => {
	const kinds: Record<string, (u: () => number, gauss: () => number) => number> = {
		flat: () => 45,
		uniform: (u) => 8 + 11 * u(),
		gaussian: (_, gauss) => 10 + gauss(),
		exponential: (u) => -Math.log(1 - u()),
		lognormal: (_, gauss) => Math.exp(gauss()),
	};
	test.each(Object.keys(kinds))("%s never fires at low in two weeks of evaluation", (kind) => {
		for (const seed of [1, 2, 3]) {
			const [u, gauss] = [randomFrom(seed), noise(seed + 100)];
			const { t, values } = history(17, () => kinds[kind]!(u, gauss));
			for (let hour = NOW - 14 * DAY; hour < NOW; hour += 6 * HOUR) {
				const first = t.indexOf(hour);
				const baseline = baselineOf({ t: t.slice(0, first), values: values.slice(0, first) }, hour, "UTC");
				for (let i = first; i < first + 72; i++) {
					const recent = { t: t.slice(i - 12, i + 1), values: values.slice(i - 12, i + 1) };
					expect(judge(baseline, recent, { sensitivity: "low" }).state).toBe("normal");
				}
			}
		}
	});
});
