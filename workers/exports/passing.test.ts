import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { Zstd } from "@hpcc-js/wasm-zstd";
import fc from "fast-check";
import { expect, test } from "vitest";
import { zstdBlocks } from "./compress.ts";
import { rowCounter } from "./rows.ts";

/** Cut anywhere, as a socket does. */
function passed(format: "csv" | "json", text: string, cuts: readonly number[]): number {
	const bytes = Buffer.from(text);
	const counter = rowCounter(format);
	const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
	for (const [i, end] of ends.entries()) counter.push(bytes.subarray(ends[i - 1] ?? 0, end));
	return counter.rows();
}
const cuts = fc.array(fc.nat(), { maxLength: 5 });
const field = fc.string({ unit: fc.constantFrom('"', "\n", ",", "a", "é", "\\", "\r") });

test("rows of csv are counted, whatever their texts hold and wherever the bytes are cut", () => {
	fc.assert(
		fc.property(fc.array(fc.array(field, { minLength: 1, maxLength: 3 }), { maxLength: 6 }), cuts, (rows, at) => {
			const line = (texts: readonly string[]) =>
				`${texts.map((text) => `"${text.replaceAll('"', '""')}"`).join(",")}\n`;
			expect(passed("csv", line(["head"]) + rows.map(line).join(""), at)).toBe(rows.length);
		}),
		{ seed: 6 },
	);
});

test("lines of json are counted, and an answer that was cut off is no file", () => {
	fc.assert(
		fc.property(fc.array(fc.json(), { maxLength: 6 }), cuts, (rows, at) => {
			const lines = rows.map((row) => `${JSON.stringify(JSON.parse(row))}\n`);
			expect(passed("json", lines.join(""), at)).toBe(rows.length);
		}),
		{ seed: 6 },
	);
	for (const [format, text] of [
		["json", '{"a":1}\n{"a"'],
		["csv", '"a"\n"b'],
		["csv", '"a"\n"b"'],
		["csv", ""],
	] as const) {
		expect(() => passed(format, text, [])).toThrow("middle of a line");
	}
	const parquet = rowCounter("parquet");
	parquet.push(Buffer.from("PAR1 and then nothing"));
	expect(() => parquet.rows()).toThrow();
});

test("blocks of zstd that follow one another are one file, where Node has none of its own", async () => {
	const zstd = await Zstd.load();
	const chunks = Array.from({ length: 50 }, (_, i) => Buffer.alloc(20_000, `line ${i}\n`));
	const packed = await buffer(Readable.from(chunks).pipe(zstdBlocks(zstd)));
	const MAGIC = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
	const frames: Buffer[] = [];
	for (let at = 0; at < packed.length; ) {
		const next = packed.indexOf(MAGIC, at + 4);
		frames.push(packed.subarray(at, next === -1 ? packed.length : next));
		at = next === -1 ? packed.length : next;
	}
	expect(frames.length).toBeGreaterThan(2);
	const unpacked = Buffer.concat(frames.map((frame) => zstd.decompress(frame)));
	expect(unpacked.equals(Buffer.concat(chunks))).toBe(true);
});
