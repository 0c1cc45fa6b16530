// Errors through the whole program: reported, grouped into issues, taken care of, and back again.
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Client, NotFoundError, PermissionError, ValidationError } from "../client/index.ts";
import { ingestAnswer, issueAnswer, issuesAnswer } from "../schema/wire/index.ts";
import { type Server, startServer } from "./server.ts";

let server: Server;
let client: Client;
beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_COLLECT_INTERVAL: "off", TIDEMARK_SELF_PROJECT: "off" } });
	client = new Client({ apiKey: server.adminKey, baseUrl: server.url });
});
afterAll(async () => {
	await client?.shutdown();
	await server?.stop();
});

/** Thrown from other lines at each call. */
const failing = [
	(order: number) => {
		throw new RangeError(`order ${order} is too large`, { cause: new TypeError("amount is undefined") });
	},
] as const;
function checkout(order: number): unknown {
	try {
		return failing[0](order);
	} catch (error) {
		return error;
	}
}

test("an issue that was resolved is regressed by the next error of it, and the audit log knows who said so", async () => {
	const { monitoring } = client;
	for (const order of [1, 22]) monitoring.reportError(checkout(order), { component: "shop", user_id: `u${order}` });
	await client.flush({ wait: true });
	const { issues, total_issues } = issuesAnswer.strict().parse(await monitoring.issues({ component: "shop" }));
	expect(total_issues).toBe(1);
	const [issue] = issues;
	expect(issue).toMatchObject({
		...{ type: "RangeError", title: "RangeError: order 22 is too large", status: "open", component: "shop" },
		...{ count: 2, count_ever: 2, affected_users: 2, culprit: expect.stringContaining("errors.test") },
	});
	const { issue_id } = issue!;
	const one = issueAnswer.strict().parse(await monitoring.issue(issue_id, { timeframe: "1h", granularity: "5m" }));
	expect(one.chain.map(({ type, message }) => [type, message])).toEqual([
		["RangeError", "order 22 is too large"],
		["TypeError", "amount is undefined"],
	]);
	expect(one.occurrences).toHaveLength(2);

	const resolved = await monitoring.updateIssue(issue_id, { status: "resolved", note: "checked" });
	expect(resolved).toMatchObject({ status: "resolved", changes: [{ status: "resolved", note: "checked" }] });
	expect((await monitoring.issues({ status: ["open", "regressed"] })).issues).toEqual([]);
	// One that happened before and arrives late changes nothing.
	const late = { timestamp: new Date(Date.parse(resolved.changes[0]!.at) - 60_000) };
	monitoring.reportError(checkout(3), { component: "shop", ...late });
	await client.flush({ wait: true });
	expect(await monitoring.issue(issue_id)).toMatchObject({ status: "resolved", count: 3 });

	monitoring.reportError(checkout(4), { component: "shop" });
	await client.flush({ wait: true });
	expect((await monitoring.issues({ status: "regressed" })).issues).toMatchObject([{ issue_id, count: 4 }]);
	expect(await monitoring.issue(issue_id, { as_of: new Date(Date.parse(resolved.changes[0]!.at) + 1) })).toMatchObject({
		status: "resolved",
	});
	expect((await monitoring.updateIssue(issue_id, { status: "resolved" })).status).toBe("resolved");
	const audit = await server.query("SELECT target, detail FROM audit_log WHERE action = 'issue.update' ORDER BY seq");
	expect(audit).toEqual([
		{ target: issue_id, detail: '{"status":"resolved","note":"checked"}' },
		{ target: issue_id, detail: '{"status":"resolved"}' },
	]);
});

test("issues are refused to those who may not see or change them", async () => {
	const { monitoring } = client;
	await expect(monitoring.issue("0123456789abcdef")).rejects.toBeInstanceOf(NotFoundError);
	await expect(monitoring.updateIssue("x/../y", { status: "open" })).rejects.toBeInstanceOf(NotFoundError);
	await expect(monitoring.issues({ status: "closed" })).rejects.toBeInstanceOf(ValidationError);
	const made = await server.request("/v1/keys", { body: { name: "viewer", roles: ["analytics_viewer"] } });
	const viewer = new Client({ apiKey: ((await made.json()) as { api_key: string }).api_key, baseUrl: server.url });
	const { issues } = await viewer.monitoring.issues();
	await expect(viewer.monitoring.updateIssue(issues[0]!.issue_id, { status: "open" })).rejects.toBeInstanceOf(
		PermissionError,
	);
});

test("the answer to errors names each, and tells the first of an issue from the others", async () => {
	const record = { error_message: "boom", error_type: "Answered", stack_trace: "Error\n    at f (/app/a.js:1:1)" };
	const send = async (body: unknown, headers: Record<string, string> = {}) => {
		const response = await server.request("/v1/ingest/errors", { body, headers });
		return { status: response.status, answer: ingestAnswer.strict().parse(await response.json()) };
	};
	const key = { "Idempotency-Key": "errors-1" };
	const first = await send([record, { error_type: "" }, { ...record, error_message: "bang" }], key);
	expect(first.status).toBe(202);
	expect(first.answer).toMatchObject({
		accepted: 2,
		rejected: [{ index: 1 }],
		errors: [{ is_new: true }, { is_new: false }],
	});
	const { errors, issue_ids } = first.answer;
	expect(errors!.map(({ issue_id }) => issue_id)).toEqual(issue_ids);
	expect(new Set(issue_ids).size).toBe(1);
	expect(new Set(errors!.map(({ error_id }) => error_id)).size).toBe(2);
	expect((await send([record, { error_type: "" }, { ...record, error_message: "bang" }], key)).answer).toEqual(
		first.answer,
	);
	expect((await send({ ...record, stack_trace: record.stack_trace.replace(":1:1", ":9:9") })).answer).toMatchObject({
		errors: [{ issue_id: issue_ids![0], is_new: false }],
	});
	await server.request("/v1/ingest/errors?wait=true", { body: [] });
	const stored = await server.query(
		"SELECT toString(id) AS id FROM errors WHERE error_type = 'Answered' ORDER BY errors.id",
	);
	expect(stored).toHaveLength(3);
	for (const { error_id } of errors!) expect(stored).toContainEqual({ id: error_id });
});

test("the server takes whatever the SDK makes of what was thrown", async () => {
	const angry = () => {
		throw new Error("no");
	};
	let deep: object = {};
	for (let i = 0; i < 5_000; i++) deep = { deep };
	const named = (name: unknown) => Object.assign(new Error("named"), { name });
	const thrown: unknown[] = [
		...["text", "", "\ud83d", "x".repeat(2_000_000), 7, 10n, undefined, null, true, Symbol("s"), () => 1, deep, []],
		...[named("é".repeat(500)), named("a\nb\u0000c"), named(""), named(5), named({}), new Error("m".repeat(500_000))],
		new Proxy(new Error("x"), { get: angry, has: angry, getPrototypeOf: angry, ownKeys: angry }),
		new AggregateError(Array.from({ length: 100 }, (_, i) => new Error(`${i}`.repeat(50_000)))),
		Object.assign(new Error("own"), { stack: `Error: own\n${"    at f (/app/ü.js:1:1)\n".repeat(50_000)}` }),
		runInNewContext("new RangeError('foreign')"),
		new DOMException("stopped", "AbortError"),
	];
	const sender = new Client({ apiKey: server.adminKey, baseUrl: server.url });
	for (const one of thrown) sender.monitoring.reportError(one, { component: "hostile", user_id: "u" });
	for (const context of [{ deep }, { large: "x".repeat(1_000_000) }, { n: Number.NaN, big: 1n, f: angry }]) {
		sender.monitoring.reportError(new Error("context"), { component: "hostile", context });
	}
	expect(await sender.flush({ wait: true })).toBe(true);
	expect(sender.stats()).toMatchObject({ accepted: thrown.length + 3, rejected: 0, dropped: 0, recent_rejections: [] });
	const found = await server.query<{ n: number }>("SELECT count() AS n FROM errors WHERE component = 'hostile'");
	expect(found).toEqual([{ n: thrown.length + 3 }]);
	await sender.shutdown();
});
