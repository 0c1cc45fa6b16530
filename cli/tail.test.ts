import type { ServerResponse } from "node:http";
import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Client } from "../client/index.ts";
import { type Peer, startPeer, status } from "../tests/ingest-peer.ts";
import { formatEntry, type TailOptions, tail, tailQuery } from "./tail.ts";

let peer: Peer;
let stop: AbortController;
let written: string[];
let notes: string[];
/** Open streams, and what each asked for. */
let streams: ServerResponse[];
let asked: { query: URLSearchParams; lastEventId: string | undefined }[];

beforeEach(async () => {
	peer = await startPeer();
	stop = new AbortController();
	[written, notes, streams, asked] = [[], [], [], []];
	peer.routes.set("/v1/monitoring/logs/stream", (answer, { url, headers }) => {
		const query = new URL(url, peer.url).searchParams;
		asked.push({ query, lastEventId: headers["last-event-id"] as string | undefined });
		answer.writeHead(200, { "content-type": "text/event-stream" });
		answer.write("retry: 1\n\n");
		streams.push(answer);
		event("live", { snapshot: 0 });
	});
});

afterEach(async () => {
	stop.abort();
	await peer.close();
});

function event(kind: string, body: object, id?: string): void {
	streams.at(-1)!.write(`${id === undefined ? "" : `id: ${id}\n`}event: ${kind}\ndata: ${JSON.stringify(body)}\n\n`);
}

function log(message: string, id: string): void {
	event("log", { ...entry, message, context: {}, log_id: id }, `r-1-${id}`);
}

function start(options: Partial<TailOptions> = {}): Promise<void> {
	return tail({
		client: new Client({ apiKey: "k", baseUrl: peer.url }),
		colour: false,
		write: (text) => void written.push(text.trimEnd().split(" ").slice(6).join(" ").trim()),
		note: (text) => void notes.push(text),
		signal: stop.signal,
		...options,
	});
}

const opened = (count = 1) => vi.waitFor(() => expect(streams).toHaveLength(count), { timeout: 5000 });
const shows = (messages: string[]) => vi.waitFor(() => expect(written).toEqual(messages), { timeout: 5000 });

test("lines are shown as they come, until it is stopped", async () => {
	const done = start({ lines: 2, query: "component:api", level: "warn" });
	await opened();
	expect(Object.fromEntries(asked[0]!.query)).toEqual({
		...{ snapshot: "2", query: "(component:api) AND level:(warning OR error OR critical)" },
	});
	log("one", "1");
	await shows(["one"]);
	log("two", "2");
	await shows(["one", "two"]);
	stop.abort();
	await done;
	expect(notes).toEqual([]);
});

test("a server that goes away is waited for, which is said once, and it goes on behind the last line", async () => {
	void start();
	await opened();
	log("before", "1");
	await shows(["before"]);
	for (let n = 0; n < 3; n++) {
		peer.misbehave.push(status(503, { error: "ClickHouse is down", code: 503 }, { "retry-after": "0" }));
	}
	streams[0]!.end();
	await opened(2);
	expect(asked[1]!.lastEventId).toBe("r-1-1");
	log("before", "1");
	log("after", "2");
	await shows(["before", "after"]);
	expect(notes).toEqual(["the server has ended the stream; waiting for it", "the server is back"]);
});

test("lines that are left out are told", async () => {
	void start();
	await opened();
	event("gap", { skipped: 12, reason: "more than 1000 lines a second match" });
	event("gap", { skipped: null, reason: "they could not be read" });
	await vi.waitFor(() =>
		expect(notes).toEqual([
			"12 lines are not shown: more than 1000 lines a second match",
			"some lines are not shown: they could not be read",
		]),
	);
});

test("a refusal ends it", async () => {
	peer.misbehave.push(status(400, { error: "query: unexpected ) at 7", code: 400 }));
	await expect(start({ query: "level:)" })).rejects.toThrow("unexpected ) at 7");
});

test("a server without streams is told from one that is away", async () => {
	peer.routes.clear();
	await expect(start()).rejects.toThrow("this server has no streams");
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
