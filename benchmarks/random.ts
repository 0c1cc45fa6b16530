/** Numbers that depend on a seed and a position only, so that every process computes the same row without being told of it. */

/** 32 well-mixed bits of three integers (the finaliser of MurmurHash3 over a sum of odd multiples). */
export function mix(seed: number, a: number, b: number): number {
	let h = (seed + Math.imul(a, 0x9e3779b1) + Math.imul(b, 0x85ebca77)) | 0;
	h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
	h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
	return (h ^ (h >>> 16)) >>> 0;
}

/** A number of [0, 1). */
export function unit(seed: number, a: number, b: number): number {
	return mix(seed, a, b) / 2 ** 32;
}

/** 16 hexadecimal digits. */
export function hex16(seed: number, a: number, b: number): string {
	const high = mix(seed, a, b).toString(16).padStart(8, "0");
	return (
		high +
		mix(seed ^ 0x5bd1e995, a, b)
			.toString(16)
			.padStart(8, "0")
	);
}
