/** A TCP proxy before a server that is slow, or that stops answering after some connections. */
import { connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";

export interface NarrowProxy {
	readonly port: number;
	/** Since the start. */
	readonly connections: number;
	/** So many more connections are served; later ones are accepted, and nothing comes back. */
	serve(connections: number): void;
	/** Breaks the connections that are open. */
	drop(): void;
	close(): Promise<void>;
}

/** @param bytesPerSecond of what is sent to the server, on each connection */
export async function startNarrowProxy(
	targetPort: number,
	{ bytesPerSecond = Number.POSITIVE_INFINITY } = {},
): Promise<NarrowProxy> {
	let connections = 0;
	let left = Number.POSITIVE_INFINITY;
	const sockets = new Set<Socket>();
	const track = (socket: Socket) => {
		sockets.add(socket);
		socket.once("close", () => sockets.delete(socket));
		return socket.on("error", () => socket.destroy());
	};
	const server = createServer((client) => {
		track(client);
		connections++;
		if (left-- <= 0) return;
		const target = track(connect(targetPort, "127.0.0.1"));
		client.pipe(slow(bytesPerSecond)).pipe(target).pipe(client);
		client.once("close", () => target.destroy());
		target.once("close", () => client.destroy());
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const drop = () => {
		for (const socket of sockets) socket.destroy();
	};
	return {
		port: (server.address() as { port: number }).port,
		get connections() {
			return connections;
		},
		serve(more) {
			left = more;
		},
		drop,
		async close() {
			drop();
			await new Promise((resolve) => server.close(resolve));
		},
	};
}

function slow(bytesPerSecond: number): Transform {
	return new Transform({
		transform(chunk: Buffer, _, done) {
			if (bytesPerSecond === Number.POSITIVE_INFINITY) done(null, chunk);
			else setTimeout(() => done(null, chunk), (1_000 * chunk.length) / bytesPerSecond);
		},
	});
}
