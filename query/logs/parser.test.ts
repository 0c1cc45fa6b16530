import fc from "fast-check";
import { expect, test } from "vitest";
import { nodeArbitrary } from "../../tests/support/log-queries.ts";
import { type Node, print } from "./ast.ts";
import { LogQueryError } from "./lexer.ts";
import { parse } from "./parser.ts";

const word = (text: string, field = "message"): Node => ({ type: "match", field, value: { type: "word", text } });
const phrase = (text: string, field = "message"): Node => ({ type: "match", field, value: { type: "phrase", text } });
const and = (...children: Node[]): Node => ({ type: "and", children });
const or = (...children: Node[]): Node => ({ type: "or", children });
const not = (child: Node): Node => ({ type: "not", child });

test.each<[string, Node | undefined]>([
	["", undefined],
	["  ", undefined],
	["level:ERROR AND component:inference", and(word("ERROR", "level"), word("inference", "component"))],
	["a b c", and(word("a"), word("b"), word("c"))],
	["a OR b c AND d", or(word("a"), and(word("b"), word("c"), word("d")))],
	["NOT a b OR c", or(and(not(word("a")), word("b")), word("c"))],
	["NOT NOT a", not(not(word("a")))],
	["NOT (a OR b)", not(or(word("a"), word("b")))],
	["(a OR (b OR c))", or(word("a"), word("b"), word("c"))],
	["and or not", and(word("and"), word("or"), word("not"))],
	['"connection refused" x', and(phrase("connection refused"), word("x"))],
	['message:"say \\"hi\\" \\\\"', phrase('say "hi" \\')],
	['context.model:"llama3.2:latest"', phrase("llama3.2:latest", "context.model")],
	["context.model:llama3.2:latest", word("llama3.2:latest", "context.model")],
	["LEVEL:warn", word("warn", "level")],
	["level:(WARN OR NOT CRITICAL)", or(word("WARN", "level"), not(word("CRITICAL", "level")))],
	["12:30 http\\://x", and(word("12:30"), word("http://x"))],
	["o'brien a-b", and(word("o'brien"), word("a-b"))],
	[
		"component:inf*",
		{ type: "match", field: "component", value: { type: "pattern", parts: [{ literal: "inf" }, "*"] } },
	],
	[
		"d?t**a\\*",
		{
			type: "match",
			field: "message",
			value: { type: "pattern", parts: [{ literal: "d" }, "?", { literal: "t" }, "*", { literal: "a*" }] },
		},
	],
	[
		"context.n:[100 TO 500]",
		{
			type: "match",
			field: "context.n",
			value: { type: "range", min: "100", max: "500", minIncluded: true, maxIncluded: true },
		},
	],
	[
		"context.n:{100 TO 500]",
		{
			type: "match",
			field: "context.n",
			value: { type: "range", min: "100", max: "500", minIncluded: false, maxIncluded: true },
		},
	],
	[
		"context.n:[* TO 5}",
		{ type: "match", field: "context.n", value: { type: "range", max: "5", minIncluded: true, maxIncluded: false } },
	],
	[
		"context.n:>=-2.5",
		{ type: "match", field: "context.n", value: { type: "range", min: "-2.5", minIncluded: true, maxIncluded: true } },
	],
	[
		"context.n:< 7 x",
		and(
			{ type: "match", field: "context.n", value: { type: "range", max: "7", minIncluded: true, maxIncluded: false } },
			word("x"),
		),
	],
	[
		'context.at:["2026-01-01T10:00" TO 2026]',
		{
			type: "match",
			field: "context.at",
			value: { type: "range", min: "2026-01-01T10:00", max: "2026", minIncluded: true, maxIncluded: true },
		},
	],
])("%s", (text, tree) => {
	expect(parse(text)).toEqual(tree);
});

test.each<[string, number, RegExp]>([
	["level:ERROR AND (component:x", 16, /not closed/],
	["a)", 1, /not opened/],
	["a AND", 5, /ends/],
	["OR a", 0, /OR cannot/],
	["a OR OR b", 5, /OR cannot/],
	['"abc', 0, /quote/],
	["level:", 6, /value must follow/],
	["level: x", 6, /value must follow/],
	["colour:red", 0, /no field colour/],
	["context.n:[1 TO 2", 10, /range is not closed/],
	["context.n:[1 2]", 13, /a TO b/],
	["level:(a component:b)", 9, /no other field/],
	["level:>loud", 6, /no level/],
	["abc\\", 3, /backslash/],
	["()", 1, /cannot stand/],
	["context.n:>a*", 11, /wildcards/],
	[`${"(".repeat(101)}a`, 100, /nested/],
])("%s is refused at %i", (text, position, message) => {
	expect(() => parse(text)).toThrow(LogQueryError);
	expect(() => parse(text)).toThrow(message);
	try {
		parse(text);
	} catch (error) {
		expect((error as LogQueryError).position).toBe(position);
	}
});

test("whatever is sent, the parser answers a tree or its own error with a place in the text", () => {
	const pieces = fc.array(
		fc.oneof(
			fc.constantFrom(
				"AND",
				"OR",
				"NOT",
				"TO",
				"(",
				")",
				"[",
				"]",
				"{",
				"}",
				":",
				">",
				">=",
				"<",
				'"',
				"\\",
				"*",
				"?",
				" ",
				"level:",
				"context.a:",
				"&&",
				"||",
				"!",
			),
			fc.string({ unit: "grapheme" }),
		),
		{ maxLength: 30 },
	);
	fc.assert(
		fc.property(pieces, (list) => {
			const text = list.join("");
			try {
				const tree = parse(text);
				if (tree) expect(parse(print(tree))).toEqual(tree);
			} catch (error) {
				expect(error).toBeInstanceOf(LogQueryError);
				expect((error as LogQueryError).position).toBeGreaterThanOrEqual(0);
				expect((error as LogQueryError).position).toBeLessThanOrEqual(text.length);
			}
		}),
		{ numRuns: 3_000 },
	);
});

test("a tree that is printed parses to itself", () => {
	fc.assert(
		fc.property(nodeArbitrary, (tree) => {
			expect(parse(print(tree))).toEqual(tree);
		}),
		{ numRuns: 1_000 },
	);
});
