import fc from "fast-check";
import { expect, test } from "vitest";
import { COLUMN_TYPES, type ColumnType } from "../../schema/tables.ts";
import { type Cell, decodeBlock, encodeRows, filterBlock, rowRecord } from "./decode.ts";

const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", "größe", "x".repeat(300)));
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const map = <T>(values: fc.Arbitrary<T>) =>
	fc.array(fc.tuple(text, values), { maxLength: 4 }).map((entries) => new Map(entries));

const CELLS: Readonly<Record<ColumnType, fc.Arbitrary<Cell>>> = {
	"LowCardinality(String)": text,
	String: text,
	UInt64: uint64,
	Int32: fc.integer(),
	DateTime: fc.nat({ max: 2 ** 32 - 1 }),
	"DateTime64(3)": fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
	Float64: fc.double(),
	Bool: fc.boolean(),
	"Nullable(UInt64)": fc.option(uint64),
	"Array(UInt64)": fc.array(uint64, { maxLength: 4 }),
	"Array(LowCardinality(String))": fc.array(text, { maxLength: 4 }),
	"Map(String, String)": map(text),
	"Map(LowCardinality(String), String)": map(text),
	"Map(LowCardinality(String), Float64)": map(fc.double()),
};
const COLUMNS = COLUMN_TYPES.map((type) => [`a ${type}`, type] as const);
const rows = fc.array(fc.tuple(...COLUMN_TYPES.map((type) => CELLS[type])), { maxLength: 20 });

/** The rows of a block, in order. */
function rowsOf(block: Buffer): Cell[][] {
	const { rows: count, columns } = decodeBlock(block);
	return Array.from({ length: count }, (_, row) => COLUMNS.map(([name]) => columns.get(name)![row]!));
}

test("cells of every type come back as they were, and so do those of the rows that are kept", () => {
	fc.assert(
		fc.property(rows, fc.infiniteStream(fc.boolean()), (given, keep) => {
			const block = encodeRows(COLUMNS, given);
			expect(rowsOf(block)).toEqual(given);
			const kept = given.map(() => keep.next().value as boolean);
			expect(rowsOf(filterBlock(block, COLUMNS, (row) => kept[row]!))).toEqual(given.filter((_, row) => kept[row]));
			for (const row of given.keys()) JSON.stringify(rowRecord(decodeBlock(block), row));
		}),
		{ numRuns: 200 },
	);
});

test("of columns that are asked for by name the cells are the same", () => {
	const names = fc.subarray<string>(COLUMNS.map(([name]) => name));
	fc.assert(
		fc.property(rows, names, (given, only) => {
			const block = encodeRows(COLUMNS, given);
			const all = [...decodeBlock(block).columns];
			const some = decodeBlock(block, new Set(only));
			expect([...some.columns]).toEqual(all.filter(([name]) => only.includes(name)));
			expect(some.rows).toBe(given.length);
		}),
		{ numRuns: 300 },
	);
});
