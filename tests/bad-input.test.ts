// Whatever is sent to the ingest routes: an answer that says what is wrong, good neighbours stored, the process well.
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { brotliCompressSync, constants, deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Server, startServer, until } from "./server.ts";

const MIB = 2 ** 20;
/** Of the process while it is attacked; bodies may be 20 MiB, and several are read at once. */
const MEMORY_BYTES = 900 * MIB;
/** An attack may cost its own request time, not everybody else's. */
const STALL_MS = 5_000;

const ROUTES = {
	metric: "/v1/ingest/metrics",
	event: "/v1/ingest/events",
	log: "/v1/ingest/logs",
	error: "/v1/ingest/errors",
	batch: "/v1/ingest/batch",
} as const;
type Kind = keyof typeof ROUTES;
const KINDS = Object.keys(ROUTES) as Kind[];

let server: Server;
beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_LOG_LEVEL: "warn" } });
});
afterAll(async () => {
	expect(server.output()).not.toMatch(/"level":50|a request failed/);
	expect(await server.stop()).toEqual({ code: 0, signal: null });
});

interface Answer {
	status: number;
	headers: Headers;
	body: {
		error?: string;
		code?: number;
		accepted?: number;
		rejected?: { index: number; field: string; reason: string }[];
	};
	duration_ms: number;
}

async function post(path: string, body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
	const started = performance.now();
	const response = await fetch(server.url + path, {
		method: "POST",
		headers: { Authorization: `Bearer ${server.adminKey}`, "Content-Type": "application/json", ...headers },
		body,
	});
	const answer = (await response.json()) as Answer["body"];
	return { status: response.status, headers: response.headers, body: answer, duration_ms: performance.now() - started };
}

const NDJSON = { "Content-Type": "application/x-ndjson" };

/** A good record of the kind, recognisable by `id`, as JSON text. */
function good(kind: Kind, id: string): string {
	switch (kind) {
		case "metric":
			return JSON.stringify({ name: "good", value: 1, tags: { id } });
		case "event":
			return JSON.stringify({ event: "good", properties: { id } });
		case "error":
			return JSON.stringify({ error_message: id, error_type: "good" });
		case "log":
			return JSON.stringify({ message: id, component: "good" });
		case "batch":
			return JSON.stringify({ type: "log", message: id, component: "good" });
	}
}

/** Of a hostile member: what every place that takes a text, an object and a number must refuse. */
const NO_TEXT = ["5", "true", "null", "{}", "[]", '["x"]'];
const NO_OBJECT = ["5", '"x"', "true", "null", "[]", '[{"a":1}]'];
const NO_NUMBER = ['"1"', '"NaN"', "true", "null", "{}", "[]", "[1]", "1e400", "-1e400"];
const NO_TIME = [
	...[
		'"yesterday"',
		'""',
		'"2026-02-30T00:00:00Z"',
		'"2026-13-01T00:00:00Z"',
		'"2026-01-01"',
		"true",
		"null",
		"{}",
		"[]",
	],
	...[
		'"0000-01-01T00:00:00Z"',
		'"9999-12-31T23:59:59Z"',
		"-1",
		"0",
		"1e400",
		"-1e400",
		"18446744073709551616",
		"1e308",
	],
];
const LONG = JSON.stringify("n".repeat(201));
const DEEP = `${'{"a":'.repeat(40)}1${"}".repeat(40)}`;
const VERY_DEEP = `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`;
const DEEP_LIST = `{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
const TEN_MB = JSON.stringify("x".repeat(10_000_000));
const BIG_DOCUMENT = `{"a":${JSON.stringify("x".repeat(300_000))}}`;
const NO_DOCUMENT = [
	...NO_OBJECT,
	DEEP,
	VERY_DEEP,
	DEEP_LIST,
	BIG_DOCUMENT,
	`{"a":${TEN_MB}}`,
	'{"a":1e400}',
	'{"a":[-1e400]}',
];
const NO_NAME = [...NO_TEXT, '""', LONG, '"a\\u0000b"', '"a\\nb"', '"\\u007f"', TEN_MB];
const NO_ID = [...NO_TEXT, LONG, TEN_MB];
const NO_LEVEL = ["5", "null", "{}", '""', '"shout"', '"__proto__"', '"constructor"', '"hasOwnProperty"'];
const MANY_TAGS = `{${Array.from({ length: 65 }, (_, i) => `"t${i}":1`).join()}}`;
const TAGS_BEYOND_NUMBER = `{${Array.from({ length: 400_000 }, (_, i) => `"${i}":null`).join()}}`;
const NO_TAGS = [
	...[...NO_OBJECT, '{"a":{}}', '{"a":null}', '{"a":[1]}', '{"a":1e400}', '{"":1}', '{"a\\u0000":1}', `{${LONG}:1}`],
	...[`{"a":${JSON.stringify("x".repeat(1_025))}}`, `{"a":${TEN_MB}}`, MANY_TAGS, TAGS_BEYOND_NUMBER, VERY_DEEP],
];
const BEYOND_POINTS = `[${"1,".repeat(10_000)}1]`;
const BEYOND_NUMBER = `[${"null,".repeat(1_000_000)}1]`;

type Members = Record<string, string>;
/** Required members first, then which of them, and which others, cannot be what. */
const HOSTILE: Record<Exclude<Kind, "batch">, { base: Members; members: Record<string, string[]> }> = {
	metric: {
		base: { name: '"bad"', value: "1" },
		members: {
			...{ name: NO_NAME, value: NO_NUMBER, timestamp: NO_TIME, tags: NO_TAGS, unit: NO_ID },
			kind: ["5", "null", '"sum"', '"__proto__"', '"toString"', "[]"],
		},
	},
	event: {
		base: { event: '"bad"' },
		members: {
			...{ event: NO_NAME, properties: NO_DOCUMENT, timestamp: NO_TIME },
			...{ user_id: NO_ID, session_id: NO_ID, account_id: NO_ID, event_id: [...NO_ID, '"\\ud83d"'] },
		},
	},
	log: {
		base: { message: '"bad"' },
		members: {
			...{ message: NO_TEXT, level: NO_LEVEL, component: NO_ID, context: NO_DOCUMENT, timestamp: NO_TIME },
			...{ trace_id: NO_ID, span_id: NO_ID },
		},
	},
	error: {
		base: { error_message: '"bad"', error_type: '"bad"' },
		members: {
			...{ error_message: [...NO_TEXT, '""'], error_type: NO_NAME, severity: NO_LEVEL, context: NO_DOCUMENT },
			...{
				stack_trace: [...NO_TEXT, JSON.stringify("x".repeat(300_000)), TEN_MB],
				component: NO_ID,
				timestamp: NO_TIME,
			},
		},
	},
};
const SERIES_BASE = { name: '"bad"', timestamps: `[${Date.now()},${Date.now()}]`, values: "[1,2]" };
const HOSTILE_SERIES: Record<string, string[]> = {
	values: ["5", "null", "{}", "[]", "[1]", "[1,2,3]", '[1,"2"]', "[1,null]", "[1,1e400]", BEYOND_POINTS, BEYOND_NUMBER],
	timestamps: ["5", "null", "[]", `[${Date.now()},"yesterday"]`, `[${Date.now()},null]`, BEYOND_NUMBER],
};

const record = (members: Members) =>
	`{${Object.entries(members)
		.map(([name, value]) => `${JSON.stringify(name)}:${value}`)
		.join()}}`;

/** Name of the member that must be blamed, and the record. */
function hostileRecords(kind: Exclude<Kind, "batch">): [field: string, json: string][] {
	const { base, members } = HOSTILE[kind];
	const cases = Object.entries(members).flatMap(([member, values]) =>
		values.map((value): [string, string] => [member, record({ ...base, [member]: value })]),
	);
	for (const member of Object.keys(base)) {
		cases.push([member, record(Object.fromEntries(Object.entries(base).filter(([name]) => name !== member)))]);
	}
	if (kind === "metric") {
		for (const [member, values] of Object.entries(HOSTILE_SERIES)) {
			for (const value of values) cases.push([member, record({ ...SERIES_BASE, [member]: value })]);
		}
	}
	// Members that are only there by inheritance, were it taken over.
	cases.push(["", `{"__proto__":${record(base)}}`]);
	return [...cases, ...["null", "5", '"text"', "[]", "true", "[[]]"].map((json): [string, string] => ["", json])];
}

/** Answers of 200 to 299 and 400 to 499 are what a client can act on. */
function expectRefused({ status, body }: Answer, statuses: readonly number[]): void {
	expect(statuses, JSON.stringify(body).slice(0, 300)).toContain(status);
	expect(body).toMatchObject({ code: status, error: expect.stringMatching(/\w/) });
	expect(body.error!.length).toBeLessThan(500);
}

function memory(field: "VmRSS" | "VmHWM"): number {
	const status = readFileSync(`/proc/${server.pid}/status`, "utf8");
	return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)![1]) * 1024;
}

async function stored(kind: Kind): Promise<string[]> {
	const sql = {
		metric: "SELECT tags['id'] AS id FROM series WHERE name = 'good' GROUP BY id",
		event: "SELECT strings['id'] AS id FROM events WHERE event = 'good'",
		error: "SELECT message AS id FROM errors WHERE error_type = 'good'",
		log: "SELECT message AS id FROM logs WHERE component = 'good'",
		batch: "SELECT message AS id FROM logs WHERE component = 'good'",
	}[kind];
	return (await server.query<{ id: string }>(sql)).map(({ id }) => id);
}

describe.each(Object.keys(HOSTILE) as Exclude<Kind, "batch">[])("a bad %s", (kind) => {
	test("is refused with its member and a reason, alone and in a batch, and its neighbours are stored", async () => {
		const ids: string[] = [];
		for (const [n, [field, json]] of hostileRecords(kind).entries()) {
			const what = `${field}: ${json.slice(0, 100)}`;
			const alone = await post(ROUTES[kind], json.startsWith("[") ? `[${json}]` : json);
			expectRefused(alone, [400]);
			const typed = json.startsWith("{") ? `{"type":"${kind}"${json === "{}" ? "" : ","}${json.slice(1)}` : json;
			const pair = [`${kind}-${n}-a`, `${kind}-${n}-b`];
			for (const [path, text, headers] of [
				[ROUTES[kind], `[${good(kind, pair[0]!)},${json},${good(kind, pair[1]!)}]`, {}],
				[ROUTES.batch, [good("batch", `${pair[0]}b`), typed, good("batch", `${pair[1]}b`)].join("\r\n"), NDJSON],
			] as const) {
				const { status, body, duration_ms } = await post(path, text, headers);
				expect({ status, ...body }, what).toMatchObject({ status: 202, accepted: 2, rejected: [{ index: 1 }] });
				const { field: blamed, reason } = body.rejected![0]!;
				// Of the member, or of something in it.
				if (field !== "") expect(`${blamed}.`, `${what} → ${reason}`).toContain(`${field}.`);
				expect(reason, what).toMatch(/\w/);
				expect(reason.length, what).toBeLessThan(300);
				expect(duration_ms, what).toBeLessThan(STALL_MS);
			}
			ids.push(...pair);
		}
		await post(`${ROUTES.log}?wait=true`, good("log", `end of ${kind}`));
		expect(
			(await stored(kind)).filter((id) => id.startsWith(`${kind}-`) && !id.endsWith("bb") && !id.endsWith("ab")).sort(),
		).toEqual(ids.sort());
		expect((await stored("batch")).filter((id) => id.startsWith(`${kind}-`) && /-[ab]b$/.test(id)).length).toBe(
			ids.length,
		);
		const bad = await server.query(
			`SELECT 1 FROM logs WHERE message = 'bad' UNION ALL SELECT 1 FROM errors WHERE error_type = 'bad'
			UNION ALL SELECT 1 FROM events WHERE event = 'bad' UNION ALL SELECT 1 FROM points WHERE name = 'bad'`,
		);
		expect(bad).toEqual([]);
	}, 120_000);
});

describe.each(KINDS)("a body for %s", (kind) => {
	const path = ROUTES[kind];

	test("that is no JSON, no UTF-8 or no records is 400, 413 or 415 with the reason", async () => {
		const one = good(kind, "whole-body");
		const typeless = kind === "batch" ? { "Content-Type": "application/json" } : {};
		const refused: [string | Uint8Array, number, Record<string, string>?][] = [
			...["{", "[1,", "nul", "NaN", "Infinity", "{'a':1}", `[${one},]`, `${one}${one}`, `${one}x`, '{"a":NaN}'].map(
				(text): [string, number] => [text, 400],
			),
			...['{"records":5}', '{"records":{}}', '{"records":null}', '{"records":"x"}', '{"records":[null]}'].map(
				(text): [string, number] => [text, 400],
			),
			...["null", "5", '"text"', "true", "", " \n "].map((text): [string, number] => [text, 400]),
			...["[".repeat(100_000) + "]".repeat(100_000), VERY_DEEP, "[".repeat(100_000)].map((text): [string, number] => [
				text,
				400,
			]),
			[Buffer.concat([Buffer.from(one.slice(0, -3)), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]), 400],
			[Buffer.from([0xed, 0xa0, 0x80]), 400],
			[Buffer.from([0xc0, 0xaf]), 400],
			[Buffer.from(one).subarray(0, -4), 400],
			[Buffer.from(`\ufeff${one}`, "utf16le"), 400],
			[one.replace("good", "go\0od"), 400],
			[`[${`${one},`.repeat(10_000)}${one}]`, 413],
			[`[${"0,".repeat(100_000)}0]`, 413],
			[`"${"x".repeat(21 * MIB)}"`, 413],
			[one, 415, { "Content-Type": "text/plain" }],
			[one, 415, { "Content-Type": "multipart/form-data; boundary=x" }],
			[one, 415, { "Content-Type": "__proto__" }],
			[one, 415, { "Content-Encoding": "zip" }],
			[one, 415, { "Content-Encoding": "gzip, gzip" }],
			[one, 415, { "Content-Encoding": "constructor" }],
			[one, 400, { "Content-Encoding": "gzip" }],
			[one, 400, { "Content-Encoding": "br" }],
			[gzipSync(one).subarray(0, -9), 400, { "Content-Encoding": "gzip" }],
			[gzipSync(one).subarray(0, 5), 400, { "Content-Encoding": "gzip" }],
			[deflateSync(one).subarray(0, -5), 400, { "Content-Encoding": "deflate" }],
			[Buffer.concat([gzipSync(one), Buffer.from("rubbish")]), 400, { "Content-Encoding": "gzip" }],
			[one, 400, { "Idempotency-Key": "" }],
			[one, 400, { "Idempotency-Key": "k".repeat(257) }],
		];
		for (const [body, status, headers] of refused) {
			const answer = await post(path, body, { ...typeless, ...headers });
			expectRefused(answer, [status]);
			expect(answer.duration_ms).toBeLessThan(STALL_MS);
		}
	}, 120_000);

	test("that expands beyond the limit is 413, read no further than that", async () => {
		const zeros = gzipSync(Buffer.alloc(16 * MIB, " "));
		const bombs: [Uint8Array, string][] = [
			// 1 GiB out of 1 MiB.
			[Buffer.concat(Array.from({ length: 64 }, () => zeros)), "gzip"],
			[gzipSync(Buffer.alloc(128 * MIB, "[")), "gzip"],
			[deflateSync(Buffer.alloc(64 * MIB, " ")), "deflate"],
			[brotliCompressSync(Buffer.alloc(64 * MIB), { params: { [constants.BROTLI_PARAM_QUALITY]: 3 } }), "br"],
		];
		for (const [bomb, encoding] of bombs) {
			const answer = await post(path, bomb, { "Content-Encoding": encoding });
			expectRefused(answer, [413]);
			expect(answer.body).toMatchObject({ limit: 20 * MIB });
		}
	}, 60_000);

	test("of 20 MB that is nothing but structure is refused without a stall", async () => {
		for (const text of [
			...["[".repeat(9 * MIB) + "]".repeat(9 * MIB), `[${"{},".repeat(6 * MIB)}{}]`],
			`${'{"a":'.repeat(3 * MIB)}1${"}".repeat(3 * MIB)}`,
			`{${Array.from({ length: 1_500_000 }, (_, i) => `"${i.toString(36)}":1`).join()}}`,
		]) {
			const answer = post(path, text);
			const other = await post(ROUTES.log, good("log", "meanwhile"));
			expect(other.status).toBe(202);
			expectRefused(await answer, [400, 413]);
			expect((await answer).duration_ms).toBeLessThan(STALL_MS);
		}
	}, 60_000);

	test("with another method is 405 that names the right one", async () => {
		for (const method of ["GET", "HEAD", "PUT", "PATCH", "DELETE"]) {
			const response = await server.request(path, { method });
			expect({ method, status: response.status, allow: response.headers.get("allow") }).toEqual({
				...{ method, status: 405, allow: "POST" },
			});
		}
	});

	test("without a key, or with a bad one, is 401, and nothing of it is read", async () => {
		for (const authorization of ["", "Bearer", "Bearer nobody", "Basic eDp5", `Bearer ${"x".repeat(5_000)}`]) {
			const answer = await post(path, good(kind, "unauthorised"), { Authorization: authorization });
			expectRefused(answer, [401]);
		}
		expect(await stored(kind)).not.toContain("unauthorised");
	});

	test("with a refused one before it on the same connection is taken", async () => {
		const big = "x".repeat(200_000);
		const one = good(kind, `${kind} after trouble`);
		const head = (length: number, more = "") =>
			`POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.adminKey}\r\nContent-Type: application/json\r\n${more}Content-Length: ${length}\r\n\r\n`;
		const pipelined = [
			head(big.length) + big,
			head(big.length, "Content-Encoding: gzip\r\n") + big,
			head(big.length, "Content-Encoding: nope\r\n") + big,
			head(big.length, "Idempotency-Key: \r\n") + big,
			`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${big.length}\r\n\r\n${big}`,
			`PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: ${big.length}\r\n\r\n${big}`,
			`${head(one.length, "Connection: close\r\n")}${one}`,
		];
		const answers = await exchange(pipelined.join(""));
		expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual([400, 400, 415, 400, 401, 405, 202].map((s) => `HTTP/1.1 ${s}`));
	});
});

/** Sends bytes on a connection of their own and gives what came back until it was closed. */
function exchange(bytes: string | Buffer, { end = false } = {}): Promise<string> {
	return new Promise((resolve) => {
		let answers = "";
		const socket = connect(Number(new URL(server.url).port), "127.0.0.1", () => {
			if (end) socket.end(bytes);
			else socket.write(bytes);
		});
		socket.setTimeout(20_000, () => socket.destroy(new Error(`no end of the answer: ${answers}`)));
		socket.setEncoding("latin1").on("data", (text: string) => {
			answers += text;
		});
		// A connection that is cut off has answered with what came before.
		socket.once("error", () => undefined);
		socket.once("close", () => resolve(answers));
	});
}

describe("a request that breaks HTTP", () => {
	const head = (more: string) =>
		`POST ${ROUTES.log} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.adminKey}\r\nConnection: close\r\n${more}\r\n`;

	test("is answered with 400 or cut off, and nothing of it is stored", async () => {
		const line = good("log", "broken http");
		expect(await exchange(head(`Content-Length: ${line.length + 10}\r\n`) + line, { end: true })).toMatch(
			/^(HTTP\/1.1 400|$)/,
		);
		expect(await exchange(head(`Content-Length: -1\r\n`) + line)).toMatch(/^(HTTP\/1.1 400|$)/);
		expect(await exchange(head(`Content-Length: 1e3\r\n`) + line)).toMatch(/^(HTTP\/1.1 400|$)/);
		expect(await exchange(head(`Content-Length: ${line.length}\r\nContent-Length: 5\r\n`) + line)).toMatch(
			/^(HTTP\/1.1 400|$)/,
		);
		expect(await exchange(head(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`) + line)).toMatch(
			/^(HTTP\/1.1 400|$)/,
		);
		expect(await exchange(`${head("Transfer-Encoding: chunked\r\n")}zz\r\n${line}`)).toMatch(/^(HTTP\/1.1 400|$)/);
		expect(
			await exchange(`${head("Transfer-Encoding: chunked\r\n")}5\r\n${line.slice(0, 5)}\r\n`, { end: true }),
		).toMatch(/^(HTTP\/1.1 400|$)/);
		// Shorter than it says: what follows is no request.
		expect(await exchange(head(`Content-Length: ${line.length - 5}\r\n`) + line)).toMatch(/^(HTTP\/1.1 400|$)/);
		expect(await exchange(`\x16\x03\x01\x02\x00\x01\x00${"\0".repeat(100)}`)).toMatch(/^(HTTP\/1.1 400|$)/);
		expect(await exchange(head(`X-Big: ${"x".repeat(100_000)}\r\n`) + line)).toMatch(/^HTTP\/1.1 431/);
		expect(await stored("log")).not.toContain("broken http");
	});

	test("by dripping its body does not hold up anybody else", async () => {
		// Half of them send enough to hold a place among the large bodies.
		const sockets = Array.from({ length: 12 }, (_, i) => {
			const socket = connect(Number(new URL(server.url).port), "127.0.0.1");
			socket.on("error", () => undefined);
			socket.write(head(`Content-Length: ${19 * MIB}\r\nContent-Type: application/json\r\n`));
			if (i % 2 === 0) socket.write(" ".repeat(600_000));
			return socket;
		});
		const drip = setInterval(() => {
			for (const socket of sockets) socket.write(" ");
		}, 200);
		try {
			for (let i = 0; i < 5; i++) {
				const { status, duration_ms } = await post(ROUTES.log, good("log", `beside slow ones ${i}`));
				expect(status).toBe(202);
				expect(duration_ms).toBeLessThan(2_000);
			}
			const large = `${good("log", "large, beside slow ones")}${" ".repeat(2 * MIB)}`;
			for (const [body, headers] of [[large], [gzipSync(large), { "Content-Encoding": "gzip" }]] as const) {
				const answer = await post(ROUTES.log, body, headers);
				expect(answer.status).toBe(202);
				expect(answer.duration_ms).toBeLessThan(15_000);
			}
		} finally {
			clearInterval(drip);
			for (const socket of sockets) socket.destroy();
		}
	}, 120_000);
});

describe("odd but good input", () => {
	const ODD = [
		"__proto__",
		"constructor",
		"hasOwnProperty",
		"toString",
		"__defineGetter__",
		"prototype",
		"valueOf",
		"$where",
	];

	test("names of JavaScript's own are names like others: stored as they were sent", async () => {
		const members = `{${ODD.map((name) => `"${name}":"v ${name}"`).join()}}`;
		const lines = ODD.flatMap((name) => [
			`{"type":"metric","name":"odd ${name}","value":1,"tags":${members}}`,
			`{"type":"metric","name":"${name}","value":1,"tags":{"${name}":"odd"}}`,
			`{"type":"event","event":"${name}","user_id":"${name}","event_id":"${name}","properties":${members}}`,
			`{"type":"event","event":"nested ${name}","properties":{"${name}":${members}}}`,
			`{"type":"log","message":"${name}","component":"${name}","context":${members}}`,
			`{"type":"error","error_message":"${name}","error_type":"${name}","component":"odd","context":${members}}`,
		]);
		const first = await post(ROUTES.batch, lines.join("\n"), { ...NDJSON, "Idempotency-Key": "__proto__" });
		expect({ status: first.status, ...first.body }).toEqual({ status: 202, accepted: lines.length, rejected: [] });
		const again = await post(`${ROUTES.batch}?wait=true`, lines.join("\n"), {
			...NDJSON,
			"Idempotency-Key": "__proto__",
		});
		expect(again.body).toEqual(first.body);
		expect(again.headers.get("idempotency-replayed")).toBe("true");
		expect(
			await (await server.request(`${ROUTES.log}?wait=true`, { body: { message: "odd end" } })).json(),
		).toMatchObject({ accepted: 1 });
		const expected = Object.entries(JSON.parse(members) as Record<string, string>);
		const texts = async (sql: string) => (await server.query<{ t: string }>(sql)).map(({ t }) => t);
		for (const name of ODD) {
			const pairs = JSON.stringify(expected);
			expect(
				await texts(
					`SELECT toJSONString(arrayMap(p -> [p.1, p.2], CAST(tags, 'Array(Tuple(String, String))'))) AS t FROM series WHERE name = 'odd ${name}'`,
				),
			).toEqual([JSON.stringify(expected.toSorted(([a], [b]) => (a < b ? -1 : 1)))]);
			expect(await texts(`SELECT tags['${name}'] AS t FROM series WHERE name = '${name}'`)).toEqual(["odd"]);
			const strings = "toJSONString(arrayMap(p -> [p.1, p.2], CAST(strings, 'Array(Tuple(String, String))')))";
			expect(
				await texts(
					`SELECT ${strings} AS t FROM events WHERE event = '${name}' AND user_id = '${name}' AND event_id = '${name}'`,
				),
			).toEqual([pairs]);
			expect(await texts(`SELECT strings['${name}.toString'] AS t FROM events WHERE event = 'nested ${name}'`)).toEqual(
				["v toString"],
			);
			expect(await texts(`SELECT context AS t FROM logs WHERE message = '${name}' AND component = '${name}'`)).toEqual([
				members,
			]);
			expect(
				await texts(`SELECT context AS t FROM errors WHERE message = '${name}' AND error_type = '${name}'`),
			).toEqual([members]);
		}
	});

	test("ids, tags and keys of any characters are stored, told apart, and stop nothing", async () => {
		const weird = [
			..."'\"`\\\0\b\t\n\r\x1a\x7f\u0080\u2028\ufeff\ufffd😀{}[]%?&;,",
			...[
				"\\N",
				"\\0",
				"''",
				"\\'",
				"{ids:String}",
				"--",
				"/*",
				"a\0b",
				"\0",
				"\r\n--boundary",
				"NULL",
				" ",
				"\\x41",
				"😀",
			],
		];
		const ids = weird.map((text) => `${text}|`).concat(weird);
		const events = ids.map((event_id) => ({
			event: "weird",
			event_id,
			user_id: event_id,
			properties: { [event_id]: event_id },
		}));
		for (let time = 0; time < 2; time++) {
			const answer = await post(`${ROUTES.event}?wait=true`, JSON.stringify(events));
			expect({ status: answer.status, ...answer.body }).toEqual({ status: 200, accepted: ids.length, rejected: [] });
		}
		const unique = [...new Set(ids)].sort();
		const rows = await server.query<{ id: string; user: string; property: string }>(
			"SELECT event_id AS id, user_id AS user, strings[event_id] AS property FROM events WHERE event = 'weird'",
		);
		expect(rows.map(({ id }) => id).sort()).toEqual(unique);
		for (const { id, user, property } of rows) expect([user, property]).toEqual([id, id]);

		// Two series whose parts, put together without care, are the same text.
		const twins = [
			{ name: "twin", value: 1, tags: { a: "x\0b\0y" } },
			{ name: "twin", value: 2, tags: { a: "x", b: "y" } },
			{ name: "twin", value: 4, unit: "u\0a\0x" },
			{ name: "twin", value: 8, unit: "u", tags: { a: "x" } },
			{ name: "twin", value: 16, unit: "\0a", tags: { b: "" } },
			{ name: "twin", value: 32, tags: { a: "", b: "" } },
		];
		const taken = await post(`${ROUTES.metric}?wait=true`, JSON.stringify(twins));
		expect(taken.body).toEqual({ accepted: twins.length, rejected: [] });
		const series = await server.query<{ value: number; tags: Record<string, string> }>(
			`SELECT value, tags FROM points JOIN (SELECT series_id, any(tags) AS tags FROM series GROUP BY series_id) AS s USING (series_id)
			WHERE name = 'twin' ORDER BY value`,
		);
		expect(series).toEqual(twins.map(({ value, tags = {} }) => ({ value, tags })));
	});

	test("a duplicate member counts as its last, CRLF and blank lines are no records, one bad line is one", async () => {
		const doubled = await post(
			ROUTES.log,
			'{"message":"first","message":"doubled","component":"odd","component":"good"}',
		);
		expect(doubled.body).toEqual({ accepted: 1, rejected: [] });
		const text = ["", good("log", "crlf 1"), "", "   ", "{bad", good("log", "crlf 2"), ""].join("\r\n");
		const lines = await post(`${ROUTES.log}?wait=true`, text, NDJSON);
		expect(lines.body).toMatchObject({
			accepted: 2,
			rejected: [{ index: 1, field: "", reason: expect.stringContaining("JSON") }],
		});
		expect(await stored("log")).toEqual(expect.arrayContaining(["doubled", "crlf 1", "crlf 2"]));
		const utf8 = await post(ROUTES.log, `\ufeff${good("log", "bom")}\n${good("log", "after bom")}`, NDJSON);
		expect(utf8.status).toBe(202);
		for (const none of ["[]", '{"records":[]}'])
			expect((await post(ROUTES.log, none)).body).toEqual({ accepted: 0, rejected: [] });
	});

	test("a message of 10 MB is cut, marked, and taken at once; a stack that is made to slow down its reader does not", async () => {
		const long = await post(`${ROUTES.log}?wait=true`, `{"message":${TEN_MB},"component":"long"}`);
		expect(long.status).toBe(200);
		const [row] = await server.query<{ bytes: number; end: string }>(
			"SELECT length(message) AS bytes, right(message, 5) AS end FROM logs WHERE component = 'long'",
		);
		expect(row).toEqual({ bytes: 65_536, end: "[cut]" });
		for (const piece of ["@", ":1", "at ", "1:", "a1", " ", "(", "\n", "0x", 'File "', "deadbeef1"]) {
			const text = JSON.stringify(piece.repeat(Math.floor(250_000 / piece.length)));
			for (const body of [
				`{"error_message":"slow","error_type":"Slow","stack_trace":${text}}`,
				`{"error_message":${JSON.stringify(piece.repeat(Math.floor(3_000_000 / piece.length)))},"error_type":"Slow"}`,
			]) {
				const answer = await post(ROUTES.error, body);
				expect(answer.status).toBe(202);
				expect(answer.duration_ms, piece).toBeLessThan(2_000);
			}
		}
	}, 60_000);
});

test("after all that the memory was bounded and the process answers as before", async () => {
	expect(memory("VmHWM")).toBeLessThan(MEMORY_BYTES);
	const answer = await server.request(`${ROUTES.log}?wait=true`, {
		body: { message: "still here", component: "good" },
	});
	expect(answer.status).toBe(200);
	expect(await stored("log")).toContain("still here");
	expect((await server.request("/readyz")).status).toBe(200);
	const metrics = await (await server.request("/metrics")).text();
	await until(() => /^tidemark_ingest_imbalance 0$/m.test(metrics));
	expect(await server.query("SELECT * FROM quarantine")).toEqual([]);
});
