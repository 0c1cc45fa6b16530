/** For tests only: random queries, random logs, and what a query means in plain code. */
import fc from "fast-check";
import { join, type Node, type PatternPart, type Value } from "../../query/logs/ast.ts";
import type { TestLog } from "./records.ts";

const WORDS = [
	"timeout",
	"Model",
	"inference",
	"café",
	"CAFÉ",
	"db-25",
	"a_b",
	"o'brien",
	"日本語",
	"x",
	"404",
	"GET",
	"/v1/items",
	"Жук",
];
const text = fc.oneof(
	fc.constantFrom(...WORDS),
	fc.array(fc.constantFrom(...WORDS), { minLength: 2, maxLength: 3 }).map((words) => words.join(" ")),
	fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
);
const part: fc.Arbitrary<PatternPart> = fc.oneof(
	fc.constantFrom<PatternPart>("*", "?"),
	fc.constantFrom("time", "mod", "b", "inf", "é", "4", "語", ".").map((literal) => ({ literal })),
);
/** As the parser makes them: literals joined, stars single, at least one wildcard. */
const pattern = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts): Value => {
	const joined: PatternPart[] = [];
	for (const piece of parts) {
		const last = joined.at(-1);
		if (piece === "*" && last === "*") continue;
		if (typeof piece !== "string" && last !== undefined && typeof last !== "string") {
			joined[joined.length - 1] = { literal: last.literal + piece.literal };
		} else joined.push(piece);
	}
	return { type: "pattern", parts: joined.some((piece) => typeof piece === "string") ? joined : ["*", ...joined] };
});
const bound = fc.option(fc.constantFrom("1", "10", "404", "-2.5", "1e3", "abc"), { nil: undefined });
const range = fc.record({ min: bound, max: bound, minIncluded: fc.boolean(), maxIncluded: fc.boolean() }).map(
	({ min, max, minIncluded, maxIncluded }): Value => ({
		type: "range",
		...(min === undefined ? {} : { min }),
		...(max === undefined ? {} : { max }),
		minIncluded: min === undefined || minIncluded,
		maxIncluded: max === undefined || maxIncluded,
	}),
);
const plain = (texts: fc.Arbitrary<string>): fc.Arbitrary<Value> =>
	fc.oneof(
		texts.map((t): Value => ({ type: "word", text: t })),
		texts.map((t): Value => ({ type: "phrase", text: t })),
	);
const match: fc.Arbitrary<Node> = fc
	.oneof(
		{
			weight: 3,
			arbitrary: fc.tuple(fc.constant("message"), fc.oneof({ weight: 4, arbitrary: plain(text) }, pattern)),
		},
		fc.tuple(
			fc.constant("level"),
			fc.oneof(plain(fc.constantFrom("ERROR", "warn", "Warning", "info", "fatal", "none")), pattern),
		),
		fc.tuple(
			fc.constant("component"),
			fc.oneof(plain(fc.constantFrom("api", "API", "db", "inference", "поиск")), pattern, range),
		),
		fc.tuple(
			fc.constantFrom("context.n", "context.s", "context.a.b", "context.a", "context.flag", "context.none"),
			// A bare word is never empty, a quoted one may be.
			fc.oneof(
				plain(fc.constantFrom("1", "10", "404", "404.0", "true", "abc", "x:y")),
				fc.constant<Value>({ type: "phrase", text: "" }),
				pattern,
				range,
			),
		),
	)
	.map(([field, value]): Node => ({ type: "match", field, value }));

/** Trees as the parser makes them. */
export const nodeArbitrary: fc.Arbitrary<Node> = fc.letrec<{ node: Node }>((tie) => ({
	node: fc.oneof(
		{ maxDepth: 4, depthIdentifier: "node" },
		{ weight: 3, arbitrary: match },
		tie("node").map((child): Node => ({ type: "not", child })),
		fc
			.tuple(
				fc.constantFrom("and", "or"),
				fc.array(tie("node"), { minLength: 2, maxLength: 3, depthIdentifier: "node" }),
			)
			.map(([type, nodes]) => join(type as "and" | "or", nodes)),
	),
})).node;

export const logArbitrary: fc.Arbitrary<Omit<TestLog, "ts">> = fc.record({
	message: fc
		.array(
			fc.oneof(
				{ weight: 5, arbitrary: fc.constantFrom(...WORDS, "TIMEOUT", "remodel", "жук") },
				fc.string({ unit: "grapheme", maxLength: 5 }),
			),
			{ maxLength: 5 },
		)
		.chain((words) => fc.constantFrom(" ", " - ", "=", ", ").map((separator) => words.join(separator))),
	level: fc.constantFrom("debug", "info", "warning", "error", "critical"),
	component: fc.constantFrom("", "api", "db", "inference", "поиск"),
	context: fc.oneof(
		fc.constant({}),
		fc.record(
			{
				n: fc.oneof(fc.constantFrom<unknown>(1, 10, 404, -2.5, 1_000, "404", "abc", null), fc.integer()),
				s: fc.constantFrom("abc", "x:y", "1", "", "ABC"),
				flag: fc.boolean(),
				a: fc.oneof(fc.record({ b: fc.constantFrom<unknown>(1, "abc", 404) }), fc.constant(7)),
				"a.b": fc.constantFrom<unknown>(10, "x:y"),
			},
			{ requiredKeys: [] },
		),
	),
});

/** Whether a log matches, without SQL. */
export function matches(node: Node | undefined, log: Omit<TestLog, "ts">): boolean {
	if (!node) return true;
	switch (node.type) {
		case "and":
			return node.children.every((child) => matches(child, log));
		case "or":
			return node.children.some((child) => matches(child, log));
		case "not":
			return !matches(node.child, log);
		case "match":
			return matchesField(node.field, node.value, log);
	}
}

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const ALIASES: Record<string, string> = { warn: "warning", fatal: "critical" };

function matchesField(field: string, value: Value, log: Omit<TestLog, "ts">): boolean {
	if (field === "message") return matchesMessage(value, log.message);
	if (field === "level") {
		const level = log.level ?? "info";
		if (value.type === "pattern") return wild(value.parts, level, true);
		if (value.type === "range") return inRange(value, LEVELS.indexOf(level), (bound) => LEVELS.indexOf(bound));
		return level === (ALIASES[value.text.toLowerCase()] ?? value.text.toLowerCase());
	}
	if (!field.startsWith("context.")) return matchesText(value, log.component ?? "");
	const text = contextText(log.context ?? {}, field.slice("context.".length));
	return text !== undefined && matchesContext(value, text);
}

const WORD = "[0-9a-z\\u{80}-\\u{10FFFF}]";
const escaped = (literal: string) => literal.replace(/[\\^$.|?*+()[\]{}/]/g, "\\$&");

function matchesMessage(value: Value, message: string): boolean {
	const lower = message.toLowerCase();
	switch (value.type) {
		case "phrase":
			return lower.includes(value.text.toLowerCase());
		case "range":
			return matchesText(value, message);
		case "word":
			return wholeWords([{ literal: value.text }], lower);
		case "pattern":
			return value.parts.length === 1 && value.parts[0] === "*" ? message !== "" : wholeWords(value.parts, lower);
	}
}

function wholeWords(parts: readonly PatternPart[], lower: string): boolean {
	const body = parts
		.map((p) => (p === "*" ? `${WORD}*` : p === "?" ? WORD : escaped(p.literal.toLowerCase())))
		.join("");
	const isWord = (p: PatternPart, c: (literal: string) => string) =>
		typeof p === "string" || new RegExp(`^${WORD}$`, "u").test(c(p.literal.toLowerCase()));
	const before = isWord(parts[0]!, (literal) => [...literal][0]!) ? `(?<!${WORD})` : "";
	const after = isWord(parts.at(-1)!, (literal) => [...literal].at(-1)!) ? `(?!${WORD})` : "";
	return new RegExp(before + body + after, "su").test(lower);
}

function wild(parts: readonly PatternPart[], text: string, lower = false): boolean {
	if (parts.length === 1 && parts[0] === "*") return text !== "";
	const body = parts.map((p) =>
		p === "*" ? ".*" : p === "?" ? "." : escaped(lower ? p.literal.toLowerCase() : p.literal),
	);
	return new RegExp(`^${body.join("")}$`, "su").test(text);
}

function matchesText(value: Value, text: string): boolean {
	if (value.type === "pattern") return wild(value.parts, text);
	if (value.type !== "range") return text === value.text;
	return text !== "" && inRange(value, Buffer.from(text), (bound) => Buffer.from(bound));
}

function inRange<T>(range: Value & { type: "range" }, at: T, of: (bound: string) => T): boolean {
	const compare = (a: T, b: T) => (a instanceof Buffer ? a.compare(b as Buffer) : (a as number) - (b as number));
	if (range.min !== undefined && compare(at, of(range.min)) < (range.minIncluded ? 0 : Number.MIN_VALUE)) return false;
	return range.max === undefined || compare(at, of(range.max)) <= (range.maxIncluded ? 0 : -Number.MIN_VALUE);
}

function contextText(context: Readonly<Record<string, unknown>>, path: string): string | undefined {
	const nested = path.split(".").reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), context);
	const found = nested === undefined ? context[path] : nested;
	return found === undefined ? undefined : typeof found === "string" ? found : JSON.stringify(found);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function matchesContext(value: Value, text: string): boolean {
	if (value.type === "pattern") return wild(value.parts, text);
	const asNumber = NUMBER.test(text) ? Number(text) : undefined;
	if (value.type !== "range") {
		return text === value.text || (NUMBER.test(value.text) && asNumber === Number(value.text));
	}
	const bounds = [value.min, value.max].filter((bound) => bound !== undefined);
	if (!bounds.every((bound) => NUMBER.test(bound))) return matchesText(value, text);
	if (bounds.length === 0) return text !== "";
	return asNumber !== undefined && inRange(value, asNumber, Number);
}
