// Server-sent events from text as it comes: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream

export interface SseMessage {
	/** `message` when the server does not name it. */
	event: string;
	data: string;
	/** The last id that was sent, with this message or before it. */
	id: string;
}

/** No message is longer, in characters: a server that never ends its line must not fill the memory. */
const LONGEST_MESSAGE = 2 ** 24;
const BYTE_ORDER_MARK = "\ufeff";

export class SseParser {
	/** What to ask the server to go on from; it may also come alone, without a message. */
	lastEventId: string;
	/** How long to wait before the next connection, milliseconds, when the server said so. */
	retryMs: number | undefined;
	#atStart = true;
	/** The last character was a carriage return: a line feed right after it ends no second line. */
	#afterReturn = false;
	/** Pieces of the line that has not ended yet: joined once, so that many small chunks of a long line stay cheap. */
	#line: string[] = [];
	#chars = 0;
	#event = "";
	#data: string[] = [];
	#id: string;

	constructor(lastEventId = "") {
		this.lastEventId = lastEventId;
		this.#id = lastEventId;
	}

	/**
	 * The messages that end in this piece of the stream.
	 *
	 * @throws RangeError when a message grows beyond 16 Mi characters
	 */
	feed(chunk: string): SseMessage[] {
		const messages: SseMessage[] = [];
		let from = 0;
		if (this.#atStart && chunk !== "") {
			this.#atStart = false;
			if (chunk.startsWith(BYTE_ORDER_MARK)) from = 1;
		}
		while (from < chunk.length) {
			if (this.#afterReturn) {
				this.#afterReturn = false;
				if (chunk[from] === "\n") {
					from++;
					continue;
				}
			}
			const end = endOfLine(chunk, from);
			this.#take(chunk.slice(from, end));
			if (end === chunk.length) break;
			this.#afterReturn = chunk[end] === "\r";
			from = end + 1;
			const message = this.#endLine();
			if (message) messages.push(message);
		}
		return messages;
	}

	#take(piece: string): void {
		this.#chars += piece.length;
		if (this.#chars > LONGEST_MESSAGE) throw new RangeError(`a message is longer than ${LONGEST_MESSAGE} characters`);
		if (piece !== "") this.#line.push(piece);
	}

	#endLine(): SseMessage | undefined {
		const line = this.#line.join("");
		this.#line = [];
		if (line === "") return this.#dispatch();
		const colon = line.indexOf(":");
		// A comment: it only says that the server is there.
		if (colon === 0) this.#chars -= line.length;
		else if (colon === -1) this.#field(line, "");
		else this.#field(line.slice(0, colon), line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1));
		return undefined;
	}

	#field(name: string, value: string): void {
		if (name === "data") this.#data.push(value);
		else if (name === "event") this.#event = value;
		else if (name === "id" && !value.includes("\0")) this.#id = value;
		else if (name === "retry" && /^[0-9]+$/.test(value)) this.retryMs = Number(value);
	}

	#dispatch(): SseMessage | undefined {
		this.lastEventId = this.#id;
		const message = { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id };
		const isEmpty = this.#data.length === 0;
		this.#data = [];
		this.#event = "";
		this.#chars = 0;
		return isEmpty ? undefined : message;
	}
}

function endOfLine(text: string, from: number): number {
	for (let at = from; at < text.length; at++) {
		const code = text.charCodeAt(at);
		if (code === 0x0a || code === 0x0d) return at;
	}
	return text.length;
}
