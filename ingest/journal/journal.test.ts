import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TABLES } from "../../schema/tables.ts";
import { decodeBlock, encodeRows } from "../native/decode.ts";
import { type Frame, framesOf, SEGMENT_HEADER_BYTES, scanSegment } from "./format.ts";
import { Journal } from "./journal.ts";

let folder: string;
beforeEach(() => {
	folder = mkdtempSync(join(tmpdir(), "tidemark-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A commit of one log line, told apart by its message. */
function frame(message: string): Frame {
	const row = ["p", 1_000, 1n, "info", "api", message, "", "", "", 0n];
	return { table: "logs", rows: 1, block: encodeRows(TABLES.logs, [row]) };
}

async function written(...messages: string[]): Promise<Journal> {
	const journal = new Journal(folder);
	for (const message of messages) await journal.append([frame(message)], 1);
	await journal.seal();
	return journal;
}

/** Messages that a start would replay, oldest first. */
function replayed(journal: Journal): string[] {
	return journal.sealed.flatMap(({ path, bytes }) => {
		const segment = readFileSync(path).subarray(0, bytes);
		return scanSegment(segment).commits.flatMap((commit) =>
			[...framesOf(segment, commit)].map(({ block }) => decodeBlock(block).columns.get("message")![0] as string),
		);
	});
}

const segments = () => readdirSync(folder).filter((file) => file.endsWith(".seg"));
const setAside = () => readdirSync(join(folder, "set-aside"));

describe("the journal", () => {
	it("replays every commit of every segment, oldest first", async () => {
		const first = await written("a", "b");
		await first.append([frame("c")], 1);
		const second = new Journal(folder);
		expect(replayed(second)).toEqual(["a", "b", "c"]);
		expect(second.records).toBe(3);
		expect(second.findings).toEqual([]);
		expect(new Set(second.sealed.map(({ id }) => id)).size).toBe(2);
	});

	it("gives every segment an id of its own, also when numbers start anew: tokens must not repeat", async () => {
		const ids: string[] = [];
		for (let start = 0; start < 3; start++) {
			const journal = await written("a");
			ids.push(journal.sealed[0]!.id);
			await journal.remove(journal.sealed[0]!);
		}
		expect(new Set(ids).size).toBe(3);
	});

	it("forgets a segment only when it is removed, with all that was noted beside it", async () => {
		const journal = await written("a");
		await journal.append([frame("b")], 1);
		await journal.seal();
		const [first] = journal.sealed;
		writeFileSync(`${first!.path}.points.split`, "");
		await journal.remove(first!);
		expect(replayed(new Journal(folder))).toEqual(["b"]);
		expect(readdirSync(folder).filter((file) => file.endsWith(".split"))).toEqual([]);
	});

	it.each([1, 5, 11, 12, 13, 60])(
		"cuts a tail that is torn %d bytes into its commit, and keeps the bytes",
		async (kept) => {
			const journal = await written("a", "b");
			const { path } = journal.sealed[0]!;
			const bytes = readFileSync(path);
			const last = scanSegment(bytes).commits.at(-1)!;
			writeFileSync(path, bytes.subarray(0, last.from + kept));
			const again = new Journal(folder);
			expect(replayed(again)).toEqual(["a"]);
			expect(again.findings).toMatchObject([{ problem: "torn tail", bytes: kept }]);
			expect(setAside()).toHaveLength(1);
			expect(new Journal(folder).findings).toEqual([]);
		},
	);

	it("loses one commit, and no other, to a flipped byte anywhere in it", async () => {
		const { path } = (await written("a", "b", "c")).sealed[0]!;
		const good = readFileSync(path);
		const { from, to } = scanSegment(good).commits[1]!;
		for (let at = from; at < to; at += 3) {
			const bytes = Buffer.from(good);
			bytes[at]! ^= 0x10;
			writeFileSync(path, bytes);
			const journal = new Journal(folder);
			expect(replayed(journal)).toEqual(["a", "c"]);
			expect(journal.findings).toMatchObject([{ problem: "damaged bytes" }]);
		}
		expect(setAside().length).toBeGreaterThan(0);
	});

	it("does not take a commit that stands inside a damaged one", async () => {
		const { path } = (await written("inner")).sealed[0]!;
		const inner = readFileSync(path).subarray(SEGMENT_HEADER_BYTES).toString("latin1");
		rmSync(folder, { recursive: true });
		const forged = Buffer.from(inner, "latin1");
		const block = encodeRows(TABLES.logs, [["p", 1, 1n, "info", "", "MARK", "", "", "", 0n]]);
		const at = block.indexOf("MARK");
		const outer: Frame = {
			table: "logs",
			rows: 1,
			block: Buffer.concat([block.subarray(0, at), forged, block.subarray(at)]),
		};
		const journal = new Journal(folder);
		await journal.append([outer], 1);
		await journal.append([frame("after")], 1);
		await journal.seal();
		const segment = readFileSync(journal.sealed[0]!.path);
		// Its checksum, not its length.
		segment[SEGMENT_HEADER_BYTES + 8]! ^= 1;
		writeFileSync(journal.sealed[0]!.path, segment);
		expect(replayed(new Journal(folder))).toEqual(["after"]);
	});

	it("removes an empty segment and tells", async () => {
		await written("a");
		closeSync(openSync(join(folder, "000000000099.seg"), "w"));
		const journal = new Journal(folder);
		expect(replayed(journal)).toEqual(["a"]);
		expect(journal.findings).toMatchObject([{ problem: "empty segment" }]);
		expect(segments()).toHaveLength(1);
	});

	it("sets a segment of a newer version aside, whole, and goes on", async () => {
		const { path } = (await written("a")).sealed[0]!;
		const newer = readFileSync(path);
		newer.writeUInt32LE(2, 8);
		writeFileSync(join(folder, "000000000050.seg"), newer);
		const journal = new Journal(folder);
		expect(replayed(journal)).toEqual(["a"]);
		expect(journal.findings).toMatchObject([{ problem: "newer version" }]);
		expect(readFileSync(join(folder, "set-aside", "000000000050.seg"))).toEqual(newer);
		await journal.append([frame("b")], 1);
		expect(segments()).toContain("000000000051.seg");
	});

	it("refuses a commit that the disk refuses, and takes the next", async () => {
		const journal = await written("a");
		await journal.append([frame("b")], 1);
		const { fd } = journal.active as unknown as { fd: number };
		closeSync(fd);
		// The number may be given to another file meanwhile; keep it taken by one that cannot be written.
		const other = openSync("/dev/null", "r");
		expect(other).toBe(fd);
		await expect(journal.append([frame("lost")], 1)).rejects.toThrow("the journal could not be written");
		await journal.append([frame("c")], 1);
		await journal.seal();
		expect(replayed(new Journal(folder))).toEqual(["a", "b", "c"]);
	});

	it("does not replay bytes behind the last durable commit of a failed write", async () => {
		const journal = await written("a");
		const segment = journal.sealed[0]!;
		const fd = openSync(segment.path, "a");
		writeSync(fd, readFileSync(segment.path).subarray(SEGMENT_HEADER_BYTES));
		closeSync(fd);
		expect(replayed(journal)).toEqual(["a"]);
	});
});
