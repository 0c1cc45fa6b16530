// What must not be reached through the door, with servers that would notice.
import { inspect } from "node:util";
import { afterEach, expect, test } from "vitest";
import { certificate, httpServer, httpsServer, nameServer, tcpServer } from "../../tests/support/loopback.ts";
import type { OutboundError } from "./errors.ts";
import { openOutbound } from "./outbound.ts";

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
	for (const stop of cleanup.splice(0).reverse()) await stop();
});

function kept<T extends { stop(): unknown }>(server: T): T {
	cleanup.push(() => server.stop());
	return server;
}

/** A server that must stay alone. */
async function victim(host?: string) {
	return kept(await httpServer((_request, response) => response.end("secret"), host));
}

test.each([
	"127.0.0.1",
	"127.1",
	"0x7f.1",
	"0177.0.0.1",
	"2130706433",
	"127。0。0。1",
	"[::ffff:127.0.0.1]",
	"[::ffff:7f00:1]",
	"[::1]",
	"localhost",
	"LOCALHOST.",
	"a.localhost",
	"public.example@127.0.0.1",
	"0",
	"0.0.0.0",
	"[::]",
])("nothing reaches http://%s/ of this machine by default", async (host) => {
	const server = await victim();
	const outbound = openOutbound({ allow: [] });
	await expect(outbound.request({ url: `http://${host}:${server.port}/` })).rejects.toMatchObject({
		name: "OutboundRefused",
		reason: "address",
		message: expect.stringContaining("TIDEMARK_OUTBOUND_ALLOW"),
	});
	const bare = host.replace(/.*@/, "");
	await expect(outbound.connect({ host: bare, port: server.port })).rejects.toMatchObject({ name: "OutboundRefused" });
	expect(server.connections).toBe(0);
});

test.each([
	["169.254.169.254", "metadata"],
	["10.0.0.1", "private"],
	["100.64.0.1", "carrier-grade NAT"],
	["[fe80::1]", "link-local"],
	["[fd00:ec2::254]", "metadata"],
	["224.0.0.1", "multicast"],
	["[2002:7f00:1::]", "IPv4 in IPv6"],
	["255.255.255.255", "broadcast"],
])("the refusal of %s says %s", async (host, addressClass) => {
	await expect(openOutbound({ allow: [] }).request({ url: `https://${host}/` })).rejects.toMatchObject({
		addressClass,
		target: `https://${host}`,
		message: expect.stringContaining(addressClass),
	});
});

test("a name is what it resolves to, and one good address among bad ones is the one that is connected to", async () => {
	const bad = await victim("127.0.0.3");
	const good = kept(await httpServer((_request, response) => response.end("good"), "127.0.0.2"));
	const answers = ["127.0.0.3", "10.0.0.1", "169.254.169.254", "127.0.0.2", "not an address"];
	const outbound = openOutbound({ allow: ["127.0.0.2"], lookup: async () => answers });
	const response = await outbound.request({ url: `http://mixed.example:${good.port}/` });
	expect([response.address, response.body.toString()]).toEqual(["127.0.0.2", "good"]);
	await expect(outbound.connect({ host: "mixed.example", port: bad.port })).rejects.toMatchObject({
		code: "ECONNREFUSED",
	});
	expect(bad.connections).toBe(0);
});

test("of several good addresses one that answers is used", async () => {
	const server = kept(await httpServer((_request, response) => response.end("good"), "127.0.0.3"));
	const lookup = async () => ["127.0.0.2", "10.0.0.1", "127.0.0.3"];
	const outbound = openOutbound({ allow: ["127.0.0.0/8"], lookup });
	expect((await outbound.request({ url: `http://two.example:${server.port}/` })).address).toBe("127.0.0.3");
});

test("a name without an address fails, it is not refused", async () => {
	for (const lookup of [async () => [], async () => ["nonsense"]]) {
		await expect(openOutbound({ allow: [], lookup }).request({ url: "http://none.example/" })).rejects.toMatchObject({
			name: "OutboundFailure",
			code: "ENOTFOUND",
			phase: "dns",
		});
	}
});

// 127.0.0.2, which is open here, stands for a public address; 127.0.0.1 is what an attacker is after.
function rebinding(...answers: string[]) {
	let asked = 0;
	return nameServer(() => [answers[Math.min(asked++, answers.length - 1)]!]);
}

test("a rebound name is looked up once a connection: the checked address is connected to, and the next one is checked", async () => {
	const names = kept(await rebinding("127.0.0.2", "127.0.0.1"));
	const server = kept(await httpServer((_request, response) => response.end("good"), "127.0.0.2"));
	const outbound = openOutbound({ allow: ["127.0.0.2"], lookup: names.lookup });
	const url = `http://rebound.example:${server.port}/`;
	expect((await outbound.request({ url })).body.toString()).toBe("good");
	expect(names.questions).toEqual(["A rebound.example"]);
	await expect(outbound.request({ url })).rejects.toMatchObject({ addressClass: "loopback" });
	expect(names.questions).toHaveLength(2);
	expect(server.connections).toBe(1);
});

test("the same holds for sockets and for agents, whose kept connections stay where they are", async () => {
	const names = kept(await rebinding("127.0.0.2", "127.0.0.1"));
	const server = kept(await httpServer((_request, response) => response.end("good"), "127.0.0.2"));
	const target = await victim();
	const outbound = openOutbound({ allow: ["127.0.0.2"], lookup: names.lookup });
	cleanup.push(() => outbound.close());
	const { socket, address } = await outbound.connect({ host: "rebound.example", port: server.port });
	expect(address).toBe("127.0.0.2");
	socket.destroy();
	await expect(outbound.connect({ host: "rebound.example", port: target.port })).rejects.toMatchObject({
		addressClass: "loopback",
	});
	expect(target.connections).toBe(0);
});

test("a redirect to a rebound name, an address, or another notation of it is refused at that hop", async () => {
	const target = await victim();
	const names = kept(await rebinding("127.0.0.2", "127.0.0.1"));
	let location = "";
	const server = kept(
		await httpServer((_request, response) => response.writeHead(302, { location }).end(), "127.0.0.2"),
	);
	for (location of [
		`http://rebound.example:${target.port}/`,
		`http://127.0.0.1:${target.port}/`,
		`//0x7f000001:${target.port}/`,
		`http://[::ffff:127.0.0.1]:${target.port}/`,
		`http://localhost:${target.port}/`,
		`https://127.0.0.1:${target.port}/`,
		`http://user@127.0.0.1:${target.port}/`,
	]) {
		const lookup = location.includes("rebound") ? names.lookup : async () => ["127.0.0.2"];
		const outbound = openOutbound({ allow: ["127.0.0.2"], lookup });
		const url = `http://rebound.example:${server.port}/`;
		await expect(outbound.request({ url, redirects: 5 })).rejects.toMatchObject({
			name: "OutboundRefused",
			addressClass: "loopback",
		});
	}
	expect(target.connections).toBe(0);
	await server.idle();
});

test("a chain of redirects into private space is followed as far as it is public", async () => {
	const target = await victim();
	const seen: string[] = [];
	const server = kept(
		await httpServer((request, response) => {
			seen.push(request.url!);
			const next = { "/1": "/2", "/2": "http://b.example:PORT/3", "/3": `http://10.0.0.1:${target.port}/` }[
				request.url!
			];
			response.writeHead(307, { location: next!.replace("PORT", String(server.port)) }).end();
		}, "127.0.0.2"),
	);
	const outbound = openOutbound({ allow: ["127.0.0.2"], lookup: async () => ["127.0.0.2"] });
	await expect(outbound.request({ url: `http://a.example:${server.port}/1`, redirects: 9 })).rejects.toMatchObject({
		addressClass: "private",
		target: `http://10.0.0.1:${target.port}`,
	});
	expect(seen).toEqual(["/1", "/2", "/3"]);
});

test.each(["file:///etc/passwd", "ftp://a.example/", "gopher://127.0.0.1:6379/_FLUSHALL", "javascript:1"])(
	"%s is refused for its scheme, as the first URL and as a redirect",
	async (url) => {
		const server = kept(await httpServer((_request, response) => response.writeHead(302, { location: url }).end()));
		const outbound = openOutbound({ allow: ["127.0.0.1"] });
		const first = outbound.request({ url });
		await expect(first).rejects.toMatchObject({ name: "OutboundRefused", reason: "scheme" });
		const second = outbound.request({ url: `http://127.0.0.1:${server.port}/`, redirects: 1 });
		await expect(second).rejects.toMatchObject({ name: "OutboundRefused", reason: "scheme" });
	},
);

test.each([25, 22, 6667, 110, 6000, 10080])("no HTTP goes to port %i, but a plain connection may", async (port) => {
	const outbound = openOutbound({ allow: ["private"] });
	await expect(outbound.request({ url: `http://127.0.0.9:${port}/` })).rejects.toMatchObject({ reason: "port" });
	const named = openOutbound({ allow: ["mail.example"], lookup: async () => ["127.0.0.9"] });
	await expect(named.request({ url: `http://mail.example:${port}/` })).rejects.toMatchObject({ code: "ECONNREFUSED" });
	await expect(outbound.connect({ host: "127.0.0.9", port })).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test.each([
	"Host",
	"connection",
	"Transfer-Encoding",
	"content-length",
	"upgrade",
	"TE",
	"Expect",
	"Proxy-Authorization",
])("the header %s cannot be set", async (name) => {
	const server = await victim();
	const request = { url: `http://127.0.0.1:${server.port}/`, headers: { [name]: "1" } };
	await expect(openOutbound({ allow: ["private"] }).request(request)).rejects.toMatchObject({ reason: "header" });
	expect(server.connections).toBe(0);
});

test.each([
	[{ "x\r\ny": "1" }],
	[{ x: "1\r\nhost: internal" }],
	[{ x: "1\n" }],
	[{ "": "1" }],
	[{ "x y": "1" }],
	[{ x: "☃" }],
])("a header that would write another one is refused: %j", async (headers) => {
	const request = { url: "http://127.0.0.1:1/", headers: headers as Record<string, string> };
	await expect(openOutbound({ allow: ["private"] }).request(request)).rejects.toMatchObject({ reason: "header" });
});

test.each(["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\n"])("the method %j is refused", async (method) => {
	const request = { url: "http://127.0.0.1:1/", method: method as "GET" };
	await expect(openOutbound({ allow: ["private"] }).request(request)).rejects.toMatchObject({ reason: "method" });
});

test.each([0, -1, 65_536, 1.5, Number.NaN])("port %s is refused", async (port) => {
	await expect(openOutbound({ allow: [] }).connect({ host: "a.example", port })).rejects.toMatchObject({
		reason: "port",
	});
});

test("a proxy of the environment is not used", async () => {
	const proxy = await victim();
	const server = kept(await httpServer((_request, response) => response.end("direct")));
	const names = ["HTTP_PROXY", "http_proxy", "ALL_PROXY"];
	for (const name of names) process.env[name] = `http://127.0.0.1:${proxy.port}`;
	try {
		const response = await openOutbound({ allow: ["private"] }).request({ url: `http://127.0.0.1:${server.port}/` });
		expect(response.body.toString()).toBe("direct");
		expect(proxy.connections).toBe(0);
	} finally {
		for (const name of names) delete process.env[name];
	}
});

test("no error shows a path, a query, a password or a header", async () => {
	const garbage = kept(await tcpServer((socket) => socket.end("hunter2 hunter2 hunter2\r\n\r\n")));
	const reset = kept(await tcpServer((socket) => socket.destroy()));
	const silent = kept(await tcpServer(() => {}));
	const elsewhere = kept(
		await httpServer((_request, response) => response.writeHead(302, { location: "ftp://x/hunter2" }).end()),
	);
	const nowhere = kept(
		await httpServer((_request, response) => response.writeHead(302, { location: "http://hunter2 x/" }).end()),
	);
	const endless = kept(
		await httpServer((_request, response) => response.writeHead(302, { location: "/hunter2" }).end()),
	);
	const untrusted = kept(await httpsServer((_request, response) => response.end(), certificate("good")));
	const outbound = openOutbound({ allow: ["127.0.0.1"] });
	const at = (port: number, scheme = "http") => `${scheme}://u:hunter2@127.0.0.1:${port}/hunter2?hunter2#hunter2`;
	const limits = { headers_ms: 50 };
	const tries: Parameters<typeof outbound.request>[0][] = [
		{ url: "http://u:hunter2@10.0.0.1/hunter2?hunter2" },
		{ url: "ftp://u:hunter2@a.example/hunter2" },
		{ url: "http://u:hunter2@a b/hunter2" },
		{ url: "hunter2" },
		{ url: "http://%zzhunter2:%zz@127.0.0.1:1/" },
		{ url: at(25) },
		{ url: at(2) },
		{ url: at(garbage.port) },
		{ url: at(reset.port) },
		{ url: at(silent.port), limits },
		{ url: at(elsewhere.port), redirects: 1 },
		{ url: at(nowhere.port), redirects: 1 },
		{ url: at(endless.port), redirects: 1 },
		{ url: at(untrusted.port, "https") },
		{ url: at(1), headers: { "hunter2 x": "1" } },
		{ url: at(1), headers: { x: "hunter2\r\n" } },
		{ url: at(1), headers: { host: "hunter2" } },
	];
	for (const given of tries) {
		const error = await outbound.request({ headers: { authorization: "hunter2" }, ...given }).then(
			() => undefined,
			(caught: OutboundError) => caught,
		);
		expect(error?.name).toMatch(/^Outbound/);
		expect(inspect(error, { depth: 10, showHidden: true })).not.toContain("hunter2");
	}
});

test("an entry that is none is told at the start", () => {
	expect(() => openOutbound({ allow: ["10.0.0.0/99"] })).toThrow('"10.0.0.0/99" is not a range');
});
