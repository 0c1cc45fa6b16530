import { expect, test } from "vitest";
import { Recent } from "./recent.ts";

class Away extends Error {}
const isAway = (error: unknown) => error instanceof Away;

function source() {
	let now = 1_000_000;
	let runs = 0;
	const recent = new Recent<string>({ now: () => now, maxBytes: 30, keep_ms: 60_000 });
	return {
		recent,
		pass: (ms: number) => {
			now += ms;
		},
		runs: () => runs,
		ask: (key: string, maxAge_ms: number) => recent.get(key, maxAge_ms, async () => `answer ${++runs}`, isAway),
		fail: (error: Error, maxAge_ms = 0) => recent.get("a", maxAge_ms, () => Promise.reject(error), isAway),
	};
}

test("an answer is given again for as long as was asked for, and no longer", async () => {
	const { ask, pass } = source();
	expect(await ask("a", 30_000)).toMatchObject({ value: "answer 1", isFallback: false });
	pass(30_000);
	expect(await ask("a", 30_000)).toMatchObject({ value: "answer 1", at: 1_000_000 });
	pass(1);
	expect(await ask("a", 30_000)).toMatchObject({ value: "answer 2" });
	expect(await ask("a", 0)).toMatchObject({ value: "answer 3" });
});

test("who asks at the same time shares one answer, unless he asks for a new one", async () => {
	const { ask, runs } = source();
	await Promise.all([ask("a", 1_000), ask("a", 1_000), ask("a", 1_000)]);
	expect(runs()).toBe(1);
	await Promise.all([ask("a", 0), ask("a", 0)]);
	expect(runs()).toBe(3);
});

test("an answer that was asked for by one alone, and ends with him, is not what others wait for", async () => {
	const { recent, ask } = source();
	let leave: (error: Error) => void = () => undefined;
	const alone = recent.get("a", 0, () => new Promise((_, reject) => (leave = reject)), isAway);
	const others = ask("a", 1_000);
	leave(new Away());
	expect(await others).toMatchObject({ value: "answer 1", isFallback: false });
	await alone;
});

test("while its source is away the last answer is given and marked, for a while; any other error is told", async () => {
	const { ask, fail, pass } = source();
	await expect(fail(new Away())).rejects.toThrow(Away);
	await ask("a", 0);
	pass(60_000);
	expect(await fail(new Away())).toMatchObject({ value: "answer 1", at: 1_000_000, isFallback: true });
	await expect(fail(new TypeError("ours"))).rejects.toThrow("ours");
	pass(1);
	await expect(fail(new Away())).rejects.toThrow(Away);
});

test("the answers that were asked for least recently make room", async () => {
	const { ask, runs } = source();
	// Eleven bytes each, with key and quotes: two fit.
	for (const key of ["a", "b", "a", "c"]) await ask(key, 1_000);
	expect(runs()).toBe(3);
	await ask("a", 1_000);
	expect(runs()).toBe(3);
	await ask("b", 1_000);
	expect(runs()).toBe(4);
});
