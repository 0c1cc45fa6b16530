import fc from "fast-check";
import { expect, test } from "vitest";
import { type SseMessage, SseParser } from "./sse.ts";

/** A message as a server may write it, and as it must be read. */
interface Written {
	text: string;
	read: SseMessage | undefined;
}

const NAME = fc.constantFrom("", "metric_update", "gap", "log: x");
const LINE = fc
	.array(fc.constantFrom("a", " ", ":", "é", "🚀", "\u2028", '{"x":1}', "\0"), { maxLength: 5 })
	.map((pieces) => pieces.join(""));
const message = fc.record({
	event: fc.option(NAME, { nil: undefined }),
	data: fc.option(fc.array(LINE, { maxLength: 3 }), { nil: undefined }),
	id: fc.option(fc.constantFrom("1", "a.b:c", ""), { nil: undefined }),
	comment: fc.option(LINE, { nil: undefined }),
	junk: fc.constantFrom("", "retry: soon", "data2: x", "id: a\0b", "retry: 250", ": ping"),
	space: fc.boolean(),
});
const eol = fc.constantFrom("\n", "\r", "\r\n");

/** The stream of these messages, and what is to be read from it: written down independently of the parser. */
function write(messages: readonly (typeof message extends fc.Arbitrary<infer M> ? M : never)[], end: string) {
	let id = "";
	const written = messages.map((one): Written => {
		const colon = one.space ? ": " : ":";
		// Without a space of ours, a value's own first space would be taken for it.
		const value = (text: string) => (one.space || !text.startsWith(" ") ? text : `_${text}`);
		const lines: string[] = [];
		if (one.comment !== undefined) lines.push(`:${one.comment}`);
		if (one.junk) lines.push(one.junk);
		if (one.event !== undefined) lines.push(`event${colon}${value(one.event)}`);
		for (const line of one.data ?? []) lines.push(`data${colon}${value(line)}`);
		if (one.id !== undefined) {
			lines.push(one.id === "" ? "id" : `id${colon}${one.id}`);
			id = one.id;
		}
		const text = `${[...lines, ""].join(end)}${end}`;
		if (one.data === undefined || one.data.length === 0)
			return { text: lines.length === 0 ? end : text, read: undefined };
		const event = one.event ? value(one.event) : "message";
		return { text, read: { event, data: one.data.map(value).join("\n"), id } };
	});
	return { text: written.map(({ text }) => text).join(""), read: written.flatMap(({ read }) => read ?? []), id };
}

test("however a stream is cut into pieces, its messages are the same", () => {
	const cuts = fc.array(fc.nat(400), { maxLength: 20 });
	fc.assert(
		fc.property(fc.array(message, { maxLength: 6 }), eol, cuts, fc.boolean(), (messages, end, at, marked) => {
			const { text, read, id } = write(messages, end);
			const stream = (marked ? "\ufeff" : "") + text;
			const parser = new SseParser();
			const edges = [0, ...at.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length];
			const found = edges.flatMap((edge, i) => (i === 0 ? [] : parser.feed(stream.slice(edges[i - 1], edge))));
			expect(found).toEqual(read);
			expect(parser.lastEventId).toBe(id);
		}),
		{ numRuns: 2_000, seed: 1 },
	);
});

test("one character at a time, with every end of line", () => {
	for (const end of ["\n", "\r", "\r\n"]) {
		const parser = new SseParser();
		const text = [
			"\ufeff: hello",
			"event: gap",
			"id: 7",
			'data: {"a":',
			"data: 1}",
			"retry: 1500",
			"",
			"data",
			"",
			"",
		].join(end);
		expect([...text].flatMap((character) => parser.feed(character))).toEqual([
			{ event: "gap", data: '{"a":\n1}', id: "7" },
			{ event: "message", data: "", id: "7" },
		]);
		expect(parser.retryMs).toBe(1500);
	}
});

test("what the server did not finish is no message", () => {
	const parser = new SseParser("3");
	expect(parser.feed("id: 4\ndata: half")).toEqual([]);
	expect(parser.lastEventId).toBe("3");
});

test("an id may come alone, and stays for the messages after it", () => {
	const parser = new SseParser();
	expect(parser.feed("id: 9\n\n")).toEqual([]);
	expect(parser.lastEventId).toBe("9");
	expect(parser.feed("data: x\n\n")).toEqual([{ event: "message", data: "x", id: "9" }]);
});

test("a message without end is refused, a stream of comments is not", () => {
	const parser = new SseParser();
	const comment = `:${"x".repeat(2 ** 20)}\n`;
	for (let i = 0; i < 20; i++) expect(parser.feed(comment)).toEqual([]);
	const line = "y".repeat(2 ** 20);
	expect(() => {
		for (let i = 0; i < 20; i++) parser.feed(`data: ${line}\n`);
	}).toThrow(RangeError);
});
