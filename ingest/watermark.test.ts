import { expect, test } from "vitest";
import { Watermark } from "./watermark.ts";

test("everything acknowledged before the watermark is stored, whatever is sealed, stored or open", () => {
	let now = 1_000;
	const journal: { sealed: { seq: number }[]; active: { seq: number } | undefined } = { sealed: [], active: undefined };
	const watermark = new Watermark(journal as never, () => now);
	expect(watermark.storedThrough()).toBe(1_000);
	journal.active = { seq: 1 };
	now = 1_100;
	expect(watermark.storedThrough(), "nothing is in the segment yet").toBe(1_100);
	watermark.committed(1);
	now = 1_200;
	watermark.committed(1);
	expect(watermark.storedThrough()).toBe(1_100);
	journal.sealed.push(journal.active);
	journal.active = { seq: 2 };
	now = 1_300;
	watermark.committed(2);
	now = 1_400;
	expect(watermark.storedThrough(), "the older one is not stored").toBe(1_100);
	journal.sealed.shift();
	expect(watermark.storedThrough()).toBe(1_300);
	journal.active = undefined;
	expect(watermark.storedThrough()).toBe(1_400);
});

test("records of an earlier process hold it back until they are stored", () => {
	const journal: { sealed: { seq: number }[]; active: { seq: number } | undefined } = {
		...{ sealed: [{ seq: 7 }, { seq: 8 }], active: undefined },
	};
	const watermark = new Watermark(journal as never, () => 5_000);
	expect(watermark.storedThrough()).toBe(0);
	journal.sealed.shift();
	expect(watermark.storedThrough()).toBe(0);
	journal.sealed.shift();
	expect(watermark.storedThrough()).toBe(5_000);
});
