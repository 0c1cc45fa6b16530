import { describe, expect, test } from "vitest";
import { LADDER } from "../../schema/granularity.ts";
import { type Count, confirmed, countQuery, linksOf } from "./compare.ts";

const links = linksOf(LADDER);

test("the links reach from the raw points to the last tier without a gap", () => {
	expect(links.map(({ from, to }) => `${from.table} → ${to.table}`)).toEqual([
		"points → rollup_1m",
		"rollup_1m → rollup_5m",
		"rollup_5m → rollup_15m",
		"rollup_15m → rollup_1h",
		"rollup_1h → rollup_1d",
	]);
});

describe("a window", () => {
	const NOW = Date.UTC(2026, 10, 21, 13, 47, 31.5) / 1_000;
	const at = (seconds: unknown) => new Date((seconds as number) * 1_000).toISOString().slice(0, 16);

	test.each([
		["1m", "2026-11-21T12:47", "2026-11-21T13:47"],
		["5m", "2026-11-21T11:45", "2026-11-21T13:45"],
		["15m", "2026-11-21T11:45", "2026-11-21T13:45"],
		["1h", "2026-11-21T12:00", "2026-11-21T14:00"],
		["1d", "2026-11-20T00:00", "2026-11-22T00:00"],
	])("of %s is whole steps of the coarser tier", (tier, start, end) => {
		const link = links.find((one) => one.tier === tier)!;
		const { params } = countQuery(link, NOW);
		expect([at(params.start), at(params.end)]).toEqual([start, end]);
		expect((params.start as number) % link.step_s).toBe(0);
		expect((params.end as number) % link.step_s).toBe(0);
	});
});

test("what is wrong is what is wrong in the same way twice", () => {
	const count = (tier: string, project: string, difference: number): Count => ({ tier, project, difference });
	const before = [count("1m", "a", 5), count("1m", "b", 7), count("5m", "a", 1)];
	expect(confirmed(before, [count("1m", "a", 5), count("1m", "b", 8), count("15m", "a", 1)])).toEqual([
		count("1m", "a", 5),
	]);
	expect(confirmed(before, [])).toEqual([]);
	expect(confirmed([], before)).toEqual([]);
});
