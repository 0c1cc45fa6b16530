import fc from "fast-check";
import { expect, test } from "vitest";
import { retryAfterSeconds, TidemarkError } from "./errors.ts";
import { mayRetry, retryDelayMs } from "./retry.ts";

test.each([
	[429, 100, true],
	[503, 100, true],
	[502, 1, true],
	[500, 4, true],
	[500, 5, false],
	[400, 1, false],
	[401, 1, false],
	[409, 1, false],
	[413, 1, false],
])("an answer of %d after %d tries: try again is %s", (status, tries, again) => {
	expect(mayRetry(new TidemarkError("", { status }), tries)).toBe(again);
});

test("a request that got no answer is tried again; a fault of this program is not", () => {
	expect(mayRetry(new TidemarkError("", { code: "connection_failed" }), 100)).toBe(true);
	expect(mayRetry(new TidemarkError("", { code: "timeout" }), 100)).toBe(true);
	expect(mayRetry(new TypeError("bug"), 1)).toBe(false);
});

test("delays grow to 30 s, are random by half, and never undercut Retry-After", () => {
	expect([1, 2, 3, 8, 9, 1000].map((tries) => retryDelayMs(tries, undefined, 1))).toEqual([
		200, 400, 800, 25_600, 30_000, 30_000,
	]);
	expect(retryDelayMs(1, undefined, 0)).toBe(100);
	fc.assert(
		fc.property(
			fc.nat(1000),
			fc.option(fc.nat(3600), { nil: undefined }),
			fc.double({ min: 0, max: 1, noNaN: true }),
			(n, after, random) => {
				const delay = retryDelayMs(n + 1, after, random);
				expect(delay).toBeGreaterThanOrEqual((after ?? 0) * 1000);
				expect(delay).toBeLessThanOrEqual(Math.max(30_000, (after ?? 0) * 1000 + 200));
			},
		),
	);
});

test.each([
	["12", 12],
	["1.5", 1.5],
	["Thu, 01 Jan 1970 00:00:10 GMT", 9],
	["Thu, 01 Jan 1970 00:00:00 GMT", 0],
	["soon", undefined],
	[null, undefined],
])("Retry-After %s", (header, seconds) => expect(retryAfterSeconds(header, 1000)).toBe(seconds));
