/** A TCP proxy that a test can take away from between two programs. */
import { connect, createServer, type Server, type Socket } from "node:net";

export interface OutageProxy {
	readonly port: number;
	/** Connections are refused, those that are open break. */
	refuse(): Promise<void>;
	/** Connections are accepted and then nothing ever comes back; those that are open fall silent. */
	hang(): Promise<void>;
	/** As at the start; connections that hung break. */
	restore(): Promise<void>;
	close(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<OutageProxy> {
	let hanging = false;
	let server: Server | undefined;
	const sockets = new Set<Socket>();
	const breakAll = () => {
		for (const socket of sockets) socket.destroy();
	};
	const track = (socket: Socket) => {
		sockets.add(socket);
		socket.once("close", () => sockets.delete(socket));
		socket.on("error", () => socket.destroy());
		return socket;
	};
	const listen = async (port: number) => {
		const listening = createServer((client) => {
			track(client);
			if (hanging) return;
			const target = track(connect(targetPort, "127.0.0.1"));
			client.pipe(target).pipe(client);
			client.once("close", () => target.destroy());
			target.once("close", () => client.destroy());
		});
		await new Promise<void>((resolve, reject) => {
			listening.once("error", reject).listen(port, "127.0.0.1", resolve);
		});
		server = listening;
		return (listening.address() as { port: number }).port;
	};
	const stopListening = async () => {
		const listening = server;
		server = undefined;
		breakAll();
		await new Promise<void>((resolve) => (listening ? listening.close(() => resolve()) : resolve()));
	};
	const port = await listen(0);
	return {
		port,
		refuse: stopListening,
		async hang() {
			hanging = true;
			if (!server) await listen(port);
			for (const socket of sockets) socket.unpipe().pause();
		},
		async restore() {
			hanging = false;
			breakAll();
			if (!server) await listen(port);
		},
		close: stopListening,
	};
}
