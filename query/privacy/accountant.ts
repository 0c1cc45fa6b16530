/** What noisy releases have cost together, and why no number can be said where a release does not tell its noise. */
import { epsilonOf, ORDERS, releaseCosts } from "./renyi.ts";

/** Releases that cost the same. */
export interface Releases {
	/** Standard deviation of the noise over the sensitivity; null when it was not sent. */
	readonly noise_multiplier: number | null;
	/** Probability of each member to be in the sample; 1 where sampling does not make the release cheaper. */
	readonly sampling_rate: number;
	readonly count: number;
}

/** `order` is the one that proves ε, null when nothing was released. */
export type Spent = { readonly epsilon: number; readonly order: number | null } | { readonly reason: string };

/** From so many different releases on, rates are rounded up and noise down: the bound still holds, and the time is bounded. */
const MANY = 200;

/**
 * ε spent at δ: the costs of all releases are added at each order, and the order that proves the smallest ε counts.
 * It never falls when a release is added, when more are sampled or when there is less noise.
 * @param delta between 0 and 1, exclusive
 */
export function spent(releases: readonly Releases[], delta: number, orders: readonly number[] = ORDERS): Spent {
	if (!(delta > 0 && delta < 1)) return { reason: "target_delta is not between 0 and 1" };
	const counted = releases.filter(({ count }) => count > 0);
	const noisy = counted.filter((group): group is Noisy => group.noise_multiplier !== null);
	if (noisy.length < counted.length) return { reason: "a release lacks noise_multiplier" };
	if (noisy.some(({ noise_multiplier }) => !(noise_multiplier > 0))) {
		return { reason: "a release without noise spends any budget" };
	}
	if (noisy.length === 0) return { epsilon: 0, order: null };
	const total = orders.map(() => 0);
	for (const { noise_multiplier, sampling_rate, count } of noisy.length > MANY ? coarsened(noisy) : noisy) {
		const costs = releaseCosts(noise_multiplier, sampling_rate, orders);
		for (const [i, cost] of costs.entries()) total[i]! += count * cost;
	}
	const proven = orders.map((order, i) => ({ epsilon: Math.max(0, epsilonOf(order, total[i]!, delta)), order }));
	const best = proven.reduce((a, b) => (b.epsilon < a.epsilon ? b : a));
	return Number.isFinite(best.epsilon) ? best : { reason: "the releases spend any budget" };
}

type Noisy = Releases & { readonly noise_multiplier: number };

function coarsened(releases: readonly Noisy[]): Noisy[] {
	const groups = new Map<string, Noisy>();
	for (const { noise_multiplier, sampling_rate, count } of releases) {
		const noise = toThreeDigits(noise_multiplier, Math.floor);
		const rate = Math.min(1, toThreeDigits(sampling_rate, Math.ceil));
		const key = `${noise} ${rate}`;
		const before = groups.get(key)?.count ?? 0;
		groups.set(key, { noise_multiplier: noise, sampling_rate: rate, count: count + before });
	}
	return [...groups.values()];
}

function toThreeDigits(value: number, round: (value: number) => number): number {
	if (!(value > 0)) return value;
	const unit = 10 ** (Math.floor(Math.log10(value)) - 2);
	return round(value / unit) * unit;
}

/** How releases say that they were sampled. */
export interface Sampling {
	readonly sampling_method: string;
	readonly sample_size: number | null;
	readonly population_size: number | null;
	/** Of the configuration, `""` when it does not say. */
	readonly neighboring_relation: string;
}

/**
 * The rate by which sampling makes a release cheaper: only Poisson samples do, and only for neighbours by addition or removal. Without
 * replacement, of unknown method or size, it counts as a release on everyone.
 */
export function samplingRate(sampling: Sampling): number {
	const { sampling_method, sample_size, population_size, neighboring_relation } = sampling;
	if (!/^poisson/i.test(sampling_method) || /repl|subst/i.test(neighboring_relation)) return 1;
	if (sample_size === null || population_size === null || !(population_size > 0) || sample_size < 0) return 1;
	return Math.min(1, sample_size / population_size);
}
