import { METRIC_KINDS, type MetricKind, RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import { parseTags } from "../parse/metric.ts";
import { isName } from "../parse/text.ts";
import type { TimeBounds } from "../parse/time.ts";
import type { Series } from "../series.ts";
import { type Cursor, sameBytes } from "./cursor.ts";
import type { RecordScanner } from "./records.ts";
import { AT, type Entry, HASH, Identity, PARTS, type Part, SeriesCache, SIZE } from "./series-cache.ts";
import { scanTimestamp } from "./timestamp.ts";

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Members of a record, as bits of what was seen. */
const NAME = 1;
const VALUE = 2;
const TAGS = 4;
const TIMESTAMP = 8;
const KIND = 16;
const UNIT = 32;
const TYPE = 64;
const TIMESTAMPS = 128;
const VALUES = 256;

/** The keys as compact JSON has them, `"name":` and so on, by their place in the list. */
const KEYS = keyTexts(["name", "value", "tags", "timestamp", "kind", "unit", "type"]);
const KEY_OF: Readonly<Record<number, number>> = {
	[NAME]: 0,
	[VALUE]: 1,
	[TAGS]: 2,
	[TIMESTAMP]: 3,
	[KIND]: 4,
	[UNIT]: 5,
	[TYPE]: 6,
};
const PART_OF: Readonly<Record<number, number>> = {
	[NAME]: PARTS.name,
	[TAGS]: PARTS.tags,
	[KIND]: PARTS.kind,
	[UNIT]: PARTS.unit,
};

function keyTexts(keys: readonly string[]) {
	const texts = keys.map((key) => Buffer.from(`"${key}":`));
	const all = new Uint8Array(Buffer.concat(texts));
	const size = texts.map((text) => text.length);
	const at = size.map((_, i) => size.slice(0, i).reduce((sum, one) => sum + one, 0));
	return { view: new DataView(all.buffer), at, size };
}

/** Finds the series of a name, tags, kind and unit that are new to the cache; undefined when it must not be made. */
export type ResolveSeries = (
	name: string,
	tags: readonly (readonly [string, string])[],
	kind: MetricKind | undefined,
	unit: string,
) => Series | undefined;

/**
 * From a body of metrics to points, without an object per record: measured a third of `JSON.parse` and checks. It gives up on
 * a body that has anything unusual in it, and nothing of such a body is taken; the plain path then reads it from the start
 * and says what is wrong. A property test proves that what it takes is what the plain path takes. (One long file: reading and
 * comparing share the state of one object, and V8 keeps calls within it cheap.)
 */
export class MetricScanner implements RecordScanner {
	/** Points of the scanned body: entry `i` of each array. Valid until the next scan. */
	series: Series[] = [];
	ts = new Float64Array(1_024);
	values = new Float64Array(1_024);
	points = 0;
	readonly #cursor: Cursor;
	readonly #cache = new SeriesCache();
	readonly #identity = new Identity();
	/** The series of the record before, of whatever body; who sends series in turns is likely to send its successor next. */
	#last: Entry | undefined;
	/** Members of the record before, in their order; empty when it was a series of points. */
	readonly #layout: number[] = [];
	/** Whether all parts so far are those of the guess. */
	#guessed = false;
	#typed = false;
	#project = "";
	#bounds: TimeBounds = { now: 0, oldest: 0, newest: 0 };
	#resolveSeries: ResolveSeries = () => undefined;

	constructor(cursor: Cursor) {
		this.#cursor = cursor;
	}

	/**
	 * Forgets the points of the body before.
	 * @param typed whether each record has to say that it is a metric
	 */
	begin(typed: boolean, project: string, bounds: TimeBounds, resolve: ResolveSeries): void {
		this.#typed = typed;
		this.#project = project;
		this.#bounds = bounds;
		this.#resolveSeries = resolve;
		this.points = 0;
	}

	record(): boolean {
		const cursor = this.#cursor;
		if (this.#likeBefore()) return true;
		const identity = this.#identity;
		const project = this.#project;
		const bounds = this.#bounds;
		identity.clear();
		const guess = this.#last?.next;
		this.#guessed = guess !== undefined && guess.project === project;
		let seen = 0;
		let value = 0;
		let ts = bounds.now;
		let timestamps = 0;
		let values = 0;
		const first = this.points;
		cursor.at++;
		do {
			if (!cursor.string()) return false;
			const member = this.#member();
			if (member === 0 || (seen & member) !== 0 || !cursor.take(COLON)) return false;
			if (seen === 0) this.#layout.length = 0;
			this.#layout.push(member);
			seen |= member;
			switch (member) {
				case VALUE:
					if (!cursor.decimal()) return false;
					value = cursor.number;
					break;
				case TIMESTAMP:
					if (!scanTimestamp(cursor, bounds)) return false;
					ts = cursor.number;
					break;
				case TIMESTAMPS:
					timestamps = this.#numbers(first, bounds);
					if (timestamps === 0) return false;
					break;
				case VALUES:
					values = this.#numbers(first, undefined);
					if (values === 0) return false;
					break;
				case TYPE:
					if (!cursor.string() || !cursor.is("metric")) return false;
					break;
				case NAME:
					if (!this.#part(PARTS.name, guess)) return false;
					break;
				case TAGS:
					if (!this.#part(PARTS.tags, guess)) return false;
					break;
				case KIND:
					if (!this.#part(PARTS.kind, guess) || cursor.from === cursor.to) return false;
					break;
				default:
					if (!this.#part(PARTS.unit, guess)) return false;
			}
		} while (cursor.take(COMMA));
		if (!cursor.take(CLOSE_BRACE)) return false;
		const isSeries = (seen & (TIMESTAMPS | VALUES)) !== 0;
		if (isSeries ? timestamps !== values || (seen & (VALUE | TIMESTAMP)) !== 0 : (seen & VALUE) === 0) return false;
		if ((seen & NAME) === 0 || (this.#typed && (seen & TYPE) === 0)) return false;
		const entry = this.#entry(project, guess) ?? this.#resolve(project);
		if (!entry) return false;
		if (this.#last) this.#last.next = entry;
		this.#last = entry;
		const { series } = entry;
		if (!isSeries) {
			this.#room(first + 1);
			this.ts[first] = ts;
			this.values[first] = value;
		}
		if (isSeries) this.#layout.length = 0;
		const last = first + (isSeries ? values : 1);
		for (let i = first; i < last; i++) this.series[i] = series;
		this.points = last;
		return true;
	}

	/**
	 * A record with the members of the one before, in the same order and without white space, of the series that came next the
	 * last time: nearly every record of a client that sends its series in turns. It is compared instead of read. False, and
	 * nothing changed, for any other.
	 */
	#likeBefore(): boolean {
		const cursor = this.#cursor;
		const layout = this.#layout;
		const guess = this.#last?.next;
		if (guess === undefined || layout.length === 0 || guess.project !== this.#project) return false;
		const { bytes, view, end } = cursor;
		const { arena, meta } = this.#cache;
		const start = cursor.at;
		let at = start;
		let value = 0;
		let ts = this.#bounds.now;
		let seen = 0;
		for (let i = 0; i < layout.length; i++) {
			const member = layout[i]!;
			const key = KEY_OF[member]!;
			const size = KEYS.size[key]!;
			let same = at + 1 + size < end && bytes[at] === (i === 0 ? OPEN_BRACE : COMMA);
			same &&= sameBytes(view, at + 1, KEYS.view, KEYS.at[key]!, size);
			cursor.at = at + 1 + size;
			if (member === VALUE) {
				same &&= cursor.decimal();
				value = cursor.number;
			} else if (member === TIMESTAMP) {
				same &&= scanTimestamp(cursor, this.#bounds);
				ts = cursor.number;
			} else if (member === TYPE) {
				same &&= cursor.string() && cursor.is("metric");
			} else {
				const place = guess.place + PART_OF[member]!;
				same &&= cursor.guessed(arena, meta[place + AT]!, meta[place + SIZE]!, member !== TAGS);
			}
			if (!same) {
				cursor.at = start;
				return false;
			}
			at = cursor.at;
			seen |= member;
		}
		const sizes = guess.place + SIZE;
		const whole =
			(seen & (NAME | VALUE)) === (NAME | VALUE) &&
			bytes[at] === CLOSE_BRACE &&
			(!this.#typed || (seen & TYPE) !== 0) &&
			// A part that the guess has must have been there to be compared.
			((seen & TAGS) !== 0 || meta[sizes + PARTS.tags] === 0) &&
			((seen & KIND) !== 0 || meta[sizes + PARTS.kind] === 0) &&
			((seen & UNIT) !== 0 || meta[sizes + PARTS.unit] === 0);
		if (!whole) {
			cursor.at = start;
			return false;
		}
		cursor.at = at + 1;
		this.#last = guess;
		const point = this.points;
		this.#room(point + 1);
		this.ts[point] = ts;
		this.values[point] = value;
		this.series[point] = guess.series;
		this.points = point + 1;
		return true;
	}

	/** Which member the key between the cursor's `from` and `to` names; 0 for one that is none of ours. */
	#member(): number {
		const cursor = this.#cursor;
		const { from, to, bytes } = cursor;
		switch (to - from) {
			case 4: {
				const first = bytes[from];
				if (first === 0x6e) return cursor.is("name") ? NAME : 0;
				if (first === 0x6b) return cursor.is("kind") ? KIND : 0;
				if (first === 0x75) return cursor.is("unit") ? UNIT : 0;
				return cursor.is("tags") ? TAGS : cursor.is("type") ? TYPE : 0;
			}
			case 5:
				return cursor.is("value") ? VALUE : 0;
			case 6:
				return cursor.is("values") ? VALUES : 0;
			case 9:
				return cursor.is("timestamp") ? TIMESTAMP : 0;
			case 10:
				return cursor.is("timestamps") ? TIMESTAMPS : 0;
			default:
				return 0;
		}
	}

	/** Reads a part of the identity, by comparing with the guess as long as that was right. */
	#part(part: Part, guess: Entry | undefined): boolean {
		const cursor = this.#cursor;
		const identity = this.#identity;
		const isTags = part === PARTS.tags;
		const { arena, meta } = this.#cache;
		const place = guess && this.#guessed ? guess.place + part : -1;
		if (place !== -1 && cursor.guessed(arena, meta[place + AT]!, meta[place + SIZE]!, !isTags)) {
			identity.hash[part] = meta[place + HASH]!;
		} else {
			this.#guessed = false;
			if (!(isTags ? cursor.flatObject() : cursor.string())) return false;
			identity.hash[part] = cursor.hash;
		}
		identity.from[part] = cursor.from;
		identity.to[part] = cursor.to;
		return true;
	}

	/** The series that the record names, if it was seen before. */
	#entry(project: string, guess: Entry | undefined): Entry | undefined {
		const { from, to } = this.#identity;
		if (guess && this.#guessed) {
			// A part that the guess has and the record has not was never compared.
			let same = true;
			const { meta } = this.#cache;
			const sizes = guess.place + SIZE;
			for (let part = 0; part < from.length; part++) same &&= meta[sizes + part] === to[part]! - from[part]!;
			if (same) return guess;
		}
		return this.#cache.find(project, this.#cursor.view, this.#identity);
	}

	/** An array of timestamps, when there are bounds for them, or of values. @returns how many, 0 when it is unusual */
	#numbers(first: number, bounds: TimeBounds | undefined): number {
		const cursor = this.#cursor;
		if (!cursor.take(OPEN_BRACKET)) return 0;
		let count = 0;
		do {
			if (count === RECORD_LIMITS.seriesPoints || !(bounds ? scanTimestamp(cursor, bounds) : cursor.decimal()))
				return 0;
			this.#room(first + count + 1);
			(bounds ? this.ts : this.values)[first + count] = cursor.number;
			count++;
		} while (cursor.take(COMMA));
		return cursor.take(CLOSE_BRACKET) ? count : 0;
	}

	#room(points: number): void {
		if (points <= this.ts.length) return;
		const ts = new Float64Array(this.ts.length * 2);
		const values = new Float64Array(this.ts.length * 2);
		ts.set(this.ts);
		values.set(this.values);
		this.ts = ts;
		this.values = values;
	}

	/** A series that is new to the cache: the same checks as on the plain path, once. */
	#resolve(project: string): Entry | undefined {
		const { bytes } = this.#cursor;
		const { from, to } = this.#identity;
		const text = (part: Part) => bytes.toString("utf8", from[part], to[part]);
		const name = text(PARTS.name);
		const unit = text(PARTS.unit);
		const kind = (text(PARTS.kind) || undefined) as MetricKind | undefined;
		if (!isName(name) || Buffer.byteLength(unit) > RECORD_LIMITS.idBytes) return undefined;
		if (kind !== undefined && !METRIC_KINDS.includes(kind)) return undefined;
		const tags = from[PARTS.tags] === to[PARTS.tags] ? [] : parseTags(parseJson(text(PARTS.tags)));
		const series = tags && this.#resolveSeries(name, tags, kind, unit);
		return series && this.#cache.add(project, bytes, this.#identity, series);
	}
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		// Not JSON is not this path's to tell.
		return null;
	}
}
