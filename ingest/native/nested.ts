/** Columns made of other columns: lists, and values that may be absent. */

import type { ByteWriter } from "./bytes.ts";
import { type Column, FixedColumn, LowCardinalityColumn, type StringColumn } from "./columns.ts";

/** `Array(T)`: cumulative sizes, then all items. Push into `items`, then `endRow`. */
export class ArrayColumn<T extends FixedColumn | LowCardinalityColumn | StringColumn> implements Column {
	readonly items: T;
	readonly #offsets = new FixedColumn();
	#total = 0;

	constructor(items: T) {
		this.items = items;
	}

	endRow(items: number): void {
		this.#total += items;
		this.#offsets.int64(this.#total);
	}

	drain(out: ByteWriter): void {
		if (this.items instanceof LowCardinalityColumn) LowCardinalityColumn.prefix(out);
		this.#offsets.drain(out);
		if (this.items instanceof LowCardinalityColumn) this.items.drainBody(out);
		else this.items.drain(out);
		this.#total = 0;
	}
}

/** `Nullable(T)`: a byte a row that says which are absent, then a value for every row, the absent ones too. */
export class NullableColumn<T extends FixedColumn> implements Column {
	readonly #absent = new FixedColumn();
	readonly #values: T;

	constructor(values: T) {
		this.#values = values;
	}

	/** The column to push the next value into; anything when it is not there. */
	next(isThere: boolean): T {
		this.#absent.uint8(isThere ? 0 : 1);
		return this.#values;
	}

	drain(out: ByteWriter): void {
		this.#absent.drain(out);
		this.#values.drain(out);
	}
}
