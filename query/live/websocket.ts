import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Goodbye, Wire } from "./viewer.ts";

const RAW = { binary: false, compress: false };

/** Messages of a WebSocket: JSON with a `type`. */
export class WebSocketWire implements Wire {
	readonly #socket: WebSocket;
	readonly #connection: Socket;
	/** Whether the other side was heard of since the last ping. */
	#alive = true;

	/** @param connection what the socket writes to */
	constructor(socket: WebSocket, connection: Socket) {
		this.#socket = socket;
		this.#connection = connection;
		const alive = () => {
			this.#alive = true;
		};
		socket.on("pong", alive);
		socket.on("message", alive);
	}

	get buffered(): number {
		return this.#socket.bufferedAmount;
	}

	write(messages: readonly Buffer[]): void {
		if (this.#socket.readyState !== this.#socket.OPEN) return;
		this.#connection.cork();
		for (const message of messages) this.#socket.send(message, RAW);
		this.#connection.uncork();
	}

	encode(kind: string, body: object): Buffer {
		return Buffer.from(JSON.stringify({ type: kind, ...body }));
	}

	beat(): boolean {
		if (!this.#alive) return false;
		this.#alive = false;
		if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping();
		return true;
	}

	end({ code, reason }: Goodbye): void {
		this.#socket.close(code, reason);
	}

	destroy(): void {
		this.#socket.terminate();
	}
}
