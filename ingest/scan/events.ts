import { RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import { hasContent, isAddress, isContent } from "../enrich/names.ts";
import { DictionaryPlace } from "../native/columns.ts";
import { IDS, RESERVED } from "../parse/event.ts";
import { isName } from "../parse/text.ts";
import type { TimeBounds } from "../parse/time.ts";
import type { EventRows } from "../rows.ts";
import type { Cursor } from "./cursor.ts";
import type { DocumentScanner } from "./document.ts";
import type { RecordScanner } from "./records.ts";
import { scanTimestamp } from "./timestamp.ts";
import { type Token, TokenCache } from "./tokens.ts";

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const COMMA = 0x2c;
const COLON = 0x3a;
const QUOTE = 0x22;

/** Members of a record, as bits of what was seen; those below 16 are the ids, in the order of IDS. */
const ID_BITS = 15;
const SESSION_ID = 1 << IDS.indexOf("session_id");
const EVENT = 16;
const PROPERTIES = 32;
const TIMESTAMP = 64;
const TYPE = 128;
/** Properties whose value is not stored as it comes: addresses of persons, and content, of events that may have such. */
const ADDRESS = 256;
const CONTENT = 512;
const PERSONAL = ADDRESS | CONTENT;
/** Any other member, which is skipped. */
const OTHER = 0;
const MEMBERS = new Map([
	["event", EVENT],
	["properties", PROPERTIES],
	["timestamp", TIMESTAMP],
	["type", TYPE],
	...IDS.map((id, i) => [id, 1 << i] as const),
]);
/** Names that are integers come first in an object, whatever the order in which they were sent. */
const INTEGER = /^\d+$/;
const NOTHING = new DataView(new ArrayBuffer(0));
const TRUE = new DataView(Uint8Array.from("true", (char) => char.charCodeAt(0)).buffer);
const FALSE = new DataView(Uint8Array.from("false", (char) => char.charCodeAt(0)).buffer);

/** From event records to rows, as `LogScanner` does it with log lines. Nested properties are for the plain path. */
export class EventScanner implements RecordScanner {
	/** Events since {@link begin}. */
	records = 0;
	readonly #cursor: Cursor;
	readonly #document: DocumentScanner;
	readonly #rows: EventRows;
	// The envelope {"records": [...]} is for the plain path.
	readonly #names = new TokenCache((text) =>
		text === "records" ? undefined : { text, code: MEMBERS.get(text) ?? OTHER },
	);
	readonly #events = new TokenCache((text) =>
		isName(text)
			? { text, code: (RESERVED.test(text) ? SESSION_ID : 0) | (hasContent(text) ? CONTENT : 0) }
			: undefined,
	);
	readonly #properties = new TokenCache((text) =>
		INTEGER.test(text) ? undefined : { text, code: ((MEMBERS.get(text) ?? OTHER) & ID_BITS) | personal(text) },
	);
	readonly #idPlaces = IDS.map((id) => new DictionaryPlace(id));
	/** The last of each, which are likely to come again. */
	#firstName: Token | undefined;
	#firstProperty: Token | undefined;
	#event: Token | undefined;
	/** Of the record: which ids are among the properties, and where in the body; how many properties, and their bytes. */
	#found = 0;
	/** Which kinds of personal properties there are. */
	#personal = 0;
	readonly #from = new Int32Array(IDS.length);
	readonly #to = new Int32Array(IDS.length);
	#strings = 0;
	#numbers = 0;
	#size = 0;
	/** Number of the record, to know a property that comes twice. */
	#record = 0;
	readonly #number = new Float64Array(1);
	readonly #ts = new Float64Array(1);
	#bounds: TimeBounds = { now: 0, oldest: 0, newest: 0 };
	#typed = false;

	/** @param rows where the events go, without becoming rows of the table */
	constructor(cursor: Cursor, document: DocumentScanner, rows: EventRows) {
		this.#cursor = cursor;
		this.#document = document;
		this.#rows = rows;
	}

	/**
	 * Forgets the events of the body before.
	 * @param typed whether each record has to say that it is an event
	 */
	begin(typed: boolean, bounds: TimeBounds): void {
		this.#names.refresh();
		this.#events.refresh();
		this.#properties.refresh();
		this.#typed = typed;
		this.#bounds = bounds;
		this.records = 0;
	}

	record(): boolean {
		const cursor = this.#cursor;
		const { columns } = this.#rows;
		let seen = 0;
		let before: Token | undefined;
		let event: Token | undefined;
		this.#ts[0] = this.#bounds.now;
		this.#found = 0;
		this.#personal = 0;
		this.#strings = 0;
		this.#numbers = 0;
		this.#size = 0;
		this.#record = (this.#record + 1) | 0;
		cursor.at++;
		do {
			const name = this.#names.read(cursor, before === undefined ? this.#firstName : before.next);
			if (name === undefined || (seen & name.code) !== 0 || !cursor.take(COLON)) return false;
			if (before === undefined) this.#firstName = name;
			else before.next = name;
			before = name;
			seen |= name.code;
			switch (name.code) {
				case EVENT:
					event = this.#events.read(cursor, this.#event);
					if (event === undefined) return false;
					this.#event = event;
					columns.event.pushPlace(event.place);
					break;
				case TIMESTAMP:
					if (!scanTimestamp(cursor, this.#bounds)) return false;
					this.#ts[0] = cursor.number;
					break;
				case PROPERTIES:
					if (!this.#scanProperties()) return false;
					break;
				case TYPE:
					if (!this.#type()) return false;
					break;
				case OTHER:
					if (!this.#document.skip(RECORD_LIMITS.depth)) return false;
					break;
				default:
					if (!cursor.text() || cursor.to - cursor.from > RECORD_LIMITS.idBytes) return false;
					this.#pushId(name.code, cursor.source, cursor.from, cursor.to);
			}
		} while (cursor.take(COMMA));
		if (!cursor.take(CLOSE_BRACE) || event === undefined || (this.#typed && (seen & TYPE) === 0)) return false;
		// For the plain path, which knows what becomes of it.
		if ((this.#personal & (ADDRESS | event.code)) !== 0) return false;
		// Of a reserved family the session is a property, as any other.
		if (!this.#otherIds(seen, this.#found & ~event.code)) return false;
		columns.ts.int64Of(this.#ts);
		columns.strings.endRow(this.#strings);
		columns.numbers.endRow(this.#numbers);
		this.records++;
		return true;
	}

	#scanProperties(): boolean {
		const cursor = this.#cursor;
		if (!cursor.take(OPEN_BRACE)) return false;
		if (cursor.take(CLOSE_BRACE)) return true;
		let before: Token | undefined;
		do {
			const name = this.#properties.read(cursor, before === undefined ? this.#firstProperty : before.next);
			if (name === undefined || name.record === this.#record || !cursor.take(COLON)) return false;
			if (before === undefined) this.#firstProperty = name;
			else before.next = name;
			before = name;
			name.record = this.#record;
			this.#personal |= name.code & PERSONAL;
			this.#size += name.size;
			if (!this.#property(name)) return false;
		} while (cursor.take(COMMA));
		// At least as large as the plain path finds it, which then decides.
		return cursor.take(CLOSE_BRACE) && this.#size <= RECORD_LIMITS.documentBytes;
	}

	#property(name: Token): boolean {
		const cursor = this.#cursor;
		switch (cursor.peek()) {
			case QUOTE:
				if (!cursor.text()) return false;
				if ((name.code & ID_BITS) !== 0) return this.#keepId(name.code & ID_BITS);
				this.#string(name.place, cursor.source, cursor.from, cursor.to);
				return true;
			case 0x74:
				this.#string(name.place, TRUE, 0, 4);
				return cursor.word("true");
			case 0x66:
				this.#string(name.place, FALSE, 0, 5);
				return cursor.word("false");
			case 0x6e:
				return cursor.word("null");
			case OPEN_BRACKET: {
				const document = this.#document;
				if (!document.read(RECORD_LIMITS.depth - 1)) return false;
				this.#string(name.place, document.source, document.from, document.to);
				return true;
			}
			case OPEN_BRACE:
				return false;
			default: {
				// A number that is an id is stored as its text.
				if ((name.code & ID_BITS) !== 0 || !cursor.decimal()) return false;
				const { numbers } = this.#rows.columns;
				this.#number[0] = cursor.number;
				numbers.keys.pushPlace(name.secondPlace);
				numbers.values.float64Of(this.#number);
				this.#numbers++;
				return true;
			}
		}
	}

	#string(place: DictionaryPlace, source: DataView, from: number, to: number): void {
		const { strings } = this.#rows.columns;
		strings.keys.pushPlace(place);
		strings.values.pushView(source, from, to);
		this.#strings++;
		this.#size += to - from;
	}

	/** Remembers an id that is among the properties, until it is known whether the record has one of its own. */
	#keepId(bit: number): boolean {
		const { source, view, from, to } = this.#cursor;
		if (source !== view) return false;
		const i = 31 - Math.clz32(bit);
		this.#from[i] = from;
		this.#to[i] = to;
		this.#found |= bit;
		return true;
	}

	/**
	 * The ids that are not members of the record: from its properties, or empty.
	 * @param usable those among the properties that may be taken from there
	 */
	#otherIds(seen: number, usable: number): boolean {
		const { view } = this.#cursor;
		for (let i = 0; i < IDS.length; i++) {
			const bit = 1 << i;
			const from = this.#from[i]!;
			const to = this.#to[i]!;
			const isMoved = (usable & ~seen & bit) !== 0;
			if (isMoved && to - from > RECORD_LIMITS.idBytes) return false;
			if (isMoved) this.#pushId(bit, view, from, to);
			else if ((seen & bit) === 0) this.#pushId(bit, NOTHING, 0, 0);
			if (!isMoved && (this.#found & bit) !== 0) this.#string(this.#idPlaces[i]!, view, from, to);
		}
		return this.#size <= RECORD_LIMITS.documentBytes;
	}

	#pushId(bit: number, source: DataView, from: number, to: number): void {
		const { columns } = this.#rows;
		switch (bit) {
			case 1:
				columns.user_id.pushView(source, from, to);
				break;
			case 2:
				columns.session_id.pushView(source, from, to);
				break;
			case 4:
				columns.account_id.pushView(source, from, to);
				break;
			default:
				columns.event_id.pushView(source, from, to);
		}
	}

	/** Where records have to say what they are, they have to say that they are events; elsewhere it says nothing. */
	#type(): boolean {
		if (!this.#typed) return this.#document.skip(RECORD_LIMITS.depth);
		return this.#cursor.string() && this.#cursor.is("event");
	}
}

function personal(property: string): number {
	return (isAddress(property) ? ADDRESS : 0) | (isContent(property) ? CONTENT : 0);
}
