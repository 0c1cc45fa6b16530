/**
 * Reads Native blocks back, value by value. Only the rare paths do this (a duplicate to leave out, a row to quarantine,
 * running totals to resolve), so it is written for clarity; the usual way of a block is a byte copy.
 */
import type { Columns, ColumnType } from "../../schema/tables.ts";
import { ByteWriter } from "./bytes.ts";
import { type Column, FixedColumn, LowCardinalityColumn, MapColumn, StringColumn, writeBlock } from "./columns.ts";
import { ArrayColumn, NullableColumn } from "./nested.ts";

/** UInt64 is a bigint; times are milliseconds (`DateTime64(3)`) or seconds (`DateTime`) since the epoch. */
export type Cell =
	| string
	| number
	| bigint
	| boolean
	| null
	| readonly (string | bigint)[]
	| ReadonlyMap<string, string>
	| ReadonlyMap<string, number>;

export interface DecodedBlock {
	readonly rows: number;
	/** Cells by column name; one entry a row. */
	readonly columns: ReadonlyMap<string, readonly Cell[]>;
}

/** The bytes are not a block of the types this module writes. */
export class NativeFormatError extends Error {
	override readonly name = "NativeFormatError";
}

/** Decodes one block, or of it only the columns named in `only`. */
export function decodeBlock(bytes: Buffer, only?: ReadonlySet<string>): DecodedBlock {
	const reader = new Reader(bytes);
	const columnCount = reader.varint();
	const rows = reader.varint();
	const columns = new Map<string, readonly Cell[]>();
	for (let i = 0; i < columnCount; i++) {
		// What is behind the last column that is asked for is not even passed over.
		if (columns.size === only?.size) return { rows, columns };
		const name = reader.string();
		const type = reader.string() as ColumnType;
		if (!only || only.has(name)) columns.set(name, readColumn(reader, type, rows));
		else skipColumn(reader, type, rows);
	}
	if (reader.at !== bytes.length) throw new NativeFormatError(`${bytes.length - reader.at} bytes after the block`);
	return { rows, columns };
}

/** The block with only the rows for which `keep` is true. */
export function filterBlock(bytes: Buffer, columns: Columns, keep: (row: number) => boolean): Buffer {
	const block = decodeBlock(bytes);
	// A block of an older version has fewer.
	const present = columns.filter(([name]) => block.columns.has(name));
	const rows = Array.from({ length: block.rows }, (_, row) => row).filter(keep);
	return encodeRows(
		present,
		rows.map((row) => present.map(([name]) => block.columns.get(name)![row]!)),
	);
}

/** A block of rows given as cells in the order of `columns`. */
export function encodeRows(columns: Columns, rows: readonly (readonly Cell[])[]): Buffer {
	const written = columns.map(([name, type], i) => {
		const column = newColumn(type);
		for (const row of rows) pushCell(column, type, row[i]!);
		return [name, type, column] as const;
	});
	const out = new ByteWriter();
	writeBlock(out, rows.length, written);
	return Buffer.from(out.view());
}

/** A row as an object that `JSON.stringify` can print, for quarantine. */
export function rowRecord(block: DecodedBlock, row: number): Record<string, unknown> {
	return Object.fromEntries(
		[...block.columns].map(([name, cells]) => {
			const cell = cells[row]!;
			if (typeof cell === "bigint") return [name, cell.toString()];
			if (Array.isArray(cell)) return [name, cell.map(String)];
			return [name, cell instanceof Map ? Object.fromEntries(cell) : cell];
		}),
	);
}

class Reader {
	readonly bytes: Buffer;
	at = 0;

	constructor(bytes: Buffer) {
		this.bytes = bytes;
	}

	take(length: number): number {
		const from = this.at;
		if (from + length > this.bytes.length) throw new NativeFormatError("the block ends early");
		this.at = from + length;
		return from;
	}

	varint(): number {
		let value = 0;
		for (let factor = 1; ; factor *= 128) {
			const byte = this.bytes[this.take(1)]!;
			value += (byte & 0x7f) * factor;
			if (byte < 0x80) return value;
		}
	}

	skipStrings(count: number): void {
		for (let i = 0; i < count; i++) this.take(this.varint());
	}

	string(): string {
		const length = this.varint();
		const from = this.take(length);
		return this.bytes.toString("utf8", from, from + length);
	}

	uint64(): bigint {
		return this.bytes.readBigUInt64LE(this.take(8));
	}
}

function readColumn(reader: Reader, type: ColumnType, rows: number): Cell[] {
	switch (type) {
		case "LowCardinality(String)":
			reader.take(8);
			return readLowCardinality(reader, rows);
		case "Map(String, String)":
			return readMap(reader, rows, (n) => readMany(n, () => reader.string()));
		case "Map(LowCardinality(String), String)":
		case "Map(LowCardinality(String), Float64)": {
			reader.take(8);
			return readMap(reader, rows, (n) => readLowCardinality(reader, n), type.endsWith("Float64)"));
		}
		case "Array(LowCardinality(String))":
			reader.take(8);
			return readArray(reader, rows, (n) => readLowCardinality(reader, n));
		case "Array(UInt64)":
			return readArray(reader, rows, (n) => readMany(n, () => reader.uint64()));
		case "Nullable(UInt64)": {
			const absent = reader.take(rows);
			return readMany(rows, () => reader.uint64()).map((value, row) => (reader.bytes[absent + row] ? null : value));
		}
		default:
			return readMany(rows, () => readScalar(reader, type));
	}
}

/** Passes over the columns that most are without making a value of every cell; others are read and forgotten. */
function skipColumn(reader: Reader, type: ColumnType, rows: number): void {
	const width = WIDTHS[type];
	if (width !== undefined) reader.take(rows * width);
	else if (type === "String") reader.skipStrings(rows);
	else if (type === "LowCardinality(String)") {
		reader.take(8);
		if (rows === 0) return;
		const indexWidth = 1 << Number(reader.uint64() & 0xffn);
		reader.skipStrings(Number(reader.uint64()));
		reader.take(Number(reader.uint64()) * indexWidth);
	} else readColumn(reader, type, rows);
}

/** Bytes of a cell. */
const WIDTHS: Readonly<Partial<Record<ColumnType, number>>> = {
	...{ UInt64: 8, Int32: 4, DateTime: 4, "DateTime64(3)": 8, Float64: 8, Bool: 1 },
};

function readScalar(reader: Reader, type: ColumnType): Cell {
	switch (type) {
		case "String":
			return reader.string();
		case "UInt64":
			return reader.uint64();
		case "Bool":
			return reader.bytes[reader.take(1)] === 1;
		case "Int32":
			return reader.bytes.readInt32LE(reader.take(4));
		case "DateTime":
			return reader.bytes.readUInt32LE(reader.take(4));
		case "DateTime64(3)":
			return Number(reader.bytes.readBigInt64LE(reader.take(8)));
		case "Float64":
			return reader.bytes.readDoubleLE(reader.take(8));
		default:
			throw new NativeFormatError(`a column of type ${type}`);
	}
}

function readLowCardinality(reader: Reader, rows: number): string[] {
	if (rows === 0) return [];
	const width = 1 << Number(reader.uint64() & 0xffn);
	const keys = readMany(Number(reader.uint64()), () => reader.string());
	return readMany(Number(reader.uint64()), () => keys[reader.bytes.readUIntLE(reader.take(width), width)]!);
}

function readMap(reader: Reader, rows: number, readKeys: (n: number) => string[], floats = false): Cell[] {
	const ends = readMany(rows, () => Number(reader.uint64()));
	const total = ends.at(-1) ?? 0;
	const keys = readKeys(total);
	const values = readMany(total, () => (floats ? reader.bytes.readDoubleLE(reader.take(8)) : reader.string()));
	return ends.map((end, row) => {
		const entries: [string, string | number][] = [];
		for (let i = row === 0 ? 0 : ends[row - 1]!; i < end; i++) entries.push([keys[i]!, values[i]!]);
		return new Map(entries) as ReadonlyMap<string, string>;
	});
}

function readArray(reader: Reader, rows: number, readItems: (n: number) => (string | bigint)[]): Cell[] {
	const ends = readMany(rows, () => Number(reader.uint64()));
	const items = readItems(ends.at(-1) ?? 0);
	return ends.map((end, row) => items.slice(row === 0 ? 0 : ends[row - 1]!, end));
}

function readMany<T>(count: number, read: () => T): T[] {
	const values: T[] = [];
	for (let i = 0; i < count; i++) values.push(read());
	return values;
}

function newColumn(type: ColumnType): Column {
	switch (type) {
		case "LowCardinality(String)":
			return new LowCardinalityColumn();
		case "String":
			return new StringColumn();
		case "Map(String, String)":
			return new MapColumn(new StringColumn(), new StringColumn());
		case "Map(LowCardinality(String), String)":
			return new MapColumn(new LowCardinalityColumn(), new StringColumn());
		case "Map(LowCardinality(String), Float64)":
			return new MapColumn(new LowCardinalityColumn(), new FixedColumn());
		case "Array(LowCardinality(String))":
			return new ArrayColumn(new LowCardinalityColumn());
		case "Array(UInt64)":
			return new ArrayColumn(new FixedColumn());
		case "Nullable(UInt64)":
			return new NullableColumn(new FixedColumn());
		default:
			return new FixedColumn();
	}
}

function pushCell(column: Column, type: ColumnType, cell: Cell): void {
	if (column instanceof LowCardinalityColumn || column instanceof StringColumn) column.push(cell as string);
	else if (column instanceof FixedColumn) pushFixed(column, type, cell);
	else if (column instanceof MapColumn) {
		const entries = [...(cell as ReadonlyMap<string, string | number>)];
		for (const [key, value] of entries) {
			column.keys.push(key);
			if (column.values instanceof FixedColumn) column.values.float64(value as number);
			else column.values.push(value as string);
		}
		column.endRow(entries.length);
	} else if (column instanceof ArrayColumn) {
		const items = cell as readonly (string | bigint)[];
		for (const item of items) {
			if (column.items instanceof FixedColumn) pushUInt64(column.items, item as bigint);
			else column.items.push(item as string);
		}
		column.endRow(items.length);
	} else if (column instanceof NullableColumn) {
		pushUInt64(column.next(cell !== null), (cell ?? 0n) as bigint);
	}
}

function pushUInt64(column: FixedColumn, value: bigint): void {
	column.uint64(Number(value >> 32n), Number(value & 0xffffffffn));
}

function pushFixed(column: FixedColumn, type: ColumnType, cell: Cell): void {
	if (type === "UInt64") pushUInt64(column, cell as bigint);
	else if (type === "Bool") column.uint8(cell ? 1 : 0);
	else if (type === "DateTime64(3)") column.int64(cell as number);
	else if (type === "DateTime") column.uint32(cell as number);
	else if (type === "Int32") column.int32(cell as number);
	else column.float64(cell as number);
}
