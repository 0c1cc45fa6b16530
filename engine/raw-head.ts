/**
 * An answer whose headers come one by one while the query runs (`send_progress_in_http_headers`): Node's ServerResponse
 * sends them only all at once, so this one is written to the socket by hand, and the connection closed after it.
 */
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Transform } from "node:stream";

export class RawHead {
	readonly #socket: Socket;

	constructor(response: ServerResponse) {
		this.#socket = response.socket!;
		const headers = { ...response.getHeaders(), connection: "close", "transfer-encoding": "chunked" };
		this.#socket.write(`HTTP/1.1 200 OK\r\nDate: ${new Date().toUTCString()}\r\n`);
		for (const [name, value] of Object.entries(headers)) this.add(name, String(value));
	}

	add(name: string, value: string): void {
		this.#socket.write(`${name}: ${value.replace(/[\r\n]/g, " ")}\r\n`, "latin1");
	}

	/** Ends the headers; what is written to the returned stream is the body. */
	body(): Transform {
		this.#socket.write("\r\n");
		const chunked = new Transform({
			transform(chunk: Buffer, _encoding, done) {
				done(null, Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]));
			},
			flush: (done) => done(null, "0\r\n\r\n"),
		});
		chunked.pipe(this.#socket);
		return chunked;
	}
}
