// Servers of the tests, on loopback: TCP, HTTP, TLS, and a name server that answers what it is told.
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Lookup } from "../../workers/outbound/connect.ts";

export interface TestServer {
	readonly port: number;
	/** Connections since the start. */
	readonly connections: number;
	/** Resolves when the other side has closed every connection. */
	idle(): Promise<void>;
	stop(): Promise<void>;
}

/** A key and its certificate for `door.test`, `localhost` and 127.0.0.1, in PEM, signed by itself. */
export function certificate(name: "good" | "expired"): string {
	return readFileSync(new URL(`fixtures/${name}.pem`, import.meta.url), "utf8");
}

export function tcpServer(onSocket: (socket: Socket) => void, host?: string): Promise<TestServer> {
	// Who reads nothing does not see the other side go.
	return serve(
		createServer((socket) => onSocket(socket.resume())),
		host,
	);
}

export function httpServer(handler: RequestListener, host?: string): Promise<TestServer> {
	return serve(createHttpServer(handler), host);
}

export function httpsServer(handler: RequestListener, pem: string): Promise<TestServer> {
	return serve(createHttpsServer({ key: pem, cert: pem }, handler), "127.0.0.1");
}

async function serve(server: Server, host = "127.0.0.1"): Promise<TestServer> {
	const open = new Set<Socket>();
	const closed: Promise<void>[] = [];
	server.on("connection", (socket) => {
		open.add(socket);
		socket.on("error", () => {});
		closed.push(new Promise((resolve) => socket.on("close", () => resolve())));
		socket.on("close", () => open.delete(socket));
	});
	server.listen(0, host);
	await once(server, "listening");
	return {
		port: (server.address() as AddressInfo).port,
		get connections() {
			return closed.length;
		},
		async idle() {
			await Promise.all(closed);
		},
		async stop() {
			for (const socket of open) socket.destroy();
			server.close();
			await once(server, "close");
		},
	};
}

/** Records as text in the form of their type; undefined for "no such name". */
type Answer = (name: string, type: "A" | "AAAA" | "MX" | "TXT") => string[] | "silence" | undefined;

const TYPES = { 1: "A", 28: "AAAA", 15: "MX", 16: "TXT" } as const;

/** A name server on UDP; `lookup` asks it for addresses as a system would, `questions` are those that it got. */
export async function nameServer(answer: Answer) {
	const socket = createSocket("udp4");
	const questions: string[] = [];
	socket.on("message", (message, from) => {
		let end = 12;
		const labels: string[] = [];
		for (; message[end]! > 0; end += message[end]! + 1) {
			labels.push(message.toString("latin1", end + 1, end + 1 + message[end]!));
		}
		const code = message.readUInt16BE(end + 1);
		const type = TYPES[code as keyof typeof TYPES];
		questions.push(`${type} ${labels.join(".")}`);
		const records = answer(labels.join("."), type);
		if (records === "silence") return;
		const head = Buffer.alloc(12);
		message.copy(head, 0, 0, 2);
		head.writeUInt16BE(records ? 0x8180 : 0x8183, 2);
		head.writeUInt16BE(1, 4);
		head.writeUInt16BE(records?.length ?? 0, 6);
		const answers = (records ?? []).map((text) => {
			const data = encode(type, text);
			// Name by pointer, type, class, TTL 0, length.
			const record = Buffer.from([0xc0, 12, 0, code, 0, 1, 0, 0, 0, 0, 0, data.length]);
			return Buffer.concat([record, data]);
		});
		socket.send(Buffer.concat([head, message.subarray(12, end + 5), ...answers]), from.port, from.address);
	});
	socket.bind(0, "127.0.0.1");
	await once(socket, "listening");
	const { port } = socket.address();
	const lookup: Lookup = async (name) => {
		const resolver = new Resolver({ timeout: 2000, tries: 1 });
		resolver.setServers([`127.0.0.1:${port}`]);
		return resolver.resolve4(name);
	};
	return { port, questions, lookup, stop: () => socket.close() };
}

function encode(type: string, text: string): Buffer {
	if (type === "A") return Buffer.from(text.split(".").map(Number));
	if (type === "TXT") return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
	if (type !== "MX") throw new TypeError(`cannot encode ${type}`);
	const [preference, exchange] = text.split(" ");
	const labels = exchange!.split(".").map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
	return Buffer.concat([Buffer.from([0, Number(preference)]), ...labels, Buffer.from([0])]);
}
