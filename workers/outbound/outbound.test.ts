// What the door does for those who may pass: requests, limits, TLS, sockets, agents, DNS.
import { getEventListeners, once } from "node:events";
import { get as httpGet, type IncomingMessage } from "node:http";
import { get as httpsGet } from "node:https";
import type { Socket } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { certificate, httpServer, httpsServer, nameServer, tcpServer } from "../../tests/support/loopback.ts";
import { openOutbound } from "./outbound.ts";
import type { OutboundRequest } from "./request.ts";

const outbound = openOutbound({ allow: ["127.0.0.0/8"], ca: certificate("good") });
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
	for (const stop of cleanup.splice(0).reverse()) await stop();
});

function kept<T extends { stop(): unknown }>(server: T): T {
	cleanup.push(() => server.stop());
	return server;
}

/** A TCP server that answers to anything with `respond`, and a request to it. */
async function raw(respond: (socket: Socket) => void) {
	const server = kept(await tcpServer((socket) => void socket.once("data", () => respond(socket))));
	const send = (given: Partial<OutboundRequest> = {}) =>
		outbound.request({ url: `http://127.0.0.1:${server.port}/`, ...given });
	return { server, send };
}

const HEAD = "HTTP/1.1 200 OK\r\n";

test("a delivery gets there as it was given, and the answer comes back", async () => {
	let got: unknown;
	const server = kept(
		await httpServer(async (request, response) => {
			got = { method: request.method, url: request.url, headers: request.headers, body: await text(request) };
			response.writeHead(429, { "retry-after": "7", "x-twice": ["a", "b"] }).end("slow down");
		}),
	);
	const response = await outbound.request({
		url: `http://me:p%40ss@127.0.0.1:${server.port}/hook/%7Ba%7D?x=1#fragment`,
		method: "POST",
		headers: { "Content-Type": "application/json", "Webhook-Id": "msg_1" },
		body: '{"a":"ü"}',
	});
	expect(got).toEqual({
		method: "POST",
		url: "/hook/%7Ba%7D?x=1",
		body: '{"a":"ü"}',
		headers: {
			host: `127.0.0.1:${server.port}`,
			connection: "close",
			"content-length": "10",
			"content-type": "application/json",
			"webhook-id": "msg_1",
			authorization: `Basic ${Buffer.from("me:p@ss").toString("base64")}`,
			accept: "*/*",
			"accept-encoding": "identity",
			"user-agent": "Tidemark",
		},
	});
	expect(response).toMatchObject({
		status: 429,
		headers: { "retry-after": "7", "x-twice": "a, b" },
		truncated: false,
		redirects: 0,
		address: "127.0.0.1",
		tls: null,
		timings: { dns_ms: null, tls_ms: null },
	});
	expect(response.body.toString()).toBe("slow down");
	await server.idle();
});

test.each(["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"] as const)("%s works", async (method) => {
	const server = kept(await httpServer((request, response) => response.end(request.method)));
	const response = await outbound.request({ url: `http://127.0.0.1:${server.port}/`, method });
	expect([response.status, response.body.toString()]).toEqual([200, method === "HEAD" ? "" : method]);
});

test("every phase that happened has a time, and together they are not longer than the whole", async () => {
	const server = kept(await httpsServer((_request, response) => response.end("x"), certificate("good")));
	const { timings } = await outbound.request({ url: `https://localhost:${server.port}/` });
	const { total_ms, ...phases } = timings;
	const spent = Object.values(phases);
	expect(Object.keys(phases)).toEqual(["dns_ms", "connect_ms", "tls_ms", "ttfb_ms", "download_ms"]);
	for (const phase of spent) expect(phase).toBeGreaterThan(0);
	expect(spent.reduce<number>((sum, phase) => sum + (phase ?? 0), 0)).toBeLessThanOrEqual(total_ms);
});

test("redirects are answers unless they are to be followed, then with the rules of fetch, up to the number given", async () => {
	const seen: string[] = [];
	const server = kept(
		await httpServer(async (request, response) => {
			const { method, url, headers } = request;
			seen.push(`${method} ${url} ${headers.authorization ?? "-"} ${await text(request)}`);
			const left = Number(url!.slice(1));
			if (left === 0) response.end("there");
			else response.writeHead(left === 2 ? 303 : 308, { location: `/${left - 1}` }).end("moved");
		}),
	);
	const given = { method: "POST", body: "b", headers: { authorization: "t" } } as const;
	const url = `http://127.0.0.1:${server.port}/3`;
	expect(await outbound.request({ ...given, url })).toMatchObject({
		status: 308,
		redirects: 0,
		headers: { location: "/2" },
	});
	const followed = await outbound.request({ ...given, url, redirects: 3 });
	expect(followed).toMatchObject({ status: 200, redirects: 3, url: `http://127.0.0.1:${server.port}/0` });
	await expect(outbound.request({ ...given, url, redirects: 2 })).rejects.toMatchObject({ code: "TOO_MANY_REDIRECTS" });
	expect(seen.slice(1, 5)).toEqual(["POST /3 t b", "POST /2 t b", "GET /1 t ", "GET /0 t "]);
	await server.idle();
});

test("the body of a redirect is not read, and its connection is closed", async () => {
	const { server, send } = await raw((socket) => {
		socket.write("HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 1000000\r\n\r\nx");
	});
	await expect(send({ redirects: 2 })).rejects.toMatchObject({ code: "TOO_MANY_REDIRECTS" });
	expect(server.connections).toBe(3);
	await server.idle();
});

test("a head that trickles is given up", async () => {
	const { server, send } = await raw((socket) => {
		const drip = setInterval(() => socket.write("x"), 20);
		socket.on("close", () => clearInterval(drip));
		socket.write("HTTP/1.1 200 OK\r\nx-");
	});
	await expect(send({ limits: { headers_ms: 150 } })).rejects.toMatchObject({
		name: "OutboundTimeout",
		phase: "ttfb",
		limit_ms: 150,
	});
	await server.idle();
});

test("a body that falls silent is given up", async () => {
	const { server, send } = await raw((socket) => socket.write(`${HEAD}content-length: 9\r\n\r\nabc`));
	await expect(send({ limits: { idle_ms: 50 } })).rejects.toMatchObject({ phase: "download", limit_ms: 50 });
	await server.idle();
});

test("a slow body is read as long as it goes on", async () => {
	const { send } = await raw((socket) => {
		socket.write(`${HEAD}content-length: 12\r\n\r\n`);
		let left = 12;
		const drip = setInterval(() => socket.write("x", () => --left === 0 && clearInterval(drip)), 50);
		socket.on("close", () => clearInterval(drip));
	});
	expect((await send({ limits: { idle_ms: 400 } })).body.toString()).toBe("x".repeat(12));
});

test("a body that trickles, or never ends, is given up when all the time is used", async () => {
	const { server, send } = await raw((socket) => {
		socket.write(`${HEAD}\r\n`);
		const drip = setInterval(() => socket.write("x"), 10);
		socket.on("close", () => clearInterval(drip));
	});
	await expect(send({ limits: { total_ms: 200 } })).rejects.toMatchObject({ phase: "download", limit_ms: 200 });
	await server.idle();
});

test("time is one for all redirects", async () => {
	const server = kept(
		await httpServer((_request, response) => {
			setTimeout(() => response.writeHead(302, { location: "/again" }).end(), 30);
		}),
	);
	const request = { url: `http://127.0.0.1:${server.port}/`, redirects: 1000, limits: { total_ms: 200 } };
	await expect(outbound.request(request)).rejects.toMatchObject({ name: "OutboundTimeout", limit_ms: 200 });
	await server.idle();
});

test("a look-up and a handshake that never end are given up", async () => {
	const mute = openOutbound({ allow: [], lookup: () => new Promise(() => {}) });
	const limits = { connect_ms: 50 };
	await expect(mute.request({ url: "https://a.example/", limits })).rejects.toMatchObject({ phase: "dns" });
	const server = kept(await tcpServer(() => {}));
	await expect(outbound.request({ url: `https://127.0.0.1:${server.port}/`, limits })).rejects.toMatchObject({
		name: "OutboundTimeout",
		phase: "tls",
	});
	await expect(outbound.connect({ host: "127.0.0.1", port: server.port, tls: {}, total_ms: 50 })).rejects.toMatchObject(
		{
			target: `tls://127.0.0.1:${server.port}`,
			phase: "tls",
		},
	);
	await server.idle();
});

test("of a huge body only the first bytes are read, and the connection is closed", async () => {
	let written = 0;
	const { server, send } = await raw((socket) => {
		socket.write(`${HEAD}content-length: 1000000000000\r\n\r\n`);
		const pour = () => {
			while (socket.writable && socket.write(Buffer.alloc(65_536, "x"))) written += 65_536;
		};
		socket.on("drain", pour);
		pour();
	});
	const response = await send({ limits: { bodyBytes: 1000 } });
	expect([response.body.toString(), response.truncated]).toEqual(["x".repeat(1000), true]);
	await server.idle();
	expect(written).toBeLessThan(64 * 2 ** 20);
});

test.each([
	[1000, 1000, false],
	[1001, 1000, true],
	[0, 1000, false],
	[1, 0, true],
	[0, 0, false],
])("a body of %i bytes with a limit of %i is cut: %s", async (size, bodyBytes, truncated) => {
	const server = kept(await httpServer((_request, response) => response.end("y".repeat(size))));
	const response = await outbound.request({ url: `http://127.0.0.1:${server.port}/`, limits: { bodyBytes } });
	expect([response.body.length, response.truncated]).toEqual([Math.min(size, bodyBytes), truncated]);
});

test.each([
	["a head that is too long", `${HEAD}x: ${"y".repeat(20_000)}\r\n\r\n`, "HPE_HEADER_OVERFLOW"],
	["what is no HTTP", "220 smtp.example ESMTP\r\n", "HPE_INVALID_CONSTANT"],
	["two lengths", `${HEAD}content-length: 1\r\ncontent-length: 2\r\n\r\nab`, "HPE_UNEXPECTED_CONTENT_LENGTH"],
	["a switch of protocols", "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "ECONNRESET"],
	["a body that ends early", `${HEAD}content-length: 9\r\n\r\nabc`, "ECONNRESET"],
	["nothing", "", "ECONNRESET"],
])("%s is a failure with a code", async (_what, bytes, code) => {
	const { server, send } = await raw((socket) => void socket.end(bytes));
	await expect(send()).rejects.toMatchObject({ name: "OutboundFailure", code });
	await server.idle();
});

test("a head may be as long as the limit says", async () => {
	const { send } = await raw((socket) => void socket.end(`${HEAD}x: ${"y".repeat(20_000)}\r\n\r\n`));
	expect((await send({ limits: { headerBytes: 32_768 } })).headers.x).toHaveLength(20_000);
	await expect(send({ limits: { headerBytes: 1000 } })).rejects.toMatchObject({ code: "HPE_HEADER_OVERFLOW" });
});

test("informational responses are passed over", async () => {
	const { send } = await raw((socket) => {
		socket.end(
			`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${HEAD}content-length: 2\r\n\r\nok`,
		);
	});
	expect(await send()).toMatchObject({ status: 200, headers: { "content-length": "2" } });
});

test("nobody there is ECONNREFUSED in connect", async () => {
	const server = await tcpServer(() => {});
	await server.stop();
	await expect(outbound.request({ url: `http://127.0.0.1:${server.port}/` })).rejects.toMatchObject({
		name: "OutboundFailure",
		code: "ECONNREFUSED",
		phase: "connect",
		target: `http://127.0.0.1:${server.port}`,
	});
});

test("the caller's signal ends it at any point with the caller's reason", async () => {
	const reason = new Error("shutting down");
	await expect(outbound.request({ url: "http://127.0.0.1:2/", signal: AbortSignal.abort(reason) })).rejects.toBe(
		reason,
	);
	for (const bytes of ["", `${HEAD}content-length: 9\r\n\r\nabc`]) {
		const controller = new AbortController();
		const { server, send } = await raw((socket) => {
			socket.write(bytes);
			setTimeout(() => controller.abort(reason), 50);
		});
		await expect(send({ signal: controller.signal })).rejects.toBe(reason);
		await server.idle();
	}
});

test("one signal for many requests gathers no listeners", async () => {
	const server = kept(await httpServer((_request, response) => response.end()));
	const { signal } = new AbortController();
	await outbound.request({ url: `http://127.0.0.1:${server.port}/`, signal });
	await outbound.request({ url: "http://127.0.0.1:2/", signal }).catch(() => {});
	expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("TLS is checked against the name or the address in the URL", async () => {
	const server = kept(await httpsServer((_request, response) => response.end("x"), certificate("good")));
	const named = openOutbound({ allow: ["127.0.0.1"], ca: certificate("good"), lookup: async () => ["127.0.0.1"] });
	for (const host of ["127.0.0.1", "localhost", "door.test", "DOOR.test."]) {
		const { tls } = await named.request({ url: `https://${host}:${server.port}/` });
		expect(tls).toEqual({
			protocol: "TLSv1.3",
			issuer: "door.test",
			subject: "door.test",
			validFrom: new Date("2020-01-01T00:00:00Z"),
			validTo: new Date("2120-01-01T00:00:00Z"),
			problem: null,
		});
	}
	await expect(named.request({ url: `https://other.test:${server.port}/` })).rejects.toMatchObject({
		code: "ERR_TLS_CERT_ALTNAME_INVALID",
		phase: "tls",
	});
	const distrusting = openOutbound({ allow: ["127.0.0.1"] });
	await expect(distrusting.request({ url: `https://localhost:${server.port}/` })).rejects.toMatchObject({
		code: "DEPTH_ZERO_SELF_SIGNED_CERT",
	});
});

test("an expired certificate is a failure, and a fact where it is only measured", async () => {
	const server = kept(await httpsServer((_request, response) => response.end("x"), certificate("expired")));
	const trusting = openOutbound({ allow: ["127.0.0.1"], ca: certificate("expired") });
	const url = `https://localhost:${server.port}/`;
	await expect(trusting.request({ url })).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED", phase: "tls" });
	const { tls, status } = await trusting.request({ url, verifyCertificate: false });
	expect(status).toBe(200);
	expect(tls).toMatchObject({ problem: "CERT_HAS_EXPIRED", validTo: new Date("2020-02-01T00:00:00Z") });
	await server.idle();
});

test("a plain connection is the caller's socket, with what it took to get it", async () => {
	const server = kept(await tcpServer((socket) => void socket.write("220 ready\r\n")));
	const { socket, address, tls, timings } = await outbound.connect({ host: "localhost", port: server.port });
	const [banner] = await once(socket, "data");
	expect([String(banner), address, tls]).toEqual(["220 ready\r\n", "127.0.0.1", null]);
	expect(timings).toMatchObject({ tls_ms: null, ttfb_ms: null, download_ms: null });
	// The limits were of connecting.
	socket.destroy();
	await server.idle();
});

test("a connection over TLS tells the certificate", async () => {
	const server = kept(await httpsServer(() => {}, certificate("good")));
	const connection = await outbound.connect({ host: "localhost", port: server.port, tls: {} });
	expect(connection.tls).toMatchObject({ subject: "door.test", problem: null });
	connection.socket.destroy();
	await server.idle();
});

test("the agents carry another client's requests, over kept connections, and refuse what the door refuses", async () => {
	const plain = kept(await httpServer((_request, response) => response.end("plain")));
	const secure = kept(await httpsServer((_request, response) => response.end("secure"), certificate("good")));
	const own = openOutbound({ allow: ["127.0.0.1"], ca: certificate("good") });
	cleanup.push(() => own.close());
	const body = async (request: ReturnType<typeof httpGet>) =>
		text(((await once(request, "response")) as [IncomingMessage])[0]);
	for (const _ of [1, 2]) {
		const { httpAgent, httpsAgent } = own;
		expect(await body(httpGet(`http://localhost:${plain.port}/`, { agent: httpAgent }))).toBe("plain");
		expect(await body(httpsGet(`https://localhost:${secure.port}/`, { agent: httpsAgent }))).toBe("secure");
	}
	expect([plain.connections, secure.connections]).toEqual([1, 1]);

	const refused = { name: "OutboundRefused" };
	for (const host of ["127.0.0.2", "0x7f.2", "[::1]", "169.254.169.254"]) {
		await expect(body(httpGet(`http://${host}:1/`, { agent: own.httpAgent }))).rejects.toMatchObject(refused);
		await expect(body(httpsGet(`https://${host}:1/`, { agent: own.httpsAgent }))).rejects.toMatchObject(refused);
	}
	const socketPath = httpGet({ socketPath: "/run/docker.sock", agent: own.httpAgent });
	await expect(body(socketPath)).rejects.toMatchObject(refused);
	const wrongName = openOutbound({ allow: ["127.0.0.1"], ca: certificate("good"), lookup: async () => ["127.0.0.1"] });
	await expect(
		body(httpsGet(`https://other.test:${secure.port}/`, { agent: wrongName.httpsAgent })),
	).rejects.toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});

test("DNS records are text, sorted; no such name and no such record are failures", async () => {
	const names = kept(
		await nameServer((name, type) => {
			if (name !== "a.example") return undefined;
			return { A: ["8.8.8.8", "1.1.1.1"], AAAA: [], MX: ["10 mx.a.example"], TXT: ["v=spf1 -all"] }[type];
		}),
	);
	const ask = (name: string, type: "A" | "AAAA" | "MX" | "TXT") =>
		outbound.dns({ name, type, server: "127.0.0.1", port: names.port });
	expect((await ask("A.Example.", "A")).records).toEqual(["1.1.1.1", "8.8.8.8"]);
	expect((await ask("a.example", "MX")).records).toEqual(["10 mx.a.example"]);
	expect((await ask("a.example", "TXT")).records).toEqual(["v=spf1 -all"]);
	await expect(ask("a.example", "AAAA")).rejects.toMatchObject({ name: "OutboundFailure", code: "ENODATA" });
	await expect(ask("b.example", "A")).rejects.toMatchObject({ code: "ENOTFOUND", phase: "dns" });
	await expect(ask("10.0.0.1", "A")).rejects.toMatchObject({ reason: "url" });
	expect((await ask("a.example", "A")).timings).toMatchObject({ dns_ms: expect.any(Number), connect_ms: null });
});

test("DNS is not asked of, and does not tell, what is refused", async () => {
	const names = kept(await nameServer(() => ["10.0.0.5"]));
	const question = { name: "vault.internal", type: "A", server: "127.0.0.1", port: names.port } as const;
	await expect(openOutbound({ allow: [] }).dns(question)).rejects.toMatchObject({ addressClass: "loopback" });
	expect(names.questions).toEqual([]);
	await expect(outbound.dns(question)).rejects.toMatchObject({ addressClass: "private" });
	const open = openOutbound({ allow: ["127.0.0.1", "*.internal"] });
	expect((await open.dns(question)).records).toEqual(["10.0.0.5"]);
});

test("a name server that does not answer is given up", async () => {
	const silent = kept(await nameServer(() => "silence"));
	const question = { name: "a.example", type: "A", server: "127.0.0.1", port: silent.port, total_ms: 100 } as const;
	await expect(outbound.dns(question)).rejects.toMatchObject({ name: "OutboundTimeout", phase: "dns" });
});
