/**
 * The open batch: rows of all tables since the last commit, as columns. Sealing turns each table that has rows into one
 * Native block and empties it for the next batch; a batch is filled by one thread and never grows while it is sealed.
 */
import { TABLES } from "../schema/tables.ts";
import { BOOKKEEPING, type Frame, type JournalTable } from "./journal/format.ts";
import type { KnownIssue } from "./known-issues.ts";
import { ByteWriter } from "./native/bytes.ts";
import {
	type Column,
	FixedColumn,
	LowCardinalityColumn,
	MapColumn,
	StringColumn,
	writeBlock,
} from "./native/columns.ts";
import { linesUntil, type Pattern, PatternMiner } from "./patterns/miner.ts";
import { EventRows, LogRows, ProfileRows, RowIds } from "./rows.ts";
import type { Family, Series } from "./series.ts";

/** An event that passed its checks. */
export interface EventRow {
	event: string;
	ts: number;
	event_id: string;
	user_id: string;
	account_id: string;
	session_id: string;
	strings: readonly (readonly [string, string])[];
	numbers: readonly (readonly [string, number])[];
}

/** A log line that passed its checks; `context` is JSON text or empty. */
export interface LogRow {
	ts: number;
	level: string;
	component: string;
	message: string;
	context: string;
	trace_id: string;
	span_id: string;
}

/** An error that passed its checks. */
export interface ErrorRow {
	ts: number;
	issueHigh: number;
	issueLow: number;
	/** The call it is best known by, or empty. */
	culprit: string;
	error_type: string;
	severity: string;
	component: string;
	message: string;
	stack: string;
	context: string;
	user_id: string;
	trace_id: string;
}

/** A stretch of a profile, nanoseconds from its start. */
export interface ProfileSpan {
	readonly name: string;
	readonly parent: string;
	readonly start_ns: number;
	readonly end_ns: number;
}

/** A profile that passed its checks. */
export interface ProfileRow {
	ts: number;
	operation: string;
	component: string;
	wall_ns: number;
	/** Undefined when it was not measured. */
	cpu_ns: number | undefined;
	alloc_bytes: number | undefined;
	success: boolean;
	spans: readonly ProfileSpan[];
	user_id: string;
	trace_id: string;
}

export interface SealedBatch {
	readonly frames: readonly Frame[];
	/** Rows without bookkeeping. */
	readonly records: number;
	/** Series announced in it: to be announced again should the commit fail. */
	readonly announced: readonly Series[];
	/** Patterns of log lines announced in it, likewise. */
	readonly announcedPatterns: readonly Pattern[];
	/** Issues that it made known: nobody knows whether they are stored should the commit fail. */
	readonly issues: readonly KnownIssue[];
	/** Keys of event_ids in it that may have been seen before, or `unknown` when nobody kept watch. */
	readonly suspects: Suspects;
}

export type Suspects = readonly string[] | "unknown";

const text = () => new StringColumn();
const fixed = () => new FixedColumn();
const lowCardinality = () => new LowCardinalityColumn();

export class OpenBatch {
	readonly #series = {
		project: lowCardinality(),
		name: lowCardinality(),
		series_id: fixed(),
		tags: new MapColumn(text(), text()),
		component: text(),
		kind: text(),
		unit: text(),
		first_seen: fixed(),
	};
	readonly #points = new PointRows(["project", "name", "component", "kind"]);
	readonly #cumulative = new PointRows(["project", "name"]);
	readonly #errors = {
		project: lowCardinality(),
		ts: fixed(),
		id: fixed(),
		issue_id: fixed(),
		culprit: lowCardinality(),
		error_type: lowCardinality(),
		severity: lowCardinality(),
		component: lowCardinality(),
		message: text(),
		stack: text(),
		context: text(),
		user_id: text(),
		trace_id: text(),
	};
	readonly #patterns = {
		project: lowCardinality(),
		pattern_id: fixed(),
		template: text(),
		lines_until: fixed(),
	};
	readonly #requests = {
		project: lowCardinality(),
		key: text(),
		body_hash: fixed(),
		answer: text(),
		received: fixed(),
	};
	readonly #rows = { series: 0, log_patterns: 0, errors: 0, requests: 0 };
	// Kept over batches, here and in the journal: fresh buffers for every commit keep the garbage collector busy.
	readonly #out = new ByteWriter(1024 * 1024);
	#announced: Series[] = [];
	#announcedPatterns: Pattern[] = [];
	#issues: KnownIssue[] = [];
	#suspects: string[] | "unknown" = [];
	#generation = 0;
	/** Of announcements: a series of an earlier one may have no row any more. */
	#round = 0;
	readonly #ids: RowIds;
	/** Tables that a scanner fills column by column. */
	readonly events: EventRows;
	readonly logs: LogRows;
	readonly #profiles: ProfileRows;

	/**
	 * @param sequence where the low half of row ids starts; a random one keeps two processes apart
	 * @param miner finds the patterns of log lines
	 */
	constructor(sequence: number, miner = new PatternMiner()) {
		this.#ids = new RowIds(sequence);
		this.events = new EventRows(this.#ids);
		this.logs = new LogRows(this.#ids, miner, (project, pattern, day) => this.#announcePattern(project, pattern, day));
		this.#profiles = new ProfileRows(this.#ids);
	}

	/** Rows waiting, bookkeeping included. */
	get rows(): number {
		let rows = this.#points.rows + this.#cumulative.rows + this.events.count + this.logs.count + this.#profiles.count;
		for (const count of Object.values(this.#rows)) rows += count;
		return rows;
	}

	/** From now on every series is announced once more: rows of the series table were taken away. */
	announceAgain(): void {
		this.#round++;
	}

	/**
	 * Adds points, announcing series that are new. Times are milliseconds since the epoch. Takes arrays, since a number that
	 * is passed to a function which V8 does not inline becomes an object.
	 */
	points(count: number, series: readonly Series[], ts: Float64Array, values: Float64Array): void {
		for (let i = 0; i < count; i++) this.#point(series[i]!, ts, values, i);
	}

	/** Adds points of one series. */
	seriesPoints(series: Series, ts: readonly number[], values: readonly number[]): void {
		for (let i = 0; i < values.length; i++) this.#point(series, ts, values, i);
	}

	#point(series: Series, ts: ArrayLike<number>, values: ArrayLike<number>, i: number): void {
		if (series.announced !== this.#round) this.#announce(series, ts[i]!);
		(series.isCumulative ? this.#cumulative : this.#points).push(series, ts, values, i, this.#generation);
	}

	#announce(series: Series, ts: number): void {
		const columns = this.#series;
		columns.project.push(series.family.project);
		columns.name.push(series.family.name);
		columns.series_id.uint64(series.idHigh, series.idLow);
		for (const [key, value] of series.tags) {
			columns.tags.keys.push(key);
			columns.tags.values.push(value);
		}
		columns.tags.endRow(series.tags.length);
		columns.component.push(series.family.component);
		columns.kind.push(series.family.kind);
		columns.unit.push(series.unit);
		columns.first_seen.int64(ts);
		this.#rows.series++;
		series.announced = this.#round;
		this.#announced.push(series);
	}

	/** Once a day, so that a pattern is known as long as any of its lines is. */
	#announcePattern(project: string, pattern: Pattern, day: number): void {
		const columns = this.#patterns;
		columns.project.push(project);
		columns.pattern_id.uint64(pattern.idHigh, pattern.idLow);
		columns.template.push(pattern.template);
		columns.lines_until.uint32(linesUntil(day));
		this.#rows.log_patterns++;
		pattern.announced = day;
		this.#announcedPatterns.push(pattern);
	}

	event(project: string, row: EventRow, received: number): void {
		this.events.push(project, row, received);
	}

	log(project: string, row: LogRow, received: number): void {
		this.logs.push(project, row, received);
	}

	profile(project: string, row: ProfileRow, received: number): void {
		this.#profiles.push(project, row, received);
	}

	/** An event_id of this batch may have been seen before. @param key undefined when nothing is known of any */
	suspect(key: string | undefined): void {
		if (key === undefined) this.#suspects = "unknown";
		else if (this.#suspects !== "unknown") this.#suspects.push(key);
	}

	/** An error of this batch is the first of its issue that is known here. */
	firstOf(issue: KnownIssue): void {
		this.#issues.push(issue);
	}

	/** @returns the id of its row, decimal */
	error(project: string, row: ErrorRow, received: number): string {
		const columns = this.#errors;
		columns.project.push(project);
		columns.ts.int64(row.ts);
		this.#ids.push(columns.id, received);
		columns.issue_id.uint64(row.issueHigh, row.issueLow);
		columns.culprit.push(row.culprit);
		columns.error_type.push(row.error_type);
		columns.severity.push(row.severity);
		columns.component.push(row.component);
		columns.message.push(row.message);
		columns.stack.push(row.stack);
		columns.context.push(row.context);
		columns.user_id.push(row.user_id);
		columns.trace_id.push(row.trace_id);
		this.#rows.errors++;
		return this.#ids.last(received);
	}

	/** Remembers the answer to an Idempotency-Key, in the same commit as the records it answered for. */
	request(project: string, key: string, hash: { high: number; low: number }, answer: string, received: number): void {
		const columns = this.#requests;
		columns.project.push(project);
		columns.key.push(key);
		columns.body_hash.uint64(hash.high, hash.low);
		columns.answer.push(answer);
		columns.received.int64(received);
		this.#rows.requests++;
	}

	/** Blocks of all tables that have rows; the batch is empty afterwards. The blocks are good until the next call. */
	seal(): SealedBatch {
		const out = this.#out;
		out.length = 0;
		const parts: { table: JournalTable; rows: number; from: number; to: number }[] = [];
		const add = (table: JournalTable, rows: number, columns: Readonly<Record<string, Column>>) => {
			if (rows === 0) return;
			const from = out.length;
			writeBlock(
				out,
				rows,
				TABLES[table].map(([name, type]) => [name, type, columns[name]!]),
			);
			parts.push({ table, rows, from, to: out.length });
		};
		add("series", this.#rows.series, this.#series);
		add("log_patterns", this.#rows.log_patterns, this.#patterns);
		add("points", this.#points.rows, this.#points.columns());
		add("cumulative", this.#cumulative.rows, this.#cumulative.columns());
		add("events", this.events.count, this.events.columns);
		add("logs", this.logs.count, this.logs.columns);
		add("errors", this.#rows.errors, this.#errors);
		add("profiles", this.#profiles.count, this.#profiles.columns);
		add("requests", this.#rows.requests, this.#requests);
		this.#points.clear();
		this.#cumulative.clear();
		Object.assign(this.#rows, { series: 0, log_patterns: 0, errors: 0, requests: 0 });
		this.events.count = 0;
		this.logs.count = 0;
		this.#profiles.count = 0;
		this.#generation++;
		const announced = this.#announced;
		this.#announced = [];
		const announcedPatterns = this.#announcedPatterns;
		this.#announcedPatterns = [];
		const issues = this.#issues;
		this.#issues = [];
		const suspects = this.#suspects;
		this.#suspects = [];
		let records = 0;
		for (const { table, rows } of parts) if (!BOOKKEEPING.has(table)) records += rows;
		const frames = parts.map(({ table, rows, from, to }) => ({ table, rows, block: out.bytes.subarray(from, to) }));
		return { frames, records, announced, announcedPatterns, issues, suspects };
	}
}

/**
 * Rows of `points` or `cumulative`. Texts are looked up once a family and batch and spread over the rows at sealing; what
 * differs from row to row goes into typed arrays.
 */
class PointRows {
	readonly #texts: readonly ("project" | "name" | "component" | "kind")[];
	readonly #dictionaries: LowCardinalityColumn[];
	/** Of each family its indexes into the dictionaries, as many as there are texts, and 1 where its requests failed. */
	#families: number[] = [];
	/** Per row the place of its family, and the halves of the series id. */
	#refs = new Uint32Array(1_024);
	#ids = new Uint32Array(2 * 1_024);
	#ts = new Float64Array(1_024);
	#times = new Uint32Array(2 * 1_024);
	#values = new Float64Array(1_024);
	rows = 0;

	constructor(texts: readonly ("project" | "name" | "component" | "kind")[]) {
		this.#texts = texts;
		this.#dictionaries = texts.map(lowCardinality);
	}

	push(series: Series, ts: ArrayLike<number>, values: ArrayLike<number>, i: number, generation: number): void {
		const row = this.rows++;
		if (row === this.#refs.length) this.#grow();
		const { family } = series;
		if (family.generation !== generation) this.#enter(family, generation);
		this.#refs[row] = family.ref;
		this.#ids[2 * row] = series.idLow;
		this.#ids[2 * row + 1] = series.idHigh;
		this.#ts[row] = ts[i]!;
		this.#values[row] = values[i]!;
	}

	#enter(family: Family, generation: number): void {
		family.generation = generation;
		family.ref = this.#families.length;
		for (const [i, text] of this.#texts.entries()) this.#families.push(this.#dictionaries[i]!.index(family[text]));
		this.#families.push(family.failed ? 1 : 0);
	}

	#grow(): void {
		const grown = <A extends Uint32Array | Float64Array>(larger: A, array: A): A => {
			larger.set(array);
			return larger;
		};
		this.#refs = grown(new Uint32Array(this.#refs.length * 2), this.#refs);
		this.#ids = grown(new Uint32Array(this.#ids.length * 2), this.#ids);
		this.#times = new Uint32Array(this.#times.length * 2);
		this.#ts = grown(new Float64Array(this.#ts.length * 2), this.#ts);
		this.#values = grown(new Float64Array(this.#values.length * 2), this.#values);
	}

	columns(): Record<string, Column> {
		const { rows } = this;
		const families = Uint32Array.from(this.#families);
		for (const [i, dictionary] of this.#dictionaries.entries()) {
			for (let row = 0; row < rows; row++) dictionary.pushIndex(families[this.#refs[row]! + i]!);
		}
		const failed = new Uint8Array(rows);
		for (let row = 0; row < rows; row++) failed[row] = families[this.#refs[row]! + this.#texts.length]!;
		// Int64 in two halves; a BigInt64Array would make an object of every time.
		const times = this.#times;
		for (let row = 0; row < rows; row++) {
			const high = Math.floor(this.#ts[row]! / 2 ** 32);
			times[2 * row] = this.#ts[row]! - high * 2 ** 32;
			times[2 * row + 1] = high;
		}
		return {
			...Object.fromEntries(this.#texts.map((text, i) => [text, this.#dictionaries[i]!])),
			series_id: bytesOf(this.#ids.subarray(0, 2 * rows)),
			ts: bytesOf(times.subarray(0, 2 * rows)),
			value: bytesOf(this.#values.subarray(0, rows)),
			failed: bytesOf(failed),
		};
	}

	clear(): void {
		this.rows = 0;
		this.#families = [];
	}
}

/** A column whose bytes are there already; every platform of Node is little-endian, as Native is. */
function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array | Float64Array): Column {
	const bytes = new Uint8Array(buffer, byteOffset, byteLength);
	return { drain: (out) => out.raw(bytes) };
}
