import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, test } from "vitest";
import { logRecord as schema } from "../../schema/wire/ingest.ts";
import { logRecord } from "./log-record.ts";
import { ownLogStream } from "./log-stream.ts";
import { Outbox } from "./outbox.ts";

/** The record of what is logged, through pino itself. */
function recordOf(log: (logger: pino.Logger) => void) {
	const lines: string[] = [];
	log(pino({ level: "trace", base: null }, { write: (line) => void lines.push(line) }));
	expect(lines).toHaveLength(1);
	return logRecord(lines[0]!);
}

test.each([
	["trace", undefined],
	["debug", undefined],
	["info", "info"],
	["warn", "warning"],
	["error", "error"],
	["fatal", "critical"],
] as const)("a line of level %s is %s", (level, expected) => {
	const record = recordOf((logger) => logger[level]("hello"));
	expect(record?.level).toBe(expected);
	if (record) expect(schema.parse(record)).toEqual(record);
});

test("component and message are taken out, the rest is context, the time is that of the line", () => {
	const before = Date.now();
	const record = recordOf((logger) => logger.warn({ component: "engine", part: 3, at: { deep: [1] } }, "slow"));
	expect(record).toMatchObject({ message: "slow", component: "engine", context: { part: 3, at: { deep: [1] } } });
	expect(record?.timestamp).toBeGreaterThanOrEqual(before);
	expect(recordOf((logger) => logger.info("plain"))).toEqual({
		...{ message: "plain", level: "info", component: "tidemark", timestamp: expect.any(Number) },
	});
});

test("an error keeps its type, its text and its stack", () => {
	const record = recordOf((logger) => logger.error({ err: new TypeError("no") }, "failed"));
	expect(record?.context?.err).toMatchObject({
		type: "TypeError",
		message: "no",
		stack: expect.stringContaining("no"),
	});
});

test("no secret gets into a record, wherever it stands", () => {
	const secret = "hunter2hunter2";
	const record = recordOf((logger) =>
		logger.error(
			{
				...{ adminKey: secret, "x-api-key": secret, redis_password: secret, TOKEN: secret, refreshToken: secret },
				headers: { Authorization: `Bearer ${secret}`, "set-cookie": [secret] },
				list: [{ secret }, `redis://user:${secret}@127.0.0.1:6379/0`],
				sql: `connect password='${secret}' now`,
				err: new Error(`GET http://u:${secret}@h/?api_key=${secret}&x=1 with Bearer ${secret}`),
				kept: { key_id: "k1", keys: 3, monkey: null },
			},
			`token: ${secret}, then`,
		),
	);
	expect(JSON.stringify(record)).not.toContain(secret);
	expect(record?.context?.kept).toEqual({ key_id: "k1", keys: 3, monkey: null });
	expect(JSON.stringify(record)).toContain("redis://[redacted]@127.0.0.1:6379/0");
	expect(JSON.stringify(record)).toContain("x=1");
});

test("what is nested without end is cut", () => {
	let deep: object = {};
	for (let i = 0; i < 40; i++) deep = { deep };
	expect(JSON.stringify(recordOf((logger) => logger.info(deep, "m")))).toContain("[deeper]");
});

test.each(["", "not json", "null", "1", "{}", '{"level":"info"}'])("%j is no line of pino's", (line) => {
	expect(logRecord(line)).toBeUndefined();
});

test("every line goes where it went before, also one that becomes no record", async () => {
	const printed: string[] = [];
	const stdout = new Writable({
		write(chunk, _encoding, done) {
			printed.push(String(chunk));
			done();
		},
	});
	const outbox = new Outbox({ flush_ms: 600_000 });
	const sent: object[] = [];
	outbox.open({
		ready: () => true,
		async write(_signal, records) {
			sent.push(...records);
			return { rejected: [] };
		},
	});
	const logger = pino({ level: "debug", base: null }, ownLogStream(stdout, outbox));
	logger.debug("a");
	logger.info("b");
	await outbox.close();
	expect(printed.map((line) => JSON.parse(line).msg)).toEqual(["a", "b"]);
	expect(sent).toMatchObject([{ message: "b" }]);
});
