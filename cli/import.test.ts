import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Peer, startPeer, status, storeThenHangUp } from "../tests/ingest-peer.ts";
import { BATCH_LIMITS, type Batch, BatchCutter, halves, idempotencyKey } from "./batches.ts";
import { type ImportOptions, importFile, summaryText } from "./import.ts";
import { MAX_LINE_BYTES, splitLines } from "./lines.ts";
import type { ParsedRecord } from "./parse/record.ts";

let peer: Peer;
let folder: string;
let notes: string[];

beforeEach(async () => {
	peer = await startPeer();
	folder = mkdtempSync(join(tmpdir(), "tidemark-import-"));
	notes = [];
});

afterEach(async () => {
	await peer.close();
	rmSync(folder, { recursive: true });
});

function file(name: string, content: string | Uint8Array): string {
	const path = join(folder, name);
	writeFileSync(path, content);
	return path;
}

function run(path: string, options: Partial<ImportOptions> = {}) {
	const progress = { start() {}, update() {}, note: (text: string) => void notes.push(text), stop() {} };
	return importFile({
		path,
		apiKey: "k".repeat(16),
		baseUrl: peer.url,
		stdin: Readable.from([]),
		progress,
		...options,
	});
}

const events = (count: number) =>
	`${Array.from({ length: count }, (_, n) => `{"type":"event","event":"e","properties":{"n":${n}}}`).join("\n")}\n`;
const numbers = () => peer.stored.map((record) => (record.properties as { n: number }).n);
const range = (count: number) => Array.from({ length: count }, (_, n) => n);

test("a file of records arrives whole, in order, in batches of 5,000", async () => {
	const summary = await run(file("events.ndjson", events(12_345)));
	expect(summary).toEqual({ format: "ndjson", lines: 12_345, accepted: 12_345, rejected: 0, reasons: [] });
	expect(numbers()).toEqual(range(12_345));
	expect(peer.requests.map(({ body }) => body.split("\n").length - 1)).toEqual([5000, 5000, 2345]);
	expect(peer.requests[0]!.headers.authorization).toBe(`Bearer ${"k".repeat(16)}`);
});

test("gzip is recognised by its content, several members too", async () => {
	const summary = await run(file("odd-name", Buffer.concat([gzipSync(events(2)), gzipSync(events(3))])));
	expect(summary.accepted).toBe(5);
	expect(numbers()).toEqual([0, 1, 0, 1, 2]);
});

test("- reads standard input, gzip too", async () => {
	await run("-", { stdin: Readable.from([Buffer.from(events(3))]) });
	await run("-", { stdin: Readable.from([gzipSync(events(3))]) });
	expect(numbers()).toEqual([0, 1, 2, 0, 1, 2]);
});

test("run again, a file is stored once; also when the first run was interrupted half-way", async () => {
	const path = file("events.ndjson", events(17_000));
	peer.misbehave.push(() => {}, storeThenHangUp, status(503, { error: "away", code: 503 }));
	await expect(run(path, { tries: 1 })).rejects.toThrow(
		/^import stopped after line 5000: .*; the same command goes on without/,
	);
	expect(peer.stored.length).toBeGreaterThan(5000);
	peer.misbehave.length = 0;
	for (let again = 0; again < 2; again++) {
		expect(await run(path)).toMatchObject({ accepted: 17_000, rejected: 0 });
		expect(numbers()).toEqual(range(17_000));
	}
});

test("overload is waited out, and told", async () => {
	peer.misbehave.push(
		status(503, { error: "the disk budget is used up", code: 503 }, { "retry-after": "0" }),
		storeThenHangUp,
	);
	expect(await run(file("events.ndjson", events(10)))).toMatchObject({ accepted: 10 });
	expect(numbers()).toEqual(range(10));
	expect(notes[0]).toBe("the disk budget is used up; trying again");
});

test("a refused key stops the import with its reason", async () => {
	peer.misbehave.push(status(401, { error: "unknown key", code: 401 }));
	await expect(run(file("events.ndjson", events(1)))).rejects.toThrow("import stopped after line 0: unknown key");
});

test("a server that takes less in a request gets halves, under keys of their own that a second run uses again", async () => {
	const path = file("events.ndjson", events(100));
	const limit = (
		answer: Parameters<ReturnType<typeof status>>[0],
		request: Parameters<ReturnType<typeof status>>[1],
	) => {
		peer.misbehave.push(limit);
		if (request.body.length > 1000) status(413, { error: "too large", code: 413 })(answer, request);
	};
	peer.misbehave.push(limit);
	for (let again = 0; again < 2; again++) {
		expect(await run(path)).toMatchObject({ accepted: 100, rejected: 0 });
		expect(numbers()).toEqual(range(100));
	}
});

test("what is wrong is told by line, whether found here or by the server; the rest is stored", async () => {
	peer.refuses = (record) => record.event === "bad";
	const path = file("mixed.ndjson", '{"event":"a"}\n{oops\n\n{"event":"bad"}\n{"event":"b"}\n');
	const summary = await run(path);
	expect(summary).toMatchObject({ accepted: 2, rejected: 2 });
	expect(summary.reasons).toEqual([
		{ line: 2, reason: "not a JSON object" },
		{ line: 4, reason: "refused by the test" },
	]);
	expect(summaryText(summary)).toBe(
		"5 lines (ndjson): 2 records accepted, 2 rejected\n  line 2: not a JSON object\n  line 4: refused by the test\n",
	);
});

test("a file with nothing valid is an answer too, and only the first reasons are kept", async () => {
	peer.refuses = () => true;
	const summary = await run(file("bad.ndjson", events(30)));
	expect(summary).toMatchObject({ accepted: 0, rejected: 30 });
	expect(summary.reasons).toHaveLength(10);
	expect(summaryText(summary)).toContain("… and 20 more");
});

test("a damaged gzip stops the import, and the mended file is stored once", async () => {
	const whole = gzipSync(events(200_000), { level: 1 });
	const path = file("events.gz", whole.subarray(0, Math.floor(whole.length * 0.7)));
	await expect(run(path)).rejects.toThrow(/^import stopped after line \d+: unexpected end of file/);
	expect(peer.stored.length).toBeGreaterThan(0);
	writeFileSync(path, whole);
	await run(path);
	expect(numbers()).toEqual(range(200_000));
});

test("a plain log is imported with times and levels", async () => {
	const summary = await run(file("app.log", "2024-01-15T10:30:00Z ERROR no\n  at x\n2024-01-15T10:30:01Z INFO yes\n"), {
		component: "app",
	});
	expect(summary).toMatchObject({ format: "plain", lines: 3, accepted: 2 });
	expect(peer.stored).toMatchObject([
		{
			type: "log",
			level: "error",
			component: "app",
			message: "ERROR no\n  at x",
			timestamp: Date.parse("2024-01-15T10:30:00Z"),
		},
		{ type: "log", level: "info", component: "app", message: "INFO yes" },
	]);
});

test("an empty file is no error", async () => {
	expect(await run(file("empty", ""))).toMatchObject({ lines: 0, accepted: 0, rejected: 0 });
	expect(peer.requests).toEqual([]);
});

test("a file that is not there is told by name", async () => {
	await expect(run(join(folder, "nothing"))).rejects.toThrow(/ENOENT.*nothing/);
	await expect(run(folder)).rejects.toThrow(/is a folder/);
});

async function split(chunks: Buffer[]) {
	const found = [];
	for await (const lines of splitLines(Readable.from(chunks))) found.push(...lines);
	return found;
}

test("lines are the same however the bytes arrive, and each is where its offset says", async () => {
	const text = fc
		.array(fc.oneof(fc.string({ unit: "grapheme" }), fc.constantFrom("\n", "\r\n", "\n\n", "é")))
		.map((parts) => parts.join(""));
	await fc.assert(
		fc.asyncProperty(text, fc.array(fc.nat(20)), async (content, cuts) => {
			const bytes = Buffer.from(content);
			const chunks: Buffer[] = [];
			let at = 0;
			for (const cut of cuts) {
				chunks.push(bytes.subarray(at, at + cut));
				at += cut;
			}
			chunks.push(bytes.subarray(at));
			const lines = await split(chunks.filter((chunk) => chunk.length > 0));
			const expected = content.split("\n");
			if (expected.at(-1) === "") expected.pop();
			expect(lines.map((line) => line.text)).toEqual(
				expected.map((line, n) => (n === 0 ? line.replace(/^\uFEFF/, "") : line).replace(/\r$/, "")),
			);
			for (const line of lines) {
				const rest = bytes.subarray(line.offset).toString();
				expect(line.number === 1 || rest.startsWith(line.text)).toBe(true);
			}
			expect(lines.map((line) => line.number)).toEqual(lines.map((_, n) => n + 1));
		}),
	);
});

test("a line without end is cut and takes bounded memory; what follows is read", async () => {
	const chunks = [...Array.from({ length: 100 }, () => Buffer.alloc(2 ** 18, "x")), Buffer.from("\nnext\n")];
	const [long, next] = await split(chunks);
	expect(long!.text.length).toBe(MAX_LINE_BYTES);
	expect(next).toEqual({ text: "next", number: 2, offset: 100 * 2 ** 18 + 1 });
});

const record = fc.record({ line: fc.nat(), offset: fc.nat(), json: fc.string({ maxLength: 30, unit: "grapheme" }) });

test("batches hold all records in order, within the limits, and are cut the same each time", () => {
	const limits = { records: 5, bytes: 60 };
	const cut = (records: ParsedRecord[]): Batch[] => {
		const cutter = new BatchCutter(limits);
		return [...records.map((one) => cutter.push(one)), cutter.end()].filter((batch) => batch !== undefined);
	};
	fc.assert(
		fc.property(fc.array(record), (records) => {
			const batches = cut(records);
			expect(batches.flatMap((batch) => batch.records)).toEqual(records);
			expect(batches.map(({ body }) => body).join("")).toBe(records.map(({ json }) => `${json}\n`).join(""));
			for (const batch of batches) {
				expect(batch.records.length).toBeLessThanOrEqual(limits.records);
				if (batch.records.length > 1) expect(Buffer.byteLength(batch.body)).toBeLessThanOrEqual(limits.bytes);
				if (batch.records.length > 1) expect(halves(batch).flatMap((half) => half.records)).toEqual(batch.records);
			}
			expect(cut(records).map((batch) => idempotencyKey("f", batch))).toEqual(
				batches.map((batch) => idempotencyKey("f", batch)),
			);
		}),
	);
	expect(BATCH_LIMITS).toEqual({ records: 5000, bytes: 4 * 2 ** 20 });
});

test("keys differ by file, place and content", () => {
	const batch = (offset: number, json: string) => {
		const cutter = new BatchCutter();
		cutter.push({ line: 1, offset, json });
		return cutter.end()!;
	};
	const keys = [
		idempotencyKey("a", batch(0, "x")),
		idempotencyKey("b", batch(0, "x")),
		idempotencyKey("a", batch(1, "x")),
		idempotencyKey("a", batch(0, "y")),
	];
	expect(new Set(keys).size).toBe(4);
	for (const key of keys) expect(key).toMatch(/^import-[0-9a-f]{48}$/);
});
