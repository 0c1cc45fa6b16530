import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Releases, samplingRate, spent } from "./accountant.ts";
import { ORDERS, releaseCosts } from "./renyi.ts";

const DELTA = 1e-5;
const INTEGERS = ORDERS.filter((order) => Number.isInteger(order));

function epsilonOf(releases: readonly Releases[], delta = DELTA, orders = ORDERS): number {
	const found = spent(releases, delta, orders);
	if ("reason" in found) throw new Error(found.reason);
	return found.epsilon;
}

test.each([
	{ q: 1, noise: 4, count: 1, epsilon: 1.01255, order: 18 },
	{ q: 1, noise: 8, count: 25, epsilon: 2.77661, order: 8 },
	{ q: 1, noise: 20, count: 25, epsilon: 1.01255, order: 18 },
	{ q: 0.01, noise: 1, count: 1_000, epsilon: 2.10775, order: 8 },
	{ q: 0.1, noise: 2, count: 100, epsilon: 2.58665, order: 8 },
	{ q: 0.5, noise: 5, count: 25, epsilon: 2.27518, order: 9 },
])(
	"$count releases of noise $noise on a share of $q spend $epsilon by integer orders, and fractional ones at most 2 % less",
	(row) => {
		const releases = [{ noise_multiplier: row.noise, sampling_rate: row.q, count: row.count }];
		const whole = spent(releases, DELTA, INTEGERS);
		expect(whole).toMatchObject({ order: row.order });
		expect(epsilonOf(releases, DELTA, INTEGERS)).toBeCloseTo(row.epsilon, 5);
		const finer = epsilonOf(releases);
		expect(finer).toBeLessThanOrEqual(row.epsilon + 1e-5);
		expect(finer).toBeGreaterThan(0.98 * row.epsilon);
	},
);

test("a release with a tenth of the noise costs some 96, which only a fractional order proves", () => {
	expect(epsilonOf([{ noise_multiplier: 0.1, sampling_rate: 1, count: 1 }])).toBeCloseTo(96.1163, 4);
});

// By mpmath with 40 digits: adaptive quadrature of the moment for fractions, the sum itself for integers.
test.each([
	{ order: 1.5, noise: 1, q: 0.01, cost: 0.00012725374332745 },
	{ order: 2.5, noise: 0.7, q: 0.1, cost: 0.119144125638665 },
	{ order: 7.6, noise: 2, q: 0.1, cost: 0.0128455994969745 },
	{ order: 10.9, noise: 5, q: 0.5, cost: 0.0607576616531242 },
	{ order: 1.1, noise: 0.5, q: 0.3, cost: 0.372948433054694 },
	{ order: 2, noise: 1, q: 0.01, cost: 0.000171813422074548 },
	{ order: 64, noise: 2, q: 0.1, cost: 5.6608672584152 },
	{ order: 256, noise: 1, q: 0.01, cost: 123.376770323086 },
])("a release on a share of $q with noise $noise costs $cost at order $order", ({ order, noise, q, cost }) => {
	expect(releaseCosts(noise, q, [order])[0]! / cost).toBeCloseTo(1, 12);
});

const noise = fc.double({ min: 0.3, max: 50, noNaN: true });
const rate = fc.double({ min: 1e-6, max: 1, noNaN: true });
const group = fc.record({ noise_multiplier: noise, sampling_rate: rate, count: fc.integer({ min: 1, max: 1_000 }) });
const delta = fc.constantFrom(1e-3, 1e-5, 1e-9);
const RUNS = { numRuns: 60, seed: 5 };
/** Sums are not exact in their last digits. */
const atLeast = (more: number, less: number) => expect(more).toBeGreaterThanOrEqual(less * (1 - 1e-9) - 1e-12);

describe("the sum at integer orders and the integral at fractions are one function", () => {
	test("a hair beyond an integer costs the same", () => {
		fc.assert(
			fc.property(noise, rate, fc.integer({ min: 2, max: 10 }), (sigma, q, order) => {
				const [sum, integral] = releaseCosts(sigma, q, [order, order * (1 + 1e-15)]);
				if (Number.isFinite(integral)) expect(Math.abs(integral! - sum!)).toBeLessThan(1e-15 + 1e-8 * sum!);
			}),
			RUNS,
		);
	});
});

describe("what is spent", () => {
	test("never falls with another release, more sampling or less noise", () => {
		fc.assert(
			fc.property(fc.array(group, { minLength: 1, maxLength: 4 }), group, delta, (releases, more, d) => {
				const before = epsilonOf(releases, d);
				atLeast(epsilonOf([...releases, more], d), before);
				const [first, ...rest] = releases;
				atLeast(epsilonOf([{ ...first!, count: first!.count + 1 }, ...rest], d), before);
				atLeast(epsilonOf([{ ...first!, sampling_rate: Math.min(1, 1.3 * first!.sampling_rate) }, ...rest], d), before);
				atLeast(epsilonOf([{ ...first!, noise_multiplier: 0.8 * first!.noise_multiplier }, ...rest], d), before);
			}),
			RUNS,
		);
	});

	test("never falls over time, nothing at all has cost nothing", () => {
		fc.assert(
			fc.property(fc.array(group, { maxLength: 12 }), delta, (releases, d) => {
				const history = releases.map((_, i) => epsilonOf(releases.slice(0, i), d));
				expect(history[0] ?? 0).toBe(0);
				for (const [i, epsilon] of history.entries()) atLeast(epsilon, history[i - 1] ?? 0);
			}),
			RUNS,
		);
	});

	test("does not depend on how equal releases are grouped, or on their order", () => {
		fc.assert(
			fc.property(fc.array(group, { minLength: 1, maxLength: 5 }), (releases) => {
				const halves = releases
					.flatMap((one) => [
						{ ...one, count: 1 },
						{ ...one, count: one.count - 1 },
					])
					.reverse();
				expect(epsilonOf(halves) / epsilonOf(releases)).toBeCloseTo(1, 9);
			}),
			RUNS,
		);
	});

	test("is less than the sum of what single releases cost", () => {
		const one = { noise_multiplier: 8, sampling_rate: 1, count: 1 };
		expect(epsilonOf([{ ...one, count: 100 }])).toBeLessThan(100 * epsilonOf([one]) * 0.2);
	});

	test("of many different releases is a bound that is at most 2 % too high", () => {
		const many = Array.from({ length: 600 }, (_, i) => ({
			noise_multiplier: 1 + ((i * 7_919) % 600) / 777,
			sampling_rate: 0.01 + i / 100_003,
			count: 1,
		}));
		const costs = many.map((one) => releaseCosts(one.noise_multiplier, one.sampling_rate, ORDERS));
		const exact = ORDERS.map((order, i) => {
			const cost = costs.reduce((sum, of) => sum + of[i]!, 0);
			return cost + Math.log((order - 1) / order) - (Math.log(DELTA) + Math.log(order)) / (order - 1);
		});
		const least = exact.reduce((a, b) => Math.min(a, b));
		expect(epsilonOf(many)).toBeGreaterThanOrEqual(least);
		expect(epsilonOf(many)).toBeLessThan(1.02 * least);
	});

	test.each([
		["a release that lacks noise_multiplier", [{ noise_multiplier: null, sampling_rate: 1, count: 1 }], DELTA],
		["a release without noise", [{ noise_multiplier: 0, sampling_rate: 0.1, count: 1 }], DELTA],
		["noise too small for a number", [{ noise_multiplier: 1e-200, sampling_rate: 0.1, count: 1 }], DELTA],
		["delta 0", [], 0],
		["delta 1", [], 1],
		["no delta", [], Number.NaN],
	])("is no number for %s", (_, bad, d) => {
		const good = { noise_multiplier: 2, sampling_rate: 0.1, count: 10 };
		expect(spent([good, ...bad], d)).toEqual({ reason: expect.any(String) });
	});

	test("leaves out records that stand for no release", () => {
		expect(spent([{ noise_multiplier: null, sampling_rate: 1, count: 0 }], DELTA)).toEqual({ epsilon: 0, order: null });
	});
});

describe("sampling makes a release cheaper", () => {
	const poisson = {
		sampling_method: "poisson",
		sample_size: 100,
		population_size: 1_000,
		neighboring_relation: "add_remove",
	};

	test("when it is Poisson's, of a known share", () => {
		expect(samplingRate(poisson)).toBe(0.1);
		expect(samplingRate({ ...poisson, neighboring_relation: "" })).toBe(0.1);
		expect(samplingRate({ ...poisson, sampling_method: "Poisson" })).toBe(0.1);
		expect(samplingRate({ ...poisson, sample_size: 2_000 })).toBe(1);
	});

	test.each([
		{ sampling_method: "without_replacement" },
		{ sampling_method: "" },
		{ sampling_method: "fixed" },
		{ sample_size: null },
		{ population_size: null },
		{ population_size: 0 },
		{ neighboring_relation: "replace_one" },
		{ neighboring_relation: "substitution" },
	])("not with %o", (other) => {
		expect(samplingRate({ ...poisson, ...other })).toBe(1);
	});
});
