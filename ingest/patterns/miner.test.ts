import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { REST, unify } from "../../schema/log-patterns.ts";
import { MOST_TEMPLATES, PatternMiner, type ProjectPatterns, patternId } from "./miner.ts";

const newProject = () => new PatternMiner().of("p");

function mined(patterns: ProjectPatterns, line: string, day = 1): string {
	const bytes = Buffer.from(line);
	const pattern = patterns.mine(bytes, 0, bytes.length, day);
	// As the batch does that announces it.
	pattern.announced = day;
	return pattern.template;
}

/** Lines of programs that print names, words out of few, and numbers. */
const word = fc.constantFrom(..."ada bob cy dora emil fay gus hana ivo jo kim lea max nia otto pia".split(" "));
const state = fc.constantFrom("opened", "closed", "resumed");
const line = fc.oneof(
	fc.tuple(word, fc.nat(99)).map(([name, n]) => `user ${name} logged in from host ${n}`),
	fc.tuple(state, word).map(([how, name]) => `session ${how} for user ${name} by root`),
	fc.tuple(word, word).map(([a, b]) => `copy from ${a} to ${b} is done`),
	fc.tuple(word, fc.constantFrom("x1", "y")).map(([a, b]) => `disk ${a} of pool ${b} is full`),
	fc.nat(9).map((n) => `took ${n} ms`),
	state,
	fc.string({ unit: fc.constantFrom("a", "b", " ", "1", "<", "*", ">", "…", "/"), maxLength: 12 }),
);
const someLines = fc.array(line, { minLength: 1, maxLength: 400 });
const RUNS = { seed: 5, numRuns: 60 };

describe("words of a place", () => {
	const templates = (lines: readonly string[]) => {
		const patterns = newProject();
		const found = lines.map((each) => mined(patterns, each));
		const one = unify(found);
		return [...new Set(found.map((template) => one.get(template)!))];
	};

	test("are a wildcard when there are many of them", () => {
		const names = "ada bob cy dora emil fay".split(" ");
		expect(templates(names.map((name) => `user ${name} logged in from web`))).toEqual(["user <*> logged in from web"]);
	});

	test("are what tells statements apart when there are few", () => {
		const lines = ["opened", "closed", "resumed", "paused"].map((how) => `session ${how} for its user`);
		expect(templates(lines)).toEqual(lines);
	});

	test("are a wildcard sooner where values were masked too", () => {
		const lines = ["r2d2", "bob", "cy", "dora"].map((name) => `user ${name} logged in from web`);
		expect(templates(lines)).toEqual(["user <*> logged in from web"]);
	});

	test("say everything where nothing else is constant", () => {
		const lines = "ada bob cy dora emil fay gus hana ivo jo kim lea max".split(" ");
		expect(templates(lines)).toEqual(lines);
	});
});

test("a restart at any line changes no pattern of the lines after it", () => {
	fc.assert(
		fc.property(someLines, fc.nat(400), fc.integer(), (lines, at, seed) => {
			const whole = newProject();
			const found = lines.map((each) => mined(whole, each));
			const before = newProject();
			const announced = new Set(lines.slice(0, at).map((each) => mined(before, each)));
			const after = newProject();
			// In whatever order they come back.
			for (const template of [...announced].sort((a, b) => rank(a, seed) - rank(b, seed))) after.know(template, 1);
			expect(lines.slice(at).map((each) => mined(after, each))).toEqual(found.slice(at));
		}),
		RUNS,
	);
});

test("lines that two processes share in any way are counted alike, whoever took them and in whatever order they are read", () => {
	fc.assert(
		fc.property(
			someLines,
			fc.array(fc.boolean(), { minLength: 400, maxLength: 400 }),
			fc.integer(),
			(lines, whose, seed) => {
				const processes = [newProject(), newProject()];
				const found = lines.map((each, i) => mined(processes[whose[i] ? 1 : 0]!, each));
				const one = unify(found);
				const shuffled = unify([...new Set(found)].sort((a, b) => rank(a, seed) - rank(b, seed)));
				expect(new Map([...one].sort())).toEqual(new Map([...shuffled].sort()));
				// A line is of one pattern, also when both took it, before and after they knew better.
				const byLine = new Map<string, string>();
				for (const [i, each] of lines.entries()) {
					const template = one.get(found[i]!)!;
					expect(byLine.get(each) ?? template).toBe(template);
					byLine.set(each, template);
				}
			},
		),
		RUNS,
	);
});

/** Some order of texts. */
function rank(text: string, seed: number): number {
	const { high } = patternId(`${seed} ${text}`);
	return high;
}

describe("a project that logs nothing twice", () => {
	const letters = (n: number) => n.toString(36).replace(/\d/g, (digit) => String.fromCharCode(0x41 + Number(digit)));
	const unique = (i: number) => Array.from({ length: 3 + (i % 9) }, (_, k) => letters(i * 31 + k * 7_919)).join(" ");

	test("has a bounded number of patterns, and the rest of its lines are in few", () => {
		const patterns = newProject();
		const found = new Set<string>();
		for (let i = 0; i < 30_000; i++) found.add(mined(patterns, unique(i)));
		// A template may bring along what follows from it.
		expect(patterns.size).toBeLessThan(MOST_TEMPLATES + 64);
		expect(found.size).toBeLessThan(MOST_TEMPLATES + 64 + 256 + 1);
		expect(found.has(REST)).toBe(true);
	});

	test("keeps patterns that it knew, and learns new ones when old ones were not seen for a day", () => {
		const patterns = newProject();
		const known = "this one comes every day";
		for (let i = 0; i < 4_000; i++) mined(patterns, unique(i), 1);
		expect(mined(patterns, "and this one is new", 1)).toContain(REST);
		patterns.know(known, 2);
		expect(mined(patterns, "as is this one", 3)).toBe("as is this one");
		expect(mined(patterns, "and this one is new", 3)).toBe("and this one is new");
		expect(mined(patterns, known, 3)).toBe(known);
		expect(patterns.size).toBeLessThan(10);
	});
});

test("free text in a template does not use up the room of others", () => {
	const letters = (n: number) => n.toString(36).replace(/\d/g, (digit) => String.fromCharCode(0x41 + Number(digit)));
	const patterns = newProject();
	for (let i = 0; i < 5_000; i++) {
		const [a, b] = [letters(i * 31 + 7), letters(i * 7_919 + 3)];
		for (const each of [`chat message ${a} ${b} end`, `${b} says hello to ${a}`, `${a} ${b}`]) mined(patterns, each);
	}
	expect(mined(patterns, "chat message quite new end")).toBe("chat message <*> <*> end");
	expect(mined(patterns, "Joe says hello to Jim")).toBe("<*> says hello to <*>");
	const size = patterns.size;
	for (let i = 0; i < 100; i++) mined(patterns, `chat message ${letters(i * 977)} ${letters(i * 1_013)} end`);
	expect(patterns.size).toBe(size);
});

test("an id is made of its template alone, and is never that of no pattern", () => {
	expect(patternId("user <*> logged in")).toEqual(patternId("user <*> logged in"));
	const ids = Array.from({ length: 1_000 }, (_, i) => patternId(`template ${i}`));
	expect(new Set(ids.map(({ high, low }) => `${high} ${low}`)).size).toBe(1_000);
	expect(patternId("took <#>")).toEqual({ high: 3_415_186_089, low: 4_288_894_382 });
});
