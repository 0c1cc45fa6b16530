import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BodyFormat } from "../body.ts";
import { Intake } from "../intake.ts";
import type { Journal } from "../journal/journal.ts";
import { KnownIssues } from "../known-issues.ts";
import { Ledger } from "../ledger.ts";
import { decodeBlock } from "../native/decode.ts";
import { PatternMiner } from "../patterns/miner.ts";
import { splitRecords } from "../records.ts";
import { SeenIds } from "../seen-ids.ts";
import { SeriesRegistry } from "../series.ts";

const NOW = Date.UTC(2026, 4, 17, 12, 34, 56, 789);
const MAX_RECORDS = 20;

/** Counts what does not go the plain way. */
class CountingIntake extends Intake {
	plain = 0;

	override takeRecords(...args: Parameters<Intake["takeRecords"]>) {
		this.plain++;
		return super.takeRecords(...args);
	}
}

/** An intake of its own that never commits; its batch is sealed by hand. */
function newIntake(maxRecords = MAX_RECORDS) {
	const seen = new SeenIds({ clock: () => NOW, bits: 2 ** 16 });
	seen.complete();
	return new CountingIntake({
		journal: {} as Journal,
		ledger: new Ledger(0),
		registry: new SeriesRegistry({ perProject: 1e6 }),
		miner: new PatternMiner(),
		retention: { metrics_days: 90, logs_days: 90, events_days: 400 },
		maxRecords,
		clock: () => NOW,
		sequence: 1,
		seen,
		issues: new KnownIssues({ alone: true }),
		onCommit() {},
		contentCapture: "off",
		readMessage: undefined,
		onContentRemoved() {},
	});
}

/** What a batch holds. Ids stand apart: those of one body are given table by table, or record by record. */
function sealed(intake: Intake) {
	const { frames, suspects } = intake.batch.seal();
	const ids: unknown[] = [];
	const tables = frames.map(({ table, rows, block }) => {
		const columns = new Map(decodeBlock(block).columns);
		ids.push(...(columns.get("id") ?? []));
		columns.delete("id");
		return { table, rows, columns };
	});
	return { tables, suspects, ids: ids.sort() };
}

function answerOf(take: () => unknown) {
	try {
		return take();
	} catch (error) {
		return error;
	}
}

type Choose = <T>(choices: readonly T[]) => T;

/** JSON text of a value, in one of its many spellings. */
function spell(value: unknown, choose: Choose, space: () => string): string {
	if (typeof value === "string") {
		const spelt = Array.from(value, (char) => {
			const plain = JSON.stringify(char).slice(1, -1);
			if (choose([true, true, true, true, true, false])) return plain;
			if (char === "/") return "\\/";
			return Array.from({ length: char.length }, (_, i) => {
				const code = char.charCodeAt(i).toString(16).padStart(4, "0");
				return `\\u${choose([code, code.toUpperCase()])}`;
			}).join("");
		});
		return `"${spelt.join("")}"`;
	}
	if (typeof value === "number") {
		const text = JSON.stringify(value);
		const more = /^-?\d+$/.test(text) ? [`${text}.0`, `${text}e0`] : [value.toExponential()];
		return choose([text, text, text, text, ...more]);
	}
	if (typeof value !== "object" || value === null) return JSON.stringify(value);
	if (Array.isArray(value)) return `[${value.map((v) => space() + spell(v, choose, space) + space()).join(",")}]`;
	const members = Object.entries(value).map(
		([key, member]) =>
			`${space()}${choose([true, true, false]) ? JSON.stringify(key) : spell(key, choose, space)}${space()}:${space()}${spell(member, choose, space)}${space()}`,
	);
	if (members.length > 0 && choose([...Array<boolean>(30).fill(false), true])) members.push(members[0]!);
	return `{${members.join(",")}}`;
}

const text = fc.oneof(
	fc.constantFrom(
		"api",
		"a.b",
		"Ünïcode",
		"日本",
		"😀 😀",
		"",
		" ",
		"__proto__",
		"7",
		"x".repeat(200),
		"é".repeat(101),
	),
	fc.string({ maxLength: 8 }),
	fc.string({ unit: "binary", maxLength: 8 }),
	fc.constantFrom('say "hi"', "C:\\dir\\file", "a/b", "two\nlines\r\n\ttab", "\0", "\u007f", "\ud800", "a\udc00b"),
);
const number = fc.oneof(
	fc.double({ noDefaultInfinity: true, noNaN: true }),
	fc.integer(),
	fc.constantFrom(0, -0, 0.1, 1e-6, 1e-7, 1e21, 123456.789, 2 ** 53 + 2),
);
const time = fc.oneof(
	fc.integer({ min: NOW - 10 ** 9, max: NOW + 10 ** 6 }),
	fc.integer({ min: NOW - 10 ** 9, max: NOW }).map((ms) => new Date(ms).toISOString()),
	fc.constantFrom<unknown>(0, -1, "yesterday", "2026-02-30T00:00:00Z", NOW / 1_000, NOW * 1e6, null),
);
const json = fc.letrec((tie) => ({
	value: fc.oneof(
		{ maxDepth: 3, depthSize: "small" },
		text,
		number,
		fc.constantFrom(true, false, null),
		fc.array(tie("value"), { maxLength: 3 }),
		fc.dictionary(text, tie("value"), { maxKeys: 3 }),
	),
})).value;
const scalar = fc.oneof(text, number, fc.constantFrom(true, false, null));
const level = fc.constantFrom("info", "WARN", "Error", "fatal", "debug");
const id = fc.constantFrom("", "4bf92f3577b34da6", "user_1", "ü");

const property = fc.constantFrom(
	"model",
	"latency_ms",
	"ok",
	"日本",
	"user_id",
	"session_id",
	"__proto__",
	"ip",
	"content",
);

/** Members that are right; then records in which one is anything. */
const members = {
	log: {
		message: fc.oneof(text, fc.constantFrom("a message of the usual length, ".repeat(4))),
		level,
		component: fc.constantFrom("api", "db", "日本", ""),
		context: fc.dictionary(text, json, { maxKeys: 3 }),
		trace_id: id,
		span_id: id,
		timestamp: time,
		type: fc.constant("log"),
		extra: json,
	},
	event: {
		event: fc.constantFrom("page_view", "fl.round", "日本", "chat.message.sent"),
		properties: fc.oneof(
			{ weight: 3, arbitrary: fc.dictionary(property, fc.oneof(id, number, fc.boolean()), { maxKeys: 5 }) },
			{ weight: 1, arbitrary: fc.dictionary(fc.oneof(property, text), scalar, { maxKeys: 5 }) },
			{ weight: 1, arbitrary: fc.dictionary(property, json, { maxKeys: 3 }) },
		),
		event_id: fc.oneof(id, fc.uuid()),
		user_id: id,
		account_id: id,
		session_id: id,
		timestamp: time,
		type: fc.constant("event"),
		extra: json,
	},
	metric: {
		name: fc.constantFrom("cpu", "memory"),
		value: fc.oneof(fc.constantFrom(0.5, 1e-9, 1e300), fc.integer()),
		tags: fc.dictionary(fc.constantFrom("host", "zone"), fc.constantFrom("a", "b"), { maxKeys: 2 }),
		timestamp: time,
		type: fc.constant("metric"),
	},
};
const REQUIRED = { log: "message", event: "event", metric: "name" } as const;

function records(kind: keyof typeof members, typed: boolean): fc.Arbitrary<object> {
	const required = [REQUIRED[kind], ...(kind === "metric" ? ["value"] : []), ...(typed ? ["type"] : [])];
	const good = fc.record(members[kind] as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: required });
	const usual = good.map((record) => {
		const { timestamp, extra, ...rest } = record;
		return typeof timestamp === "number" && timestamp > NOW - 10 ** 9 && timestamp < NOW
			? { ...rest, timestamp }
			: rest;
	});
	const odd = fc
		.tuple(usual, fc.constantFrom(...Object.keys(members[kind]), "records"), json)
		.map(([record, member, value]) => ({ ...record, [member]: value }));
	return fc.oneof({ weight: 20, arbitrary: usual }, { weight: 2, arbitrary: good }, { weight: 1, arbitrary: odd });
}

const FORMS = ["ndjson", "ndjson", "list", "one", "envelope"] as const;

/** A body of records of one kind, or of all kinds when `signal` is undefined, and its format. */
function bodies(signal: "log" | "event" | "metric" | undefined) {
	const one = signal
		? records(signal, false)
		: fc.oneof(records("log", true), records("event", true), records("metric", true));
	return fc
		.tuple(
			fc.array(one, { minLength: 1, maxLength: 6 }),
			fc.constantFrom(...FORMS),
			fc.array(fc.nat(1_000), { minLength: 1, maxLength: 60 }),
			fc.constantFrom([""], ["", " "], ["", "\t", "\r"]),
			fc.constantFrom(false, false, true),
		)
		.map(([list, form, numbers, spaces, fancy]) => {
			let drawn = 0;
			const draw = (choices: number) => numbers[drawn++ % numbers.length]! % choices;
			const choose: Choose = (choices) => (fancy ? choices[draw(choices.length)]! : choices[0]!);
			const space = () => spaces[draw(spaces.length)]!;
			const spelt = list.map((record) => spell(record, choose, space));
			if (form === "ndjson") return { source: spelt.join(choose(["\n", "\r\n", "\n\n"])), format: "ndjson" as const };
			if (form === "one") return { source: spelt[0]!, format: "json" as const };
			const array = `[${spelt.join(" , \n ")}]`;
			return { source: form === "list" ? array : `{"records":${array}}`, format: "json" as const };
		});
}

describe.each(["log", "event", "metric", undefined] as const)("the scanner of bodies of %s records", (signal) => {
	// The same for all bodies, as in the server: what was cached or taken back must not change what is stored.
	const one = newIntake();
	const other = newIntake();

	/** @returns whether the scanner took the body */
	function take(body: Buffer, format: BodyFormat): boolean {
		const before = one.plain;
		const answer = answerOf(() => one.take("p", signal, body, format));
		const plain = answerOf(() => other.takeRecords("p", signal, splitRecords(body, format, MAX_RECORDS)));
		expect(answer).toEqual(plain);
		return one.plain === before && !(answer instanceof Error);
	}

	it("stores what the plain path stores, over many bodies and batches", () => {
		let taken = 0;
		let tried = 0;
		fc.assert(
			fc.property(fc.array(bodies(signal), { minLength: 1, maxLength: 4 }), (list) => {
				for (const { source, format } of list) {
					tried++;
					if (take(Buffer.from(source), format)) taken++;
				}
				expect(sealed(one)).toEqual(sealed(other));
			}),
			{ numRuns: 600 },
		);
		expect(taken / tried).toBeGreaterThan(0.15);
	});

	it("stores what the plain path stores of a body that is damaged anywhere", () => {
		fc.assert(
			fc.property(bodies(signal), fc.nat(), fc.nat(255), ({ source, format }, place, byte) => {
				const body = Buffer.from(source);
				body[place % body.length] = byte;
				take(body, format);
				expect(sealed(one)).toEqual(sealed(other));
			}),
			{ numRuns: 600 },
		);
	});

	it("stores what the plain path stores of a body that is cut off anywhere", () => {
		fc.assert(
			fc.property(bodies(signal), fc.nat(), ({ source, format }, place) => {
				const body = Buffer.from(source);
				take(body.subarray(0, place % (body.length + 1)), format);
				expect(sealed(one)).toEqual(sealed(other));
			}),
			{ numRuns: 400 },
		);
	});
});

/** A body of one record, on both ways. */
function expectSame(signal: "log" | "event", record: string) {
	const [one, other] = [newIntake(), newIntake()];
	const body = Buffer.from(record);
	expect(answerOf(() => one.take("p", signal, body, "json"))).toEqual(
		answerOf(() => other.takeRecords("p", signal, splitRecords(body, "json", MAX_RECORDS))),
	);
	expect(sealed(one)).toEqual(sealed(other));
}

describe("the scanner", () => {
	const log =
		'{"message":"a \\"b\\" \\ud83d\\ude00","level":"WARN","context":{"user": "u", "n": 1.50},"timestamp":1779020000000}';
	const event =
		'{"event":"e","event_id":"1","properties":{"user_id":"u","ok":true,"ms":1.5e3,"list":[1, 2],"none":null}}';
	const typed = (type: string, record: string) => `{"type":"${type}",${record.slice(1)}`;

	it.each([
		["log", "ndjson", `${log}\n${log}\n`],
		["log", "json", `[${log}, ${log}]`],
		["event", "ndjson", `${event}\r\n${event}`],
		["event", "json", event],
		[undefined, "ndjson", `${typed("log", log)}\n${typed("event", event)}\n{"name":"m","value":1,"type":"metric"}`],
	] as const)("takes the usual forms without the plain path: %s as %s", (signal, format, source) => {
		const intake = newIntake();
		expect(intake.take("p", signal, Buffer.from(source), format).answer.rejected).toEqual([]);
		expect(intake.plain).toBe(0);
	});

	it.each([
		...[
			'{"a":1,"b":2,"a":3}',
			'{"a":1,"b":2,"a":"x"}',
			'{"2":1,"b":2,"1":3}',
			'{"a":-0}',
			'{"a":1.0}',
			'{"a":1e2}',
			'{"a":0.0000001}',
			'{"a":1E-7}',
		],
		...[
			'{"a":12345678901234567890}',
			'{"a":1e400}',
			'{"a":"\\u0061\\/"}',
			'{"\\u0061":1,"a":2}',
			'{"a":"\\ud800"}',
			'{"a":"\\x"}',
		],
		...[
			'{"a":01}',
			'{"a":+1}',
			'{"a":.5}',
			'{"a":1.}',
			'{"a":nul}',
			'{"a":[1,]}',
			'{"a":1,}',
			'{"a" 1}',
			"{'a':1}",
			'{"a":"\t"}',
		],
		...['{"__proto__":{"a":1},"b":[ 1 , {"c": null} ]}', "[1]", '"{}"', "null", `${"[".repeat(32)}${"]".repeat(32)}`],
		...[31, 32].map((depth) => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`),
		...[262_134, 262_135].map((size) => `{"a":"${"x".repeat(size)}"}`),
		`{${Array.from({ length: 40 }, (_, i) => `"k${i}":1`)},"k0":2}`,
	])("reads a document as the plain path does, as context, properties and unknown member: %.60s", (document) => {
		for (const [signal, record] of [
			["log", `{"message":"m","context":${document}}`],
			["log", `{"message":"m","other":${document}}`],
			["event", `{"event":"e","properties":${document}}`],
			["event", `{"event":"e","properties":{"list":[${document}]}}`],
		] as const) {
			expectSame(signal, record);
		}
	});

	it.each(['"\\ud83d\\ude00"', '"\\ud83dx"', '"\\ude00"', '"\\ud83d\\u0041"', '"\\uD83D"', '"\\u00"', '"\\'])(
		"reads escapes as the plain path does: %s",
		(text) => {
			for (const [signal, record] of [
				["log", `{"message":${text}}`],
				["log", `{"message":"m","trace_id":${text}}`],
				["event", `{"event":"e","user_id":${text},"properties":{"event_id":${text}}}`],
				["event", `{"event":"e","properties":{"p":${text}}}`],
			] as const) {
				expectSame(signal, record);
			}
		},
	);

	it("leaves bytes that are no UTF-8 to the plain path, which replaces them", () => {
		const one = newIntake();
		one.take("p", "log", Buffer.from('{"message":"\xff"}', "latin1"), "json");
		expect(one.plain).toBe(1);
	});

	it("leaves records of a mixed body that do not say what they are to the plain path, which refuses them", () => {
		for (const source of ['{"name":"m","value":1}', log, event]) {
			const { answer } = newIntake().take("p", undefined, Buffer.from(source), "json");
			expect(answer).toMatchObject({ accepted: 0, rejected: [{ field: "type" }] });
		}
	});

	it("cuts a long message, as the plain path does", () => {
		const one = newIntake();
		for (const size of [65_536, 65_537]) {
			one.take("p", "log", Buffer.from(JSON.stringify({ message: "z".repeat(size) })), "json");
		}
		expect(one.plain).toBe(1);
		const [first, second] = sealed(one)
			.tables.find(({ table }) => table === "logs")!
			.columns.get("message") as string[];
		expect(first).toBe("z".repeat(65_536));
		expect(second).toMatch(/^z{60000,}.*cut/);
	});

	it("stores more names and components than it remembers, over several batches", () => {
		const one = newIntake(10_000);
		const other = newIntake(10_000);
		for (let batch = 0; batch < 4; batch++) {
			const ids = Array.from({ length: 3_000 }, (_, i) => (i * 7 + batch * 1_500) % 9_000);
			const lines = {
				log: ids.map((i) => ({ message: "m", component: `c${i}`, context: { [`k${i}`]: i } })),
				event: ids.map((i) => ({ event: `e${i}`, properties: { [`s${i}`]: `v${i}`, [`n${i}`]: i } })),
			};
			for (const signal of ["log", "event"] as const) {
				const body = Buffer.from(lines[signal].map((line) => JSON.stringify(line)).join("\n"));
				expect(one.take("p", signal, body, "ndjson").rows).toBe(3_000);
				other.takeRecords("p", signal, splitRecords(body, "ndjson", 10_000));
			}
			expect(sealed(one)).toEqual(sealed(other));
		}
		expect(one.plain).toBeLessThan(8);
	});
});
