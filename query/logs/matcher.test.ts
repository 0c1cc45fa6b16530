import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { logArbitrary, matches, nodeArbitrary } from "../../tests/support/log-queries.ts";
import { insertLogs, type TestLog } from "../../tests/support/records.ts";
import { from, Params } from "../sql.ts";
import { type Node, print } from "./ast.ts";
import { fold, lowerAscii } from "./fold.ts";
import { MatchedLog, matcher } from "./matcher.ts";
import { parse } from "./parser.ts";
import { logPredicate } from "./sql.ts";
import { wildcards } from "./wildcards.ts";

const START = Date.parse("2026-11-01T00:00:00Z");

/** Where two engines of text are likely to disagree. */
const ODD: Omit<TestLog, "ts">[] = [
	{ message: "" },
	{ message: "5\u212a run", component: "\ud83d\ude80" },
	{ message: "\u039f\u0394\u039f\u03a3 \u0130stanbul stra\u00dfe STRASSE", component: "\uffee" },
	{ message: "a\u2028b\u0000c\nd", context: { s: { x: "\u2028\u0001/\b\u00e9" }, n: "inf" } },
	{ message: "don't panic", context: { n: "-Infinity", s: "" } },
	{ message: "\u0130 ss", context: { n: "nan", s: "none", a: [{ b: 1 }, "abc"] } },
	{ message: "x-1", context: { n: 1e21, s: 1.5e-7, a: { b: [] } } },
	{ message: "__proto__ constructor", context: { a: null, flag: { b: null } } },
	{ message: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", context: { n: " 5", s: "5.", "a.b": "" } },
	{ message: `${"long ".repeat(50)}timeout`, component: "timeout\n", trace_id: "4bf92f35" },
];
const LOGS: TestLog[] = [...ODD, ...fc.sample(logArbitrary, { numRuns: 200, seed: 11 })].map((log, i) => ({
	ts: START + i,
	...log,
}));
const SUBJECTS = LOGS.map(({ message, level, component, context, trace_id }) => {
	const texts = { message, level: level ?? "info", component: component ?? "", trace_id: trace_id ?? "", span_id: "" };
	return new MatchedLog({ ...texts, context: JSON.stringify(context ?? {}) });
});

let database: TestDatabase;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	await insertLogs(database.client, "p", LOGS);
});
afterAll(() => database?.stop());

async function bySql(node: Node | undefined): Promise<number[]> {
	const params = new Params();
	const result = await database.client.query({
		query: `SELECT toUInt32(id) AS id ${from("logs", logPredicate(params, node))} ORDER BY id`,
		query_params: { ...params.values, project: "p" },
		format: "JSONEachRow",
	});
	return (await result.json<{ id: number }>()).map(({ id }) => id);
}

function byMatcher(node: Node | undefined): number[] {
	const isMatch = matcher(node);
	return SUBJECTS.flatMap((log, i) => (isMatch(log) ? [i + 1] : []));
}

test("random queries pick the same of random logs here and in ClickHouse, and those that plain code picks", async () => {
	await fc.assert(
		fc.asyncProperty(nodeArbitrary, async (node) => {
			const picked = byMatcher(node);
			expect(picked, print(node)).toEqual(await bySql(node));
			const plain = LOGS.flatMap((log, i) => (i >= ODD.length && matches(node, log) ? [i + 1] : []));
			expect(
				picked.filter((id) => id > ODD.length),
				print(node),
			).toEqual(plain);
		}),
		{ numRuns: 300, seed: 3 },
	);
});

test.each([
	["", LOGS.length],
	["5k", 0],
	["5\u212a", 1],
	["5k?", 0],
	['"5k"', 0],
	["k*", 0],
	["i\u0307*", undefined],
	["\u0130*", undefined],
	["\u03bf\u03b4\u03bf\u03c3", 0],
	["\u03bf\u03b4\u03bf\u03c2", 1],
	['"\u03bf\u03b4\u03bf\u03c3"', undefined],
	["strasse", 1],
	['"STRASSE"', 1],
	["stra\u1e9ee", undefined],
	["component:?", undefined],
	["component:\u{1f680}", 1],
	["component:>\u{1f600}", 1],
	["component:>\uff00", 2],
	['component:""', undefined],
	["component:time*", 1],
	["component:timeout", 0],
	["trace_id:4bf9*", 1],
	["trace_id:[4 TO 5]", 1],
	['span_id:""', LOGS.length],
	["span_id:*", 0],
	["message:[a TO b}", undefined],
	["context.s.x:*u2028*", 0],
	["context.s:*u2028*", undefined],
	["context.s:*\\/*", 1],
	["context.n:>100000", undefined],
	["context.n:<-10000000000", 1],
	["context.n:1e21", 1],
	["context.n:*e*21", undefined],
	["context.s:[0 TO 1]", undefined],
	["context.s:5", 1],
	['context.s:""', undefined],
	["context.a.0.b:1", 0],
	["context.a.b:*", undefined],
	["context.a:null", 1],
	["context.a:*b*", undefined],
	["context.__proto__:*", 0],
	["context.constructor:*", 0],
	["context.toString:*", 0],
	['context.a.b:""', 1],
	["message:a?b?c*", 0],
	['"a\u2028B"', 1],
	["NOT *", undefined],
	["a*b", undefined],
	["a?*b", undefined],
	["don't", 1],
	["o't", 0],
	["level:>=warn AND NOT level:critical", undefined],
	["level:w*", undefined],
])("%s picks the same", async (text, n) => {
	const node = parse(text);
	const picked = byMatcher(node);
	expect(picked).toEqual(await bySql(node));
	if (n !== undefined) expect(picked).toHaveLength(n);
});

test("letters that are the same to the engine are the same here, and no others", async () => {
	const pairs: [string, string][] = [];
	for (let code = 0x41; code < 0x1f000; code++) {
		if (code >= 0xd800 && code < 0xe000) continue;
		const letter = String.fromCodePoint(code);
		for (const other of new Set([letter.toLowerCase(), letter.toUpperCase(), letter.normalize("NFKC")])) {
			if (other !== letter) pairs.push([letter, other]);
		}
	}
	const texts = pairs.map(([letter]) => `zq${letter}y`);
	const wrong: string[] = [];
	for (let i = 0; i < pairs.length; i += 500) {
		const result = await database.client.query({
			query: `SELECT arrayMap((text, letter) -> positionCaseInsensitiveUTF8(text, letter) > 0, {texts:Array(String)}, {letters:Array(String)}) AS same,
arrayMap(text -> lower(text), {texts:Array(String)}) AS ascii, arrayMap(text -> lowerUTF8(text), {texts:Array(String)}) AS lowered`,
			query_params: { texts: texts.slice(i, i + 500), letters: pairs.slice(i, i + 500).map(([, other]) => other) },
			format: "JSONEachRow",
		});
		const [row] = await result.json<{ same: number[]; ascii: string[]; lowered: string[] }>();
		row!.same.forEach((same, j) => {
			const [text, [letter, other]] = [texts[i + j]!, pairs[i + j]!];
			if (fold(text).includes(fold(other)) !== Boolean(same))
				wrong.push(`${letter} ${letter.codePointAt(0)!.toString(16)} ${other}`);
			if (lowerAscii(text) !== row!.ascii[j] || text.toLowerCase() !== row!.lowered[j]) wrong.push(letter);
		});
	}
	expect(wrong).toEqual([]);
});

test("patterns mean what the regular expression says", () => {
	const part = fc.constantFrom(
		"*" as const,
		"?" as const,
		{ literal: "a" },
		{ literal: "ab" },
		{ literal: "\u{1f680}" },
	);
	const parts = fc.array(part, { minLength: 1, maxLength: 40 });
	const text = fc
		.array(fc.constantFrom("a", "b", "\u{1f680}", " ", "-"), { maxLength: 60 })
		.map((list) => list.join(""));
	const word = "[0-9a-z\\u{80}-\\u{10FFFF}]";
	fc.assert(
		fc.property(parts, text, fc.boolean(), fc.boolean(), (pattern, given, before, after) => {
			const body = (any: string) => pattern.map((p) => (p === "*" ? `${any}*` : p === "?" ? any : p.literal)).join("");
			// Bounded, since this one is not linear.
			if (pattern.filter((p) => p === "*").length > 4) return;
			expect(wildcards(pattern, { within: "whole" })(given)).toBe(new RegExp(`^${body(".")}$`, "su").test(given));
			const edges = `${before ? `(?<!${word})` : ""}${body(word)}${after ? `(?!${word})` : ""}`;
			expect(wildcards(pattern, { within: "words", before, after })(given)).toBe(new RegExp(edges, "su").test(given));
		}),
		{ numRuns: 3_000, seed: 5 },
	);
});

test("a pattern that a backtracking search would never finish is answered", () => {
	const log = new MatchedLog({ ...SUBJECTS[0]!.texts, message: `${"a".repeat(60_000)}!` });
	expect(matcher(parse(`${"a*".repeat(200)}b`))(log)).toBe(false);
	expect(matcher(parse(`${"*a?".repeat(200)}c`))(log)).toBe(false);
	expect(matcher(parse(`${"a*".repeat(200)}a`))(log)).toBe(true);
});
