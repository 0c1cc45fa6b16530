import fc from "fast-check";
import { expect, test } from "vitest";
import { LineQueue, type QueuedLine } from "./queue.ts";

const step = fc.oneof(
	fc.record({ do: fc.constant("push" as const), line: fc.string({ maxLength: 20 }) }),
	fc.record({ do: fc.constant("shift" as const) }),
	fc.record({
		do: fc.constant("take" as const),
		records: fc.integer({ min: 1, max: 5 }),
		chars: fc.nat(40),
		back: fc.boolean(),
	}),
);

test("it behaves as an array does, in order, length, size and what is taken", () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
			const queue = new LineQueue();
			let model: QueuedLine[] = [];
			let seq = 0;
			for (const one of steps) {
				if (one.do === "push") {
					const line = { seq: ++seq, line: one.line };
					queue.push(line);
					model.push(line);
				} else if (one.do === "shift") {
					expect(queue.shift()).toBe(model.shift());
				} else {
					const taken = queue.take(one.records, one.chars);
					expect(taken).toEqual(model.slice(0, taken.length));
					expect(taken.length).toBeLessThanOrEqual(one.records);
					if (model.length > 0) expect(taken.length).toBeGreaterThan(0);
					if (taken.length > 1)
						expect(taken.map(({ line }) => `${line}\n`).join("").length).toBeLessThanOrEqual(one.chars);
					model = model.slice(taken.length);
					if (one.back) {
						queue.unshift(taken);
						model = [...taken, ...model];
					}
				}
				expect(queue.length).toBe(model.length);
				expect(queue.first).toBe(model[0]);
				expect(queue.chars).toBe(model.reduce((sum, { line }) => sum + line.length, 0));
			}
		}),
	);
});

test("many records go through without the ones that left staying in memory", () => {
	const queue = new LineQueue();
	for (let seq = 0; seq < 100_000; seq++) {
		queue.push({ seq, line: "x" });
		if (seq >= 10) expect(queue.shift()?.seq).toBe(seq - 10);
	}
	expect(queue.length).toBe(10);
});
