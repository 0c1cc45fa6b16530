import { expect, test } from "vitest";
import { LocalRateLimiter } from "./rate-limit.ts";

test("a key may use its whole allowance at once, then as much as time gives back", () => {
	let now = 1_000_000;
	const limiter = new LocalRateLimiter(() => now);
	for (let i = 0; i < 100; i++) expect(limiter.take("a", 100, 3_600).allowed).toBe(true);
	const refused = limiter.take("a", 100, 3_600);
	expect(refused).toEqual({ allowed: false, remaining: 0, reset_seconds: 3_600, retry_after: 36 });
	now += 35_000;
	expect(limiter.take("a", 100, 3_600).allowed).toBe(false);
	now += 1_000;
	expect(limiter.take("a", 100, 3_600).allowed).toBe(true);
	expect(limiter.take("a", 100, 3_600).allowed).toBe(false);
});

test("retry_after is long enough: the request it promises is allowed", () => {
	let now = 0;
	const limiter = new LocalRateLimiter(() => now);
	for (const limit of [1, 3, 7, 10_000]) {
		while (limiter.take(`k${limit}`, limit, 3_600).allowed);
		now += limiter.take(`k${limit}`, limit, 3_600).retry_after * 1_000;
		expect(limiter.take(`k${limit}`, limit, 3_600).allowed).toBe(true);
	}
});

test("keys do not share an allowance, and a clock set back gives nothing", () => {
	let now = 50_000;
	const limiter = new LocalRateLimiter(() => now);
	limiter.take("a", 1, 3_600);
	expect(limiter.take("b", 1, 3_600).allowed).toBe(true);
	now = 0;
	expect(limiter.take("a", 1, 3_600).allowed).toBe(false);
});
