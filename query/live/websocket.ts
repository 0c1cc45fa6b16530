import type { WebSocket } from "ws";
import type { Goodbye, Wire } from "./viewer.ts";

const RAW = { binary: false, compress: false };

/** Messages of a WebSocket: JSON with a `type`. */
export class WebSocketWire implements Wire {
	readonly #socket: WebSocket;
	/** Whether the other side was heard of since the last ping. */
	#alive = true;

	constructor(socket: WebSocket) {
		this.#socket = socket;
		const alive = () => {
			this.#alive = true;
		};
		socket.on("pong", alive);
		socket.on("message", alive);
	}

	get buffered(): number {
		return this.#socket.bufferedAmount;
	}

	write(message: Buffer): void {
		if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(message, RAW);
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
