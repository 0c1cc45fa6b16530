import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { errorContext, errorRecord } from "./error-record.ts";

describe("a thrown value", () => {
	test("that is an Error has its type, message and calls", () => {
		class PlanError extends Error {}
		const record = errorRecord(new PlanError("no plan"));
		expect(record).toMatchObject({ error_type: "PlanError", error_message: "no plan" });
		expect(record.stack_trace).toMatch(/^PlanError: no plan\n\s+at .*error-record\.test/);
	});

	test("shows what caused it, down to the root, each once", () => {
		const root = new RangeError("root");
		const middle = new TypeError("middle", { cause: root });
		const outer = new Error("outer", { cause: middle });
		(root as { cause?: unknown }).cause = outer;
		const parts = errorRecord(outer).stack_trace!.split("\nCaused by: ");
		expect(parts.map((part) => part.split("\n")[0])).toEqual(["Error: outer", "TypeError: middle", "RangeError: root"]);
		for (const part of parts) expect(part).toMatch(/\n\s+at /);
	});

	test("is followed by the members of an aggregate, each with its own causes", () => {
		const all = new AggregateError([new Error("one", { cause: new Error("of one") }), "two", { code: 3 }], "several", {
			cause: new Error("why"),
		});
		const parts = errorRecord(all).stack_trace!.split("\nCaused by: ");
		expect(parts.map((part) => part.split("\n")[0])).toEqual([
			"AggregateError: several",
			"Error: why",
			"Error: one",
			"Error: of one",
			"string: two",
			'Object: {"code":3}',
		]);
	});

	test.each([
		["text", { error_type: "string", error_message: "text" }],
		["", { error_type: "string", error_message: "unknown error" }],
		[7, { error_type: "number", error_message: "7" }],
		[undefined, { error_type: "undefined", error_message: "unknown error" }],
		[null, { error_type: "object", error_message: "unknown error" }],
		[Symbol("s"), { error_type: "symbol", error_message: "Symbol(s)" }],
		[{ code: 5 }, { error_type: "Object", error_message: '{"code":5}' }],
		[
			{ message: "like one", name: "HttpError" },
			{ error_type: "HttpError", error_message: "like one" },
		],
		[Object.create(null), { error_type: "object", error_message: "{}" }],
		[new DOMException("stopped", "AbortError"), { error_type: "AbortError", error_message: "stopped" }],
		[Object.assign(new Error(""), { name: "" }), { error_type: "Error", error_message: "Error" }],
		[
			Object.assign(new Error("x"), { name: `${"ä".repeat(300)}` }),
			{ error_type: "ä".repeat(100), error_message: "x" },
		],
		[Object.assign(new Error("x"), { name: "Two\nLines" }), { error_type: "Two Lines" }],
		[
			Object.assign(new Error("x"), { name: 5, message: { a: 1 } }),
			{ error_type: "5", error_message: "[object Object]" },
		],
	])("%#: whatever it is has a type and a message", (thrown, expected) => {
		expect(errorRecord(thrown)).toMatchObject(expected);
	});

	test("may be of another realm", () => {
		const error = runInNewContext("new TypeError('foreign', { cause: new RangeError('below') })");
		expect(error instanceof Error).toBe(false);
		const record = errorRecord(error);
		expect(record).toMatchObject({ error_type: "TypeError", error_message: "foreign" });
		expect(record.stack_trace).toMatch(/^TypeError: foreign\n[\s\S]*\nCaused by: RangeError: below\n/);
	});

	test("may be what a browser's event carries", () => {
		const event = (tag: string, members: object) =>
			Object.assign(Object.create({ [Symbol.toStringTag]: tag }), members);
		expect(errorRecord(event("ErrorEvent", { message: "Uncaught", error: new TypeError("inner") }))).toMatchObject({
			error_type: "TypeError",
		});
		expect(errorRecord(event("PromiseRejectionEvent", { reason: "why" }))).toMatchObject({
			...{ error_type: "string", error_message: "why" },
		});
	});

	test("of Firefox or Safari gets the head that V8's stacks have", () => {
		const error = Object.assign(new TypeError("load"), {
			stack: "load@https://a.example/x.js:1:2\nrun@https://a.example/y.js:3:4",
		});
		expect(errorRecord(error).stack_trace).toBe(
			"TypeError: load\nload@https://a.example/x.js:1:2\nrun@https://a.example/y.js:3:4",
		);
	});

	test("has calls although its message is larger than a stack may be, and its root cause is never cut away", () => {
		const huge = () => "m".repeat(1_000_000);
		let error = new Error(`root ${huge()}`);
		for (let i = 0; i < 50; i++) error = new Error(`${i} ${huge()}`, { cause: error });
		const record = errorRecord(error);
		expect(record.error_message!.length).toBeLessThanOrEqual(16_000);
		expect(record.stack_trace!.length).toBeLessThanOrEqual(61_000);
		const parts = record.stack_trace!.split("\nCaused by: ");
		expect(parts).toHaveLength(9);
		for (const part of parts) expect(part).toMatch(/\n\s+at /);
	});

	test("never throws on, whatever its getters do", () => {
		const angry = () => {
			throw new Error("no");
		};
		const proxy = new Proxy(new Error("x"), { get: angry, getPrototypeOf: angry, has: angry, ownKeys: angry });
		const revoked = Proxy.revocable({}, {});
		revoked.revoke();
		const getters = Object.defineProperties(new Error("x"), {
			// First, since V8 reads the message to make it.
			stack: { get: angry },
			message: { get: angry },
			cause: { get: angry },
			name: { get: angry },
			constructor: { get: angry },
		});
		const endless = { toString: angry, toJSON: angry, [Symbol.toPrimitive]: angry };
		for (const thrown of [proxy, revoked.proxy, getters, endless, Object.assign(new Error("x"), { cause: proxy })]) {
			const record = errorRecord(thrown);
			expect(record.error_type).toMatch(/./);
			expect(record.error_message).toMatch(/./);
		}
	});
});

describe("the context of a report", () => {
	test("names the user and the trace, and is absent when nothing is known", () => {
		expect(errorContext(undefined, {})).toBeUndefined();
		expect(errorContext({ model: "m" }, { user_id: "u", trace_id: "t" })).toEqual({
			model: "m",
			user_id: "u",
			trace_id: "t",
		});
		expect(errorContext(undefined, { user_id: "u" })).toEqual({ user_id: "u" });
		expect(errorContext({ user_id: "inner" }, {})).toEqual({ user_id: "inner" });
	});

	test("is cut down rather than refused", () => {
		let deep: object = {};
		for (let i = 0; i < 10_000; i++) deep = { deep };
		const large = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`k${i}`, "v".repeat(1_000)]));
		for (const context of [{ deep }, { large }, large, { list: Array.from({ length: 100_000 }, () => "x") }]) {
			const cut = errorContext(context, { user_id: "u" })!;
			expect(JSON.stringify(cut).length).toBeLessThanOrEqual(60_100);
			expect(cut).toMatchObject({ truncated: true, user_id: "u" });
		}
		expect(errorContext({ n: 10n, self: null }, {})).toEqual({ n: "10", self: null });
	});
});
