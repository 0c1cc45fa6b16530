import { describe, expect, it } from "vitest";
import { type RememberedRequest, RequestMemory } from "./requests.ts";

const done = (accepted: number): RememberedRequest => ({ bodyHash: "1", answer: { accepted, rejected: [] } });

describe("an Idempotency-Key", () => {
	it("runs its request once, however many ask at once", async () => {
		const memory = new RequestMemory({ clickhouse: undefined });
		let runs = 0;
		const run = async () => {
			runs++;
			await new Promise((resolve) => setImmediate(resolve));
			return done(runs);
		};
		const answers = await Promise.all([1, 2, 3].map(() => memory.claim("p", "k", run)));
		expect(runs).toBe(1);
		expect(answers.map(({ request, repeated }) => [request.answer.accepted, repeated])).toEqual([
			[1, false],
			[1, true],
			[1, true],
		]);
	});

	it("is free again when its request failed, for exactly one of those who wait", async () => {
		const memory = new RequestMemory({ clickhouse: undefined });
		const failing = memory.claim("p", "k", async () => {
			await new Promise((resolve) => setImmediate(resolve));
			throw new Error("disk");
		});
		let runs = 0;
		const waiting = [1, 2].map(() => memory.claim("p", "k", async () => done(++runs)));
		await expect(failing).rejects.toThrow("disk");
		expect((await Promise.all(waiting)).map(({ repeated }) => repeated).sort()).toEqual([false, true]);
		expect(runs).toBe(1);
	});

	it("is not forgotten before ClickHouse has its answer, however many come after", async () => {
		let storedUpTo = 0;
		const memory = new RequestMemory({ clickhouse: undefined, answers: 2, isStored: (seq) => seq <= storedUpTo });
		const claim = (key: string, segment: number) => memory.claim("p", key, async () => ({ ...done(1), segment }));
		for (const key of ["a", "b", "c", "d"]) await claim(key, 1);
		expect((await claim("a", 1)).repeated).toBe(true);
		storedUpTo = 1;
		await claim("e", 2);
		// Without ClickHouse to look it up in, what left the memory is gone.
		expect((await claim("a", 3)).repeated).toBe(false);
		expect((await claim("e", 3)).repeated).toBe(true);
	});

	it("belongs to its project", async () => {
		const memory = new RequestMemory({ clickhouse: undefined });
		await memory.claim("p", "k", async () => done(1));
		expect((await memory.claim("q", "k", async () => done(2))).repeated).toBe(false);
	});
});
