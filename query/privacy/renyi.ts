/**
 * Rényi differential privacy of the Gaussian mechanism, whole and on a Poisson sample, and what it means as (ε, δ). All of it
 * is for neighbours that differ by one member (add or remove), with the noise in units of the sensitivity.
 */

const MAX_ORDER = 256;
const INTEGER_ORDERS = Array.from({ length: MAX_ORDER - 1 }, (_, i) => i + 2);
const FRACTIONAL_ORDERS = Array.from({ length: 99 }, (_, i) => (i + 11) / 10).filter((a) => !Number.isInteger(a));
/** ln n!, for n up to the highest order. */
const LOG_FACTORIALS = new Float64Array(MAX_ORDER + 1);
for (let n = 2; n <= MAX_ORDER; n++) LOG_FACTORIALS[n] = LOG_FACTORIALS[n - 1]! + Math.log(n);

/** Orders above 1 that are tried: 1.1, 1.2, … 10.9, and every integer up to 256. Each proves a bound; the smallest counts. */
export const ORDERS: readonly number[] = [...FRACTIONAL_ORDERS, ...INTEGER_ORDERS];

/**
 * What one release costs at each order, in nats.
 * @param noise_multiplier standard deviation of the noise over the sensitivity, positive
 * @param sampling_rate probability of each member to be in the Poisson sample; 1 is no sampling, and no amplification
 */
export function releaseCosts(noise_multiplier: number, sampling_rate: number, orders: readonly number[]): number[] {
	// Mironov, Rényi Differential Privacy (2017), proposition 7.
	if (sampling_rate >= 1) return orders.map((order) => order / (2 * noise_multiplier ** 2));
	if (sampling_rate <= 0) return orders.map(() => 0);
	const integer = logMomentsOfIntegers(noise_multiplier, sampling_rate);
	const fractional = logMomentsByQuadrature(noise_multiplier, sampling_rate);
	return orders.map((order) => (Number.isInteger(order) ? integer(order) : fractional(order)) / (order - 1));
}

/**
 * ln Σ C(a,k) (1−q)^(a−k) q^k exp((k²−k)/2σ²), k = 0…a. Mironov, Talwar, Zhang, Rényi Differential Privacy of the Sampled Gaussian
 * Mechanism (2019), section 3.3. As a log of a sum of exponentials: beyond order 100 the sum itself is too big for a double. The
 * binomial weights add up to 1, which is taken out: for small q what is left is too small to stand beside a 1.
 */
function logMomentsOfIntegers(noise_multiplier: number, q: number): (order: number) => number {
	const growth = 1 / (2 * noise_multiplier ** 2);
	const [logIn, logOut] = [Math.log(q), Math.log1p(-q)];
	const ofSample = LOG_FACTORIALS.map((logFactorial, k) => k * logIn - logFactorial + logExpm1((k * k - k) * growth));
	const terms = new Float64Array(MAX_ORDER + 1);
	return (order) => {
		let top = Number.NEGATIVE_INFINITY;
		for (let k = 2; k <= order; k++) {
			const term = ofSample[k]! + (order - k) * logOut - LOG_FACTORIALS[order - k]!;
			terms[k] = term;
			if (term > top) top = term;
		}
		if (!Number.isFinite(top)) return Math.max(0, top);
		let sum = 0;
		for (let k = 2; k <= order; k++) {
			// What is 40 nats below the greatest changes no digit.
			if (terms[k]! - top > -40) sum += Math.exp(terms[k]! - top);
		}
		return softplus(LOG_FACTORIALS[order]! + top + Math.log(sum));
	};
}

/**
 * ln E[(1 − q + q·exp((2z − 1)/2σ²))^a] for z ~ N(0, σ²), which the sum for integers comes from (same paper, section 3.1), by the
 * trapezoidal rule: its error falls exponentially with the step for a function as smooth as this. The nearest singularity is πσ² away
 * from the real line, therefore the second bound of the step.
 */
function logMomentsByQuadrature(noise_multiplier: number, q: number): (order: number) => number {
	const variance = noise_multiplier ** 2;
	const step = Math.min(noise_multiplier / 4, variance / 2);
	const reach = 13 * noise_multiplier;
	const grid: { readonly mixture: number; readonly weight: number }[] = [];
	return (order) => {
		// With so little noise ε is huge at any order, and the grid would be too: the integers are enough.
		if (noise_multiplier < 0.1) return Number.POSITIVE_INFINITY;
		if (grid.length === 0) {
			for (let z = -reach; z <= 11 + reach; z += step) {
				grid.push({ mixture: logMixture((2 * z - 1) / (2 * variance), q), weight: -(z * z) / (2 * variance) });
			}
		}
		let sum = 0;
		for (const { mixture, weight } of grid) {
			const log = order * mixture;
			// One is taken out here too.
			sum += log < 1 ? Math.exp(weight) * Math.expm1(log) : Math.exp(weight + log) - Math.exp(weight);
		}
		return Math.max(0, Math.log1p((sum * step) / Math.sqrt(2 * Math.PI * variance)));
	};
}

/**
 * The ε that a total cost at one order proves for δ.
 * Canonne, Kamath, Steinke, The Discrete Gaussian for Differential Privacy (2020), proposition 12.
 */
export function epsilonOf(order: number, cost: number, delta: number): number {
	return cost + Math.log((order - 1) / order) - (Math.log(delta) + Math.log(order)) / (order - 1);
}

/** ln(1 − q + q·e^u), also where e^u is too big for a double. */
function logMixture(u: number, q: number): number {
	return u < 30 ? Math.log1p(q * Math.expm1(u)) : Math.log(q) + u + Math.log1p(((1 - q) / q) * Math.exp(-u));
}

/** ln(e^x − 1). */
function logExpm1(x: number): number {
	return x < 40 ? Math.log(Math.expm1(x)) : x;
}

/** ln(1 + e^x). */
function softplus(x: number): number {
	return x > 40 ? x : Math.log1p(Math.exp(x));
}
