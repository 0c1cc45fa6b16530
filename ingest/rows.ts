import type { EventRow, LogRow, ProfileRow } from "./batch.ts";
import {
	type Column,
	FixedColumn,
	LowCardinalityColumn,
	MapColumn,
	type MarkedColumn,
	StringColumn,
} from "./native/columns.ts";
import { ArrayColumn, NullableColumn } from "./native/nested.ts";
import type { Pattern, PatternMiner } from "./patterns/miner.ts";

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

	/** The id that was pushed last, decimal. @param received as it was pushed with */
	last(received: number): string {
		return ((BigInt(Math.floor(received / 1_000)) << 32n) | BigInt(this.#sequence)).toString();
	}
}

interface OwnColumns {
	readonly project: LowCardinalityColumn;
	readonly id: FixedColumn;
}

/** Rows of a table: push into every column but those of {@link OwnColumns}, then `add`. */
class Rows<C extends OwnColumns & Readonly<Record<string, Column>>> {
	readonly columns: C;
	readonly #ids: RowIds;
	count = 0;

	constructor(columns: C, ids: RowIds) {
		this.columns = columns;
		this.#ids = ids;
	}

	/** Makes rows of what was pushed since the last call. */
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

/** Rows that a scanner fills before it knows whether it can take the whole body: `mark`, push, then `add` or `rollback`. */
class ScannedRows<C extends OwnColumns & Readonly<Record<string, MarkedColumn>>> extends Rows<C> {
	mark(): void {
		for (const column of Object.values(this.columns)) column.mark();
	}

	/** Forgets what was pushed since the mark. */
	rollback(): void {
		for (const column of Object.values(this.columns)) column.rollback();
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
		pattern_id: fixed(),
	};
}

/** Hears of a pattern whose row of this day is in no batch yet. */
export type AnnouncePattern = (project: string, pattern: Pattern, day: number) => void;

export class LogRows extends ScannedRows<ReturnType<typeof logColumns>> {
	readonly #miner: PatternMiner;
	readonly #announce: AnnouncePattern;
	/** Bytes of the messages whose patterns are known. */
	#mined = 0;

	constructor(ids: RowIds, miner: PatternMiner, announce: AnnouncePattern) {
		super(logColumns(), ids);
		this.#miner = miner;
		this.#announce = announce;
	}

	/** Patterns are mined of the column, so that they are the same whoever filled it. */
	override add(count: number, project: string, received: number): void {
		const { message, pattern_id } = this.columns;
		const patterns = this.#miner.of(project);
		const day = Math.floor(received / 86_400_000);
		if (this.count === 0) this.#mined = 0;
		this.#mined = message.data.each(this.#mined, (bytes, from, to) => {
			const pattern = patterns.mine(bytes, from, to, day);
			if (pattern.announced < day) this.#announce(project, pattern, day);
			pattern_id.uint64(pattern.idHigh, pattern.idLow);
		});
		super.add(count, project, received);
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

export class EventRows extends ScannedRows<ReturnType<typeof eventColumns>> {
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
		data.each(marked, (bytes, from, to) => {
			if (to > from) use(bytes, from, to);
		});
	}
}

function profileColumns() {
	return {
		project: lowCardinality(),
		ts: fixed(),
		id: fixed(),
		operation: lowCardinality(),
		component: lowCardinality(),
		wall_ns: fixed(),
		cpu_ns: new NullableColumn(fixed()),
		alloc_bytes: new NullableColumn(fixed()),
		success: fixed(),
		span_names: new ArrayColumn(lowCardinality()),
		span_parents: new ArrayColumn(lowCardinality()),
		span_starts_ns: new ArrayColumn(fixed()),
		span_ends_ns: new ArrayColumn(fixed()),
		user_id: text(),
		trace_id: text(),
	};
}

export class ProfileRows extends Rows<ReturnType<typeof profileColumns>> {
	constructor(ids: RowIds) {
		super(profileColumns(), ids);
	}

	push(project: string, row: ProfileRow, received: number): void {
		const { columns } = this;
		columns.ts.int64(row.ts);
		columns.operation.push(row.operation);
		columns.component.push(row.component);
		columns.wall_ns.int64(row.wall_ns);
		columns.cpu_ns.next(row.cpu_ns !== undefined).int64(row.cpu_ns ?? 0);
		columns.alloc_bytes.next(row.alloc_bytes !== undefined).int64(row.alloc_bytes ?? 0);
		columns.success.uint8(row.success ? 1 : 0);
		for (const { name, parent, start_ns, end_ns } of row.spans) {
			columns.span_names.items.push(name);
			columns.span_parents.items.push(parent);
			columns.span_starts_ns.items.int64(start_ns);
			columns.span_ends_ns.items.int64(end_ns);
		}
		columns.span_names.endRow(row.spans.length);
		columns.span_parents.endRow(row.spans.length);
		columns.span_starts_ns.endRow(row.spans.length);
		columns.span_ends_ns.endRow(row.spans.length);
		columns.user_id.push(row.user_id);
		columns.trace_id.push(row.trace_id);
		this.add(1, project, received);
	}
}
