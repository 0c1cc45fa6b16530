import type { EventRow, LogRow } from "./batch.ts";
import { FixedColumn, LowCardinalityColumn, MapColumn, type MarkedColumn, StringColumn } from "./native/columns.ts";

/** Ids of rows: unique enough to order rows of one millisecond and to page by. */
export class RowIds {
	#sequence: number;

	/** @param sequence where the low half starts; a random one keeps two processes apart */
	constructor(sequence: number) {
		this.#sequence = sequence >>> 0;
	}

	/** Time of receipt in seconds above a counter. */
	push(column: FixedColumn, received: number): void {
		this.#sequence = (this.#sequence + 1) >>> 0;
		column.uint64(Math.floor(received / 1_000), this.#sequence);
	}
}

interface OwnColumns {
	readonly project: LowCardinalityColumn;
	readonly id: FixedColumn;
}

/**
 * Rows of a table that a scanner fills column by column, before it knows whether it can take the whole body: `mark`, push
 * into every column but those of {@link OwnColumns}, then `add` or `rollback`.
 */
class Rows<C extends OwnColumns & Readonly<Record<string, MarkedColumn>>> {
	readonly columns: C;
	readonly #ids: RowIds;
	count = 0;

	constructor(columns: C, ids: RowIds) {
		this.columns = columns;
		this.#ids = ids;
	}

	mark(): void {
		for (const column of Object.values(this.columns)) column.mark();
	}

	/** Forgets what was pushed since the mark. */
	rollback(): void {
		for (const column of Object.values(this.columns)) column.rollback();
	}

	/** Makes rows of what was pushed since the mark, or since the last call. */
	add(count: number, project: string, received: number): void {
		const { project: projects, id } = this.columns;
		const index = projects.index(project);
		for (let i = 0; i < count; i++) {
			projects.pushIndex(index);
			this.#ids.push(id, received);
		}
		this.count += count;
	}
}

const text = () => new StringColumn();
const fixed = () => new FixedColumn();
const lowCardinality = () => new LowCardinalityColumn();

function logColumns() {
	return {
		project: lowCardinality(),
		ts: fixed(),
		id: fixed(),
		level: lowCardinality(),
		component: lowCardinality(),
		message: text(),
		context: text(),
		trace_id: text(),
		span_id: text(),
	};
}

export class LogRows extends Rows<ReturnType<typeof logColumns>> {
	constructor(ids: RowIds) {
		super(logColumns(), ids);
	}

	push(project: string, row: LogRow, received: number): void {
		const { columns } = this;
		columns.ts.int64(row.ts);
		columns.level.push(row.level);
		columns.component.push(row.component);
		columns.message.push(row.message);
		columns.context.push(row.context);
		columns.trace_id.push(row.trace_id);
		columns.span_id.push(row.span_id);
		this.add(1, project, received);
	}
}

function eventColumns() {
	return {
		project: lowCardinality(),
		event: lowCardinality(),
		ts: fixed(),
		event_id: text(),
		user_id: text(),
		account_id: text(),
		session_id: text(),
		strings: new MapColumn(lowCardinality(), text()),
		numbers: new MapColumn(lowCardinality(), fixed()),
		id: fixed(),
	};
}

export class EventRows extends Rows<ReturnType<typeof eventColumns>> {
	constructor(ids: RowIds) {
		super(eventColumns(), ids);
	}

	push(project: string, row: EventRow, received: number): void {
		const { columns } = this;
		columns.event.push(row.event);
		columns.ts.int64(row.ts);
		columns.event_id.push(row.event_id);
		columns.user_id.push(row.user_id);
		columns.account_id.push(row.account_id);
		columns.session_id.push(row.session_id);
		for (const [key, value] of row.strings) {
			columns.strings.keys.push(key);
			columns.strings.values.push(value);
		}
		columns.strings.endRow(row.strings.length);
		for (const [key, value] of row.numbers) {
			columns.numbers.keys.push(key);
			columns.numbers.values.float64(value);
		}
		columns.numbers.endRow(row.numbers.length);
		this.add(1, project, received);
	}

	/** Calls back with the bytes of each event_id since the mark that is not empty. */
	eachId(use: (bytes: Buffer, from: number, to: number) => void): void {
		const { data, marked } = this.columns.event_id;
		const { bytes, length } = data;
		for (let at = marked; at < length; ) {
			let size = 0;
			for (let factor = 1; ; factor *= 128) {
				const byte = bytes[at++]!;
				size += (byte & 0x7f) * factor;
				if (byte < 0x80) break;
			}
			if (size > 0) use(bytes, at, at + size);
			at += size;
		}
	}
}
