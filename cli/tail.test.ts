import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Client, type LogEntry } from "../client/index.ts";
import { type Peer, startPeer, status } from "../tests/ingest-peer.ts";
import { formatEntry, type TailOptions, tail, tailQuery, unseen } from "./tail.ts";

let peer: Peer;
let stop: AbortController;
let logs: LogEntry[];
let written: string[];
let notes: string[];
let queries: URLSearchParams[];

beforeEach(async () => {
	peer = await startPeer();
	stop = new AbortController();
	[logs, written, notes, queries] = [[], [], [], []];
	// The route as surface.md has it: a window, an order, pages of `limit` with a cursor.
	peer.answers.set("/v1/monitoring/logs", (query: URLSearchParams) => {
		queries.push(query);
		const from = Number(query.get("start") ?? 0);
		const found = logs
			.filter(({ timestamp }) => Date.parse(timestamp) >= from)
			.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
		if (query.get("sort") === "timestamp desc") found.reverse();
		const at = Number(query.get("cursor") ?? 0);
		const end = at + Math.min(Number(query.get("limit")), 3);
		return { logs: found.slice(at, end), total: found.length, next_cursor: end < found.length ? String(end) : null };
	});
});

afterEach(async () => {
	stop.abort();
	await peer.close();
});

const T0 = Date.parse("2024-01-15T10:30:00Z");

function add(message: string, seconds: number, level = "info"): void {
	logs.push({
		timestamp: new Date(T0 + seconds * 1000).toISOString(),
		level,
		component: null,
		message,
		context: {},
		trace_id: null,
		span_id: null,
	});
}

function start(options: Partial<TailOptions> = {}): Promise<void> {
	return tail({
		client: new Client({ apiKey: "k", baseUrl: peer.url }),
		intervalMs: 5,
		colour: false,
		write: (text) => void written.push(text.trimEnd().split(" ").slice(2).join(" ").trim()),
		note: (text) => void notes.push(text),
		signal: stop.signal,
		...options,
	});
}

const shows = (messages: string[]) => vi.waitFor(() => expect(written).toEqual(messages), { timeout: 5000 });

test("the latest are shown in order, then each new one once, late and equal ones too", async () => {
	for (let n = 0; n < 5; n++) add(`old ${n}`, n);
	const done = start({ lines: 2 });
	await shows(["old 3", "old 4"]);
	add("same", 5);
	add("same", 5);
	await shows(["old 3", "old 4", "same", "same"]);
	add("later", 9);
	await shows(["old 3", "old 4", "same", "same", "later"]);
	add("late", 8);
	for (let n = 0; n < 7; n++) add(`burst ${n}`, 20);
	await shows([
		"old 3",
		"old 4",
		"same",
		"same",
		"later",
		"late",
		...Array.from({ length: 7 }, (_, n) => `burst ${n}`),
	]);
	stop.abort();
	await done;
});

test("with no lines of before, only new ones are shown", async () => {
	add("old", 0);
	void start({ lines: 0 });
	await vi.waitFor(() => expect(queries.length).toBeGreaterThan(2));
	expect(written).toEqual([]);
	add("new", 1);
	await vi.waitFor(() => expect(written).toContain("new"));
});

test("records of a project that had none are shown when they come", async () => {
	void start();
	await vi.waitFor(() => expect(queries.length).toBeGreaterThan(2));
	add("first", 0);
	await shows(["first"]);
});

test("a server that goes away is waited for, and said once", async () => {
	add("before", 0);
	void start();
	await shows(["before"]);
	for (let n = 0; n < 6; n++)
		peer.misbehave.push(status(503, { error: "ClickHouse is down", code: 503 }, { "retry-after": "0" }));
	await vi.waitFor(() => expect(notes).toContain("the server is back"), { timeout: 10_000 });
	expect(notes).toEqual(["ClickHouse is down; waiting for it", "the server is back"]);
	add("after", 1);
	await shows(["before", "after"]);
});

test("a refusal ends it", async () => {
	peer.misbehave.push(status(400, { error: "query: unexpected ) at 7", code: 400 }));
	await expect(start({ query: "level:)" })).rejects.toThrow("unexpected ) at 7");
});

test("the query carries the level", async () => {
	void start({ query: "component:api", level: "warn" });
	await vi.waitFor(() => expect(queries.length).toBeGreaterThan(0));
	expect(queries[0]!.get("query")).toBe("(component:api) AND level:(warning OR error OR critical)");
});

test.each([
	[undefined, undefined, undefined],
	["a", undefined, "a"],
	[undefined, "critical", "level:(critical)"],
	["a OR b", "ERROR", "(a OR b) AND level:(error OR critical)"],
])("query %s and level %s are %s", (query, level, joined) => expect(tailQuery(query, level)).toBe(joined));

test("a level that there is not is told with those that there are", () => {
	expect(() => tailQuery(undefined, "loud")).toThrow(
		"loud is not a level; there are debug, info, warning, error, critical",
	);
});

const entry = {
	timestamp: "2024-01-15T10:30:00.000Z",
	level: "error",
	component: "api",
	message: "no\tanswer",
	context: { model: "gpt-4", tries: 3 },
	trace_id: null,
	span_id: null,
};

test("a record is one line, and colours change nothing but colours", () => {
	const plain = "2024-01-15T10:30:00.000Z ERROR    api no\tanswer model=gpt-4 tries=3";
	expect(formatEntry(entry, false)).toBe(plain);
	const coloured = formatEntry(entry, true);
	expect(coloured).not.toBe(plain);
	expect(stripVTControlCharacters(coloured)).toBe(plain);
});

test("a message cannot send control characters to the terminal", () => {
	const text = formatEntry(
		{ ...entry, message: "\u001b[2J\u001b]0;owned\u0007a\u0000b\rc\u009b31m", context: { "\u001b[31m": "\u0008" } },
		false,
	);
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
	expect(text).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
});

test("equal records are counted, not merged", () => {
	const { fresh, seen } = unseen([entry, entry], new Map());
	expect(fresh).toHaveLength(2);
	expect(unseen([entry, entry, entry], seen).fresh).toHaveLength(1);
	expect(unseen([entry], seen).fresh).toHaveLength(0);
});
