import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IdSet, SeriesRegistry, seriesId } from "./series.ts";

// Of the ids 0,0 and 0,1 the set makes one, which real hashes will not tell.
const uint32 = fc.integer({ min: 2, max: 2 ** 32 - 1 });

describe("series ids", () => {
	it("are stable: stored points carry them", () => {
		expect(seriesId("default", "cpu", [["host", "a"]])).toEqual({ high: 1_223_397_953, low: 3_618_301_838 });
	});

	it("differ for series whose texts run together", () => {
		expect(seriesId("p", "a", [["b", "c"]])).not.toEqual(seriesId("p", "ab", [["", "c"]]));
	});
});

describe("IdSet", () => {
	it("holds exactly what was added", () => {
		fc.assert(
			fc.property(fc.array(fc.tuple(uint32, uint32), { maxLength: 3_000 }), ([...ids]) => {
				const set = new IdSet();
				const expected = new Set<string>();
				for (const [high, low] of [...ids, [0, 0] as const]) {
					expect(set.add(high, low)).toBe(!expected.has(`${high}/${low}`));
					expected.add(`${high}/${low}`);
				}
				expect(set.size).toBe(expected.size);
				for (const [high, low] of ids) expect(set.has(high, low)).toBe(true);
			}),
			{ numRuns: 50 },
		);
	});
});

describe("the series registry", () => {
	it("refuses new series over the budget of their project and goes on with known ones", () => {
		const registry = new SeriesRegistry({ perProject: 2 });
		const of = (project: string, host: string) => registry.resolve(project, "cpu", [["host", host]], "gauge", "");
		expect([of("p", "a"), of("p", "b"), of("p", "c")].map(Boolean)).toEqual([true, true, false]);
		expect(of("p", "a")).toBeDefined();
		expect(of("q", "c")).toBeDefined();
	});

	it("counts series that were stored before this start", () => {
		const registry = new SeriesRegistry({ perProject: 1 });
		const { high, low } = seriesId("p", "cpu", []);
		registry.know("p", high, low);
		expect(registry.resolve("p", "memory", [], "gauge", "")).toBeUndefined();
		expect(registry.resolve("p", "cpu", [], "gauge", "")).toMatchObject({ idHigh: high | 0, idLow: low | 0 });
	});

	it("forgets series that nobody sends, without forgetting that they count", () => {
		const registry = new SeriesRegistry({ perProject: 100, cached: 10 });
		for (let i = 0; i < 100; i++) registry.resolve("p", `m${i}`, [], "gauge", "");
		expect(registry.resolve("p", "one more", [], "gauge", "")).toBeUndefined();
		expect(registry.resolve("p", "m0", [], "gauge", "")?.announced).toBe(-1);
		expect(registry.count("p")).toBe(100);
	});
});
