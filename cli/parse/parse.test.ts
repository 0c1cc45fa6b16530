import fc from "fast-check";
import { expect, test } from "vitest";
import { createParser, detectFormat } from "../detect.ts";
import { findLevel } from "./level.ts";
import type { Parsed, SourceLine } from "./record.ts";
import { parseSyslog } from "./syslog.ts";
import { bracketedTime, leadingTime } from "./time.ts";

const REFERENCE = Date.parse("2024-01-20T00:00:00Z");
const FORMATS = ["ndjson", "syslog", "plain"] as const;

function lines(text: string): SourceLine[] {
	let offset = 0;
	return text.split("\n").map((line, index) => {
		const at = offset;
		offset += Buffer.byteLength(line) + 1;
		return { text: line, number: index + 1, offset: at };
	});
}

function parse(format: (typeof FORMATS)[number], text: string, options: object = {}): Parsed[] {
	const parser = createParser(format, { referenceMs: REFERENCE, ...options });
	return [...lines(text).flatMap((line) => parser.push(line)), ...parser.end()];
}

function records(found: Parsed[]): Record<string, unknown>[] {
	return found.map((one) => ("json" in one ? JSON.parse(one.json) : { problem: one.problem, line: one.line }));
}

const utc = (text: string) => Date.parse(text);
const local = (...parts: [number, number, number, number, number, number, number?]) => new Date(...parts).getTime();

test.each([
	["2024-01-15T10:30:00Z rest", utc("2024-01-15T10:30:00Z"), " rest"],
	["2024-01-15T10:30:00.123456+05:45 rest", utc("2024-01-15T04:45:00.123Z"), " rest"],
	["2024-01-15 10:30:00,250 rest", local(2024, 0, 15, 10, 30, 0, 250), " rest"],
	["2024/01/15 10:30:00 [error] 7#7: x", local(2024, 0, 15, 10, 30, 0), " [error] 7#7: x"],
	["[2024-01-15 10:30:00 -0500] rest", utc("2024-01-15T15:30:00Z"), " rest"],
	["2024-01-15 10:30:00.123 UTC [12] LOG: x", utc("2024-01-15T10:30:00.123Z"), " [12] LOG: x"],
	["[15/Jan/2024:10:30:00 +0100] x", utc("2024-01-15T09:30:00Z"), " x"],
	["[Mon Jan 15 10:30:00.123456 2024] [core:error] x", local(2024, 0, 15, 10, 30, 0, 123), " [core:error] x"],
	["Jan 15 10:30:00 host x", local(2024, 0, 15, 10, 30, 0), " host x"],
	["Jan  5 10:30:00 host x", local(2024, 0, 5, 10, 30, 0), " host x"],
	["Dec 31 23:59:59 host x", local(2023, 11, 31, 23, 59, 59), " host x"],
	["I0115 10:30:00.5 12 file.go:1] x", local(2024, 0, 15, 10, 30, 0, 500), " 12 file.go:1] x"],
	["1705314600 x", 1705314600000, " x"],
	["1705314600.25 x", 1705314600250, " x"],
	["1705314600123 x", 1705314600123, " x"],
])("the time of %j", (text, ms, rest) => {
	const found = leadingTime(text, REFERENCE);
	expect(found?.ms).toBe(ms);
	expect(text.slice(found?.end)).toBe(rest);
});

test.each([
	"",
	"2024-13-15T10:30:00Z x",
	"2024-02-30T10:30:00Z x",
	"2024-01-15T25:30:00Z x",
	"20240115 x",
	"12345 things",
	"17053146001234567 x",
	"Foo 15 10:30:00 x",
	"at com.example.Main(Main.java:15)",
])("no time in %j", (text) => expect(leadingTime(text, REFERENCE)).toBeUndefined());

test("a time is read back, whatever it is, in every format that has all of it", () => {
	fc.assert(
		fc.property(fc.date({ min: new Date("1990-01-01"), max: new Date("2099-12-31"), noInvalidDate: true }), (date) => {
			const iso = date.toISOString();
			expect(leadingTime(`${iso} x`, REFERENCE)?.ms).toBe(date.getTime());
			expect(leadingTime(`[${iso.replace("T", " ")}] x`, REFERENCE)?.ms).toBe(date.getTime());
			const seconds = Math.floor(date.getTime() / 1000) * 1000;
			const [, month] = date.toUTCString().match(/, \d\d (\w{3})/)!;
			const clf = `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
			expect(bracketedTime(`127.0.0.1 - - [${clf}] "GET / HTTP/1.1"`, REFERENCE)?.ms).toBe(seconds);
		}),
	);
});

test("a time without a year is never more than a day ahead of the file, nor more than a year before", () => {
	fc.assert(
		fc.property(
			fc.integer({ min: 0, max: 363 }),
			fc.date({ min: new Date("2001-01-01"), max: new Date("2090-01-01"), noInvalidDate: true }),
			(ago, file) => {
				const written = new Date(file.getTime() - ago * 86_400_000);
				// Noon is an hour that no clock change repeats.
				written.setHours(12);
				const month = written.toLocaleString("en", { month: "short" });
				const clock = written.toTimeString().slice(0, 8);
				const text = `${month} ${String(written.getDate()).padStart(2)} ${clock} host x`;
				expect(leadingTime(text, file.getTime())?.ms).toBe(Math.floor(written.getTime() / 1000) * 1000);
			},
		),
	);
});

test.each([
	["[main] WARN com.example - slow", "warning"],
	["ERROR: no", "error"],
	["[error] 7#7: x", "error"],
	["error: cannot open", "error"],
	["level=fatal msg=x", "critical"],
	["SEVERE x", "error"],
	["[core:error] [pid 7] AH01", undefined],
	["no error was found", undefined],
	["an INFORMATIONAL talk", undefined],
	[`${"x".repeat(100)} ERROR`, undefined],
])("the level of %j is %s", (text, level) => expect(findLevel(text)).toBe(level));

test("lines of a plain log become records, and a stack trace goes with its line", () => {
	const found = parse(
		"plain",
		[
			"2024-01-15 10:30:00,123 ERROR [main] Request failed",
			"java.lang.IllegalStateException: no",
			"\tat com.example.Main.run(Main.java:15)",
			"Caused by: java.io.IOException: broken",
			"\t... 12 more",
			"2024-01-15 10:30:01,000 INFO [main] Back again",
			"",
		].join("\n"),
	);
	expect(records(found)).toEqual([
		{
			type: "log",
			level: "error",
			timestamp: local(2024, 0, 15, 10, 30, 0, 123),
			message:
				"ERROR [main] Request failed\njava.lang.IllegalStateException: no\n\tat com.example.Main.run(Main.java:15)\nCaused by: java.io.IOException: broken\n\t... 12 more",
		},
		{ type: "log", level: "info", timestamp: local(2024, 0, 15, 10, 30, 1), message: "INFO [main] Back again" },
	]);
	expect(found.map((one) => one.line)).toEqual([1, 6]);
});

test("a log without times keeps its lines apart, and indented ones together", () => {
	const found = parse("plain", "first\nTypeError: x is not a function\n    at main (a.js:1:1)\nlast", {
		component: "shop",
	});
	expect(records(found)).toEqual([
		{ type: "log", component: "shop", message: "first" },
		{ type: "log", component: "shop", message: "TypeError: x is not a function\n    at main (a.js:1:1)" },
		{ type: "log", component: "shop", message: "last" },
	]);
});

test.each([
	[
		'127.0.0.1 - - [15/Jan/2024:10:30:00 +0000] "GET / HTTP/1.1" 200',
		{
			timestamp: utc("2024-01-15T10:30:00Z"),
			message: '127.0.0.1 - - [15/Jan/2024:10:30:00 +0000] "GET / HTTP/1.1" 200',
		},
	],
	[
		'time="2024-01-15T10:30:00Z" level=warning msg="disk is filling"',
		{
			timestamp: utc("2024-01-15T10:30:00Z"),
			level: "warning",
			message: 'time="2024-01-15T10:30:00Z" level=warning msg="disk is filling"',
		},
	],
	[
		"E0115 10:30:00.5   12 file.go:1] failed",
		{ timestamp: local(2024, 0, 15, 10, 30, 0, 500), level: "error", message: "12 file.go:1] failed" },
	],
	["INFO 2024-01-15T10:30:00Z started", { timestamp: utc("2024-01-15T10:30:00Z"), level: "info", message: "started" }],
	[
		"[WARN] [2024-01-15 10:30:00 +0000] slow",
		{ timestamp: utc("2024-01-15T10:30:00Z"), level: "warning", message: "slow" },
	],
	[
		"2024-01-15T10:30:00Z - app - DEBUG - x",
		{ timestamp: utc("2024-01-15T10:30:00Z"), level: "debug", message: "app - DEBUG - x" },
	],
])("plain: %s", (line, record) => expect(records(parse("plain", line))).toEqual([{ type: "log", ...record }]));

test.each([
	[
		"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \uFEFF'su root' failed",
		{
			message: "'su root' failed",
			level: "critical",
			component: "su",
			timestamp: "2003-10-11T22:14:15.003Z",
			context: { host: "mymachine.example.com", message_id: "ID47", facility: "auth" },
		},
	],
	[
		'<165>1 2003-10-11T22:14:15.003Z host evntslog 77 ID47 [ex@32473 iut="3" q="a\\"b\\]c"][x@1] An event',
		{
			message: "An event",
			level: "info",
			component: "evntslog",
			timestamp: "2003-10-11T22:14:15.003Z",
			context: {
				host: "host",
				pid: "77",
				message_id: "ID47",
				facility: "local4",
				structured_data: { "ex@32473": { iut: "3", q: 'a"b]c' }, "x@1": {} },
			},
		},
	],
	[
		"<165>1 - - - - - -",
		{ message: "", level: "info", component: undefined, timestamp: undefined, context: { facility: "local4" } },
	],
	[
		"<13>Jan 15 10:30:00 host sshd[77]: Failed password",
		{
			message: "Failed password",
			level: "info",
			component: "sshd",
			timestamp: local(2024, 0, 15, 10, 30, 0),
			context: { host: "host", pid: "77", facility: "user" },
		},
	],
	[
		"Jan 15 10:30:00 host kernel: oops",
		{
			message: "oops",
			level: undefined,
			component: "kernel",
			timestamp: local(2024, 0, 15, 10, 30, 0),
			context: { host: "host" },
		},
	],
	[
		"2024-01-15T10:30:00.123456+00:00 host CRON[5]: (root) CMD",
		{
			message: "(root) CMD",
			level: undefined,
			component: "CRON",
			timestamp: utc("2024-01-15T10:30:00.123Z"),
			context: { host: "host", pid: "5" },
		},
	],
])("syslog: %s", (line, record) => expect(parseSyslog(line, REFERENCE)).toEqual(record));

test.each([
	"",
	"<999>1 - - - - - -",
	"<13>",
	"<13>1 yesterday h a p m - x",
	"<13>1 - h a p m [broken x",
	"hello world",
	"2024-01-15 10:30:00 INFO x",
	"2024-01-15T10:30:00Z WARN pool: slow",
	"2024-01-15 10:30:00 server pool: slow",
	"2024/01/15 10:30:00 server pool: slow",
])("not syslog: %j", (line) => expect(parseSyslog(line, REFERENCE)).toBeUndefined());

test("what RFC 5424 can say is read back", () => {
	const word = fc.stringMatching(/^[!-~]{1,20}$/).filter((text) => text !== "-");
	const name = fc.stringMatching(/^[a-z@0-9.]{1,20}$/);
	const data = fc.dictionary(name, fc.dictionary(name, fc.string({ unit: "grapheme" })), {
		maxKeys: 3,
		noNullPrototype: true,
	});
	fc.assert(
		fc.property(
			fc.nat(191),
			word,
			word,
			word,
			data,
			fc.string({ unit: "grapheme" }),
			(priority, host, app, pid, elements, message) => {
				fc.pre(!message.startsWith("\uFEFF"));
				const text = Object.entries(elements)
					.map(
						([id, values]) =>
							`[${id}${Object.entries(values)
								.map(([key, value]) => ` ${key}="${value.replace(/["\\\]]/g, "\\$&")}"`)
								.join("")}]`,
					)
					.join("");
				const line = `<${priority}>1 2024-01-15T10:30:00Z ${host} ${app} ${pid} - ${text || "-"} ${message}`;
				const found = parseSyslog(line, REFERENCE);
				expect(found).toMatchObject({ message, component: app, context: { host, pid } });
				const read = (found?.context?.structured_data ?? {}) as Record<string, Record<string, string>>;
				expect(JSON.parse(JSON.stringify(read))).toEqual(elements);
			},
		),
	);
});

test("Tidemark's own records go on as they are, to the last digit", () => {
	const own = [
		'{"type":"metric","name":"n","value":1,"timestamp":1705314600123456789}',
		'{"type":"event","event":"e"}',
		'{"type":"log","message":"m","level":"info"}',
		'{"type":"error","error_type":"E"}',
	];
	expect(parse("ndjson", own.join("\n")).map((one) => "json" in one && one.json)).toEqual(own);
});

test("records without a type get the one that is given, or that they show", () => {
	const found = parse(
		"ndjson",
		' {"name":"n","value":12345678901234567890}\n{"event":"e"}\n{"error_message":"m","error_type":"E"}',
	);
	expect(found.map((one) => "json" in one && one.json)).toEqual([
		'{"type":"metric","name":"n","value":12345678901234567890}',
		'{"type":"event","event":"e"}',
		'{"type":"error","error_message":"m","error_type":"E"}',
	]);
	expect(records(parse("ndjson", '{"name":"n"}\n{}\n{"type":"x","value":1}', { type: "metric" }))).toEqual([
		{ type: "metric", name: "n" },
		{ type: "metric" },
		{ type: "metric", value: 1 },
	]);
});

test.each([
	[
		"pino",
		'{"level":50,"time":1705314600123,"pid":7,"name":"shop","msg":"no stock"}',
		{ message: "no stock", level: "error", timestamp: 1705314600123, component: "shop", context: { pid: 7 } },
	],
	[
		"zap",
		'{"level":"warn","ts":1705314600.5,"logger":"api","msg":"slow","took":3}',
		{ message: "slow", level: "warning", timestamp: 1705314600.5, component: "api", context: { took: 3 } },
	],
	[
		"ECS",
		'{"@timestamp":"2024-01-15T10:30:00.000Z","log.level":"ERROR","message":"x","trace.id":"t"}',
		{ message: "x", level: "error", timestamp: "2024-01-15T10:30:00.000Z", trace_id: "t" },
	],
	[
		"a logger with a type of its own",
		'{"type":"error","message":"x","level":"error","code":7}',
		{ message: "x", level: "error", context: { type: "error", code: 7 } },
	],
	["no message at all", '{"a":1}', { message: '{"a":1}' }],
])("JSON logs: %s", (_, line, record) => expect(records(parse("ndjson", line))).toEqual([{ type: "log", ...record }]));

test("a line that is not JSON is told with its number, and its neighbours are kept", () => {
	expect(records(parse("ndjson", '{"event":"a"}\n{"event":\n[1]\n\n{"event":"b"}'))).toEqual([
		{ type: "event", event: "a" },
		{ problem: "not a JSON object", line: 2 },
		{ problem: "not a JSON object", line: 3 },
		{ type: "event", event: "b" },
	]);
});

test.each([
	["ndjson", '{"event":"a"}\nbroken\n{"event":"b"}'],
	["syslog", "Jan 15 10:30:00 host kernel: a\n<13>1 - h a - - - b\n"],
	["plain", "2024-01-15 10:30:00 INFO a\n2024-01-15 10:30:01 INFO b"],
	["plain", ""],
])("a file that looks like %s is taken for it", (format, text) => {
	expect(detectFormat(lines(text), REFERENCE)).toBe(format);
});

test("no text makes a parser throw, lose its place, or give what is not a record", () => {
	const piece = fc.oneof(
		fc.string({ unit: "binary" }),
		fc.constantFrom(
			"2024-01-15 10:30:00 ",
			"<13>1 ",
			"Jan 15 10:30:00 h t: ",
			'{"type":"log"',
			"[",
			"\tat x",
			"\n",
			"\n\n",
		),
	);
	fc.assert(
		fc.property(fc.constantFrom(...FORMATS), fc.array(piece), (format, pieces) => {
			const found = parse(format, pieces.join(""));
			const numbers = found.map((one) => one.line);
			expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
			for (const one of found) if ("json" in one) expect(typeof JSON.parse(one.json).type).toBe("string");
		}),
	);
});

test("a plain log without times loses no text", () => {
	const line = fc.stringMatching(/^[\ta-z ]{0,30}$/);
	fc.assert(
		fc.property(fc.array(line), (all) => {
			const text = records(parse("plain", all.join("\n")))
				.map(({ message }) => message)
				.join("\n");
			const shown = (value: string) => value.split("\n").filter((one) => one.trim() !== "");
			expect(shown(text).map((one) => one.trimEnd())).toEqual(shown(all.join("\n")).map((one) => one.trimEnd()));
		}),
	);
});

test("joining ends at the limit of a message, and what follows keeps time and level", () => {
	const found = records(parse("plain", `2024-01-15T10:30:00Z ERROR x\n${`${"y".repeat(999)}\n`.repeat(100)}`));
	expect(found.length).toBe(2);
	for (const record of found) {
		expect(record).toMatchObject({ level: "error", timestamp: utc("2024-01-15T10:30:00Z") });
		expect(String(record.message).length).toBeLessThanOrEqual(60_100);
	}
});
