import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Signal } from "../intake.ts";
import { Intake } from "../intake.ts";
import type { Journal } from "../journal/journal.ts";
import { Ledger } from "../ledger.ts";
import { decodeBlock } from "../native/decode.ts";
import { splitRecords } from "../records.ts";
import { SeenIds } from "../seen-ids.ts";
import { SeriesRegistry } from "../series.ts";
import { BodyScanner } from "./body.ts";

const NOW = Date.UTC(2026, 4, 17, 12, 34, 56, 789);
const MAX_RECORDS = 20;
const RETENTION = { metrics_days: 90, logs_days: 90, events_days: 400 };

/** An intake of its own that never commits; its batch is sealed by hand. */
function newIntake() {
	const seen = new SeenIds({ clock: () => NOW, bits: 2 ** 16 });
	seen.complete();
	const registry = new SeriesRegistry({ perProject: 1e6 });
	const intake = new Intake({
		journal: {} as Journal,
		ledger: new Ledger(0),
		registry,
		retention: RETENTION,
		maxRecords: MAX_RECORDS,
		clock: () => NOW,
		sequence: 1,
		seen,
		onCommit() {},
	});
	return { intake, seen, registry };
}

function sealed(intake: Intake) {
	const { frames, suspects } = intake.batch.seal();
	return { suspects, tables: frames.map(({ table, block }) => [table, decodeBlock(block)]) };
}

/** What the plain path answers. */
function plain(intake: Intake, signal: Signal | undefined, body: Buffer, format: "json" | "ndjson") {
	try {
		return intake.takeRecords("p", signal, splitRecords(body, format, MAX_RECORDS));
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
		event: fc.constantFrom("page_view", "fl.round", "日本"),
		properties: fc.dictionary(
			fc.oneof(fc.constantFrom("model", "latency_ms", "ok", "user_id", "session_id"), text),
			scalar,
			{
				maxKeys: 5,
			},
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
			fc.infiniteStream(fc.nat(1_000)),
			fc.constantFrom([""], ["", " "], ["", "\t", "\r"]),
			fc.constantFrom(false, false, true),
		)
		.map(([list, form, stream, spaces, fancy]) => {
			const choose: Choose = (choices) => (fancy ? choices[stream.next().value % choices.length]! : choices[0]!);
			const space = () => spaces[stream.next().value % spaces.length]!;
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
	const scanner = new BodyScanner(one.intake.batch);

	function take(body: Buffer, format: "json" | "ndjson"): boolean {
		const { intake, registry } = one;
		const expected = plain(other.intake, signal, body, format);
		const rows = scanner.scan(signal, body, format, {
			project: "p",
			now: NOW,
			retention: RETENTION,
			maxRecords: MAX_RECORDS,
			resolve: (name, tags, kind, unit) => registry.resolve("p", name, tags, kind ?? "gauge", unit),
		});
		if (rows === -1) expect(plain(intake, signal, body, format)).toEqual(expected);
		else expect({ answer: { accepted: scanner.records, rejected: [] }, rows }).toEqual(expected);
		return rows !== -1;
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
				expect(sealed(one.intake)).toEqual(sealed(other.intake));
			}),
			{ numRuns: 600 },
		);
		expect(taken / tried).toBeGreaterThan(0.2);
	});

	it("stores what the plain path stores of a body that is damaged anywhere", () => {
		fc.assert(
			fc.property(bodies(signal), fc.nat(), fc.nat(255), ({ source, format }, place, byte) => {
				const body = Buffer.from(source);
				body[place % body.length] = byte;
				take(body, format);
				expect(sealed(one.intake)).toEqual(sealed(other.intake));
			}),
			{ numRuns: 600 },
		);
	});

	it("stores what the plain path stores of a body that is cut off anywhere", () => {
		fc.assert(
			fc.property(bodies(signal), fc.nat(), ({ source, format }, place) => {
				const body = Buffer.from(source);
				take(body.subarray(0, place % (body.length + 1)), format);
				expect(sealed(one.intake)).toEqual(sealed(other.intake));
			}),
			{ numRuns: 400 },
		);
	});
});
