import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SeenIds } from "./seen-ids.ts";

const DAY = 86_400_000;

describe("the filter of event_ids", () => {
	it("never calls an id new that it saw, in either spelling", () => {
		fc.assert(
			fc.property(
				fc.array(fc.tuple(fc.constantFrom("p", "q", "ü"), fc.string({ unit: "grapheme" })), { maxLength: 300 }),
				(ids) => {
					const seen = new SeenIds({ clock: () => 0, bits: 2 ** 14 });
					for (const [project, id] of ids) seen.add(project, id);
					for (const [project, id] of ids) {
						const bytes = Buffer.from(`x${id}y`);
						expect(seen.addBytes(project, bytes, 1, bytes.length - 1)).toBe(true);
						expect(seen.add(project, id)).toBe(true);
					}
				},
			),
		);
	});

	it("calls hardly any new id seen, up to its capacity", () => {
		const seen = new SeenIds({ clock: () => 0, bits: 2 ** 17, generations: 2 });
		let wrong = 0;
		for (let i = 0; i < 13_000; i++) if (seen.add("p", `0198a2b4-${i}-7000`)) wrong++;
		expect(wrong).toBeLessThan(130);
	});

	it("is not complete before all that is stored was added, nor while ids of the last 7 days were dropped", () => {
		let now = 0;
		const seen = new SeenIds({ clock: () => now, bits: 2 ** 10, generations: 2 });
		expect(seen.isComplete).toBe(false);
		seen.complete();
		expect(seen.isComplete).toBe(true);
		for (let i = 0; i < 300; i++) seen.add("p", `id ${i}`);
		expect(seen.isComplete).toBe(false);
		now = 7 * DAY;
		expect(seen.isComplete).toBe(true);
		expect(seen.add("p", "id 299")).toBe(true);
		// A week later whole generations go without harm.
		for (let i = 300; i < 360; i++) seen.add("p", `id ${i}`);
		now = 15 * DAY;
		for (let i = 360; i < 500; i++) seen.add("p", `id ${i}`);
		expect(seen.isComplete).toBe(true);
	});
});
