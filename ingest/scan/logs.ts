import { parseLevel, RECORD_LIMITS } from "../../schema/wire/ingest.ts";
import { DictionaryPlace } from "../native/columns.ts";
import { fits } from "../parse/text.ts";
import type { TimeBounds } from "../parse/time.ts";
import type { LogRows } from "../rows.ts";
import type { Cursor } from "./cursor.ts";
import type { DocumentScanner } from "./document.ts";
import type { RecordScanner } from "./records.ts";
import { scanTimestamp } from "./timestamp.ts";
import { type Token, TokenCache } from "./tokens.ts";

const CLOSE_BRACE = 0x7d;
const OPEN_BRACE = 0x7b;
const COMMA = 0x2c;
const COLON = 0x3a;

/** Members of a record, as bits of what was seen. */
const MESSAGE = 1;
const LEVEL = 2;
const COMPONENT = 4;
const CONTEXT = 8;
const TRACE_ID = 16;
const SPAN_ID = 32;
const TIMESTAMP = 64;
const TYPE = 128;
/** Any other member, which is skipped. */
const OTHER = 0;
const MEMBERS = new Map([
	["message", MESSAGE],
	["level", LEVEL],
	["component", COMPONENT],
	["context", CONTEXT],
	["trace_id", TRACE_ID],
	["span_id", SPAN_ID],
	["timestamp", TIMESTAMP],
	["type", TYPE],
]);
const NOTHING = new DataView(new ArrayBuffer(0));

/**
 * From a body of log lines to rows, without an object or a text per record. It gives up on a body that has anything unusual
 * in it, and nothing of such a body is taken; the plain path then reads it from the start and says what is wrong. A property
 * test proves that what it takes is what the plain path takes.
 */
export class LogScanner implements RecordScanner {
	/** Lines since {@link begin}. */
	records = 0;
	readonly #cursor: Cursor;
	readonly #document: DocumentScanner;
	readonly #rows: LogRows;
	// The envelope {"records": [...]} is for the plain path.
	readonly #names = new TokenCache((text) =>
		text === "records" ? undefined : { text, code: MEMBERS.get(text) ?? OTHER },
	);
	readonly #levels = new TokenCache((text) => {
		const level = parseLevel(text);
		return level && { text: level, code: 0 };
	});
	readonly #components = new TokenCache((text) => (fits(text, RECORD_LIMITS.idBytes) ? { text, code: 0 } : undefined));
	readonly #noLevel = new DictionaryPlace("info");
	readonly #noComponent = new DictionaryPlace("");
	/** The last of each, which are likely to come again. */
	#firstName: Token | undefined;
	#level: Token | undefined;
	#component: Token | undefined;
	readonly #ts = new Float64Array(1);
	#bounds: TimeBounds = { now: 0, oldest: 0, newest: 0 };
	#typed = false;

	/** @param rows where the lines go, without becoming rows of the table */
	constructor(cursor: Cursor, document: DocumentScanner, rows: LogRows) {
		this.#cursor = cursor;
		this.#document = document;
		this.#rows = rows;
	}

	/**
	 * Forgets the lines of the body before.
	 * @param typed whether each record has to say that it is a log line
	 */
	begin(typed: boolean, bounds: TimeBounds): void {
		this.#names.refresh();
		this.#levels.refresh();
		this.#components.refresh();
		this.#typed = typed;
		this.#bounds = bounds;
		this.records = 0;
	}

	record(): boolean {
		const cursor = this.#cursor;
		const { columns } = this.#rows;
		let seen = 0;
		let before: Token | undefined;
		this.#ts[0] = this.#bounds.now;
		cursor.at++;
		do {
			const name = this.#names.read(cursor, before === undefined ? this.#firstName : before.next);
			if (name === undefined || (seen & name.code) !== 0 || !cursor.take(COLON)) return false;
			if (before === undefined) this.#firstName = name;
			else before.next = name;
			before = name;
			seen |= name.code;
			switch (name.code) {
				case MESSAGE: {
					if (!cursor.text()) return false;
					if (cursor.to - cursor.from > RECORD_LIMITS.messageBytes) return false;
					columns.message.pushView(cursor.source, cursor.from, cursor.to);
					break;
				}
				case LEVEL: {
					const level = this.#levels.read(cursor, this.#level);
					if (level === undefined) return false;
					this.#level = level;
					columns.level.pushPlace(level.place);
					break;
				}
				case COMPONENT: {
					const component = this.#components.read(cursor, this.#component);
					if (component === undefined) return false;
					this.#component = component;
					columns.component.pushPlace(component.place);
					break;
				}
				case TIMESTAMP:
					if (!scanTimestamp(cursor, this.#bounds)) return false;
					this.#ts[0] = cursor.number;
					break;
				case CONTEXT: {
					const document = this.#document;
					if (cursor.peek() !== OPEN_BRACE || !document.read(RECORD_LIMITS.depth)) return false;
					columns.context.pushView(document.source, document.from, document.to);
					break;
				}
				case TRACE_ID:
				case SPAN_ID: {
					if (!cursor.text() || cursor.to - cursor.from > RECORD_LIMITS.idBytes) return false;
					const ids = name.code === TRACE_ID ? columns.trace_id : columns.span_id;
					ids.pushView(cursor.source, cursor.from, cursor.to);
					break;
				}
				case TYPE:
					if (!this.#type()) return false;
					break;
				default:
					if (!this.#document.skip(RECORD_LIMITS.depth)) return false;
			}
		} while (cursor.take(COMMA));
		if (!cursor.take(CLOSE_BRACE) || (seen & MESSAGE) === 0 || (this.#typed && (seen & TYPE) === 0)) return false;
		columns.ts.int64Of(this.#ts);
		if ((seen & LEVEL) === 0) columns.level.pushPlace(this.#noLevel);
		if ((seen & COMPONENT) === 0) columns.component.pushPlace(this.#noComponent);
		if ((seen & CONTEXT) === 0) columns.context.pushView(NOTHING, 0, 0);
		if ((seen & TRACE_ID) === 0) columns.trace_id.pushView(NOTHING, 0, 0);
		if ((seen & SPAN_ID) === 0) columns.span_id.pushView(NOTHING, 0, 0);
		this.records++;
		return true;
	}

	/** Where records have to say what they are, they have to say that they are log lines; elsewhere it says nothing. */
	#type(): boolean {
		if (!this.#typed) return this.#document.skip(RECORD_LIMITS.depth);
		return this.#cursor.string() && this.#cursor.is("log");
	}
}
