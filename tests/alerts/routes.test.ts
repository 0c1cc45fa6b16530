/** The routes of alerts as a client meets them: what is refused, what is answered, and to whom. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { alertsAnswer, createdAlertAnswer, sentBacktest } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../support/database.ts";
import { type Reads, startReads } from "../support/reads.ts";
import { insertSeries } from "../support/records.ts";
import { MINUTE, Simulation, START } from "./simulation.ts";

const PATH = "/v1/monitoring/alerts";
const NOW = START + 90 * MINUTE;
let database: TestDatabase;
let reads: Reads;
let sim: Simulation;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	reads = await startReads(database.client, { projects: ["p", "other", "empty", "unread"], now: NOW });
	sim = new Simulation(database.client);
	const values = Object.fromEntries(Array.from({ length: 90 }, (_, i) => [i + 1, (i * 37) % 17]));
	await sim.values("p", "queue_depth", values, { queue: "a" });
	await sim.values("p", "queue_depth", Object.fromEntries(Object.keys(values).map((minute) => [minute, 1])), {
		queue: "b",
	});
}, 60_000);
afterAll(() => database?.stop());

const condition = { metric: "queue_depth", operator: "greater_than", threshold: 10, timeframe: "1m" };
const rule = { name: "deep", conditions: [condition], group_by: ["queue"] };
const create = async (body: object, project = "p") => {
	const answer = await reads.send(project, "POST", PATH, body);
	expect(answer.status, JSON.stringify(answer.body)).toBe(201);
	return answer.body;
};

describe("a rule is refused by the member that is wrong:", () => {
	const deepened = (depth: number): object =>
		depth === 0 ? condition : { logic: "NOT", sub_conditions: [deepened(depth - 1)] };
	const of = (over: object) => ({ ...rule, conditions: [{ ...condition, ...over }] });
	const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`l${i}`, "x"]));
	test.each([
		["an unknown metric", of({ metric: "queue_dept" }), "conditions.0.metric", ["queue_depth"]],
		["a measure misspelt", of({ metric: "eror_rate" }), "conditions.0.metric", ["error_rate"]],
		["an unknown event", of({ metric: "events", event: "nope" }), "conditions.0.event", []],
		["events without one", of({ metric: "events" }), "conditions.0.event", []],
		["a KPI that is not there", of({ metric: "kpi:nope" }), "conditions.0.metric", []],
		["a threshold of the wrong type", of({ threshold: "high" }), "conditions.0.threshold", []],
		["both dialects at once", of({ value: 3 }), "conditions.0.value", []],
		["an operator that is none", of({ operator: "~" }), "conditions.0.operator", ["greater_than"]],
		["a timeframe under a minute", of({ timeframe: "30s" }), "conditions.0.timeframe", ["5m"]],
		["a timeframe that is none", of({ timeframe: "soon" }), "conditions.0.timeframe", ["5m"]],
		[
			"an aggregation that a measure has not",
			of({ metric: "error_rate", aggregation: "p95" }),
			"conditions.0.aggregation",
			["avg"],
		],
		["a query that is none", of({ metric: "logs", query: "level:(error" }), "conditions.0.query", []],
		["recovery beyond the threshold", of({ recovery_threshold: 11 }), "conditions.0.recovery_threshold", []],
		["a type that is none", of({ type: "magic" }), "conditions.0.type", ["compound"]],
		[
			"NOT of two",
			{ ...rule, conditions: [{ logic: "NOT", sub_conditions: [condition, condition] }] },
			"conditions.0.sub_conditions",
			[],
		],
		[
			"something wrong inside",
			{ ...rule, conditions: [{ logic: "AND", sub_conditions: [condition, { ...condition, metric: "nope_nope" }] }] },
			"conditions.0.sub_conditions.1.metric",
			[],
		],
		["one that would contain itself", { ...rule, conditions: [deepened(1_000)] }, "conditions", []],
		["nesting that is too deep", { ...rule, conditions: [deepened(6)] }, "conditions", []],
		["too many conditions", { ...rule, conditions: Array.from({ length: 21 }, () => condition) }, "conditions", []],
		["no condition", { ...rule, conditions: [] }, "conditions", []],
		["an evaluation every second", { ...rule, interval: "1s" }, "interval", []],
		["10,000 labels", { ...rule, labels: many }, "labels", []],
		["a tag twice", { ...rule, group_by: ["a", "a"] }, "group_by", []],
		["a measure that has no such tag", { ...of({ metric: "active_users" }), group_by: ["host.name"] }, "group_by", []],
		["a severity that is none", { ...rule, severity: "bad" }, "severity", ["critical"]],
		[
			"an address that is none",
			{ ...rule, notifications: [{ type: "email", recipients: ["x"] }] },
			"notifications.0.recipients.0",
			[],
		],
		["a channel that is none", { ...rule, notifications: [{ type: "pigeon" }] }, "notifications.0.type", ["email"]],
		[
			"a masked secret",
			{ ...rule, notifications: [{ type: "pagerduty", integration_key: "***" }] },
			"notifications.0.integration_key",
			[],
		],
		[
			"levels out of order",
			{
				...rule,
				escalation_policy: {
					levels: [
						{ delay_minutes: 5, notify: ["a"] },
						{ delay_minutes: 0, notify: ["b"] },
					],
				},
			},
			"escalation_policy.levels",
			[],
		],
		["a member that is none", { ...rule, thresold: 1 }, "thresold", []],
	])("%s", async (_, body, parameter, options) => {
		const answer = await reads.send("p", "POST", PATH, body);
		expect([answer.status, answer.body.details?.parameter]).toEqual([400, parameter]);
		expect(answer.body.details.valid_options).toEqual(expect.arrayContaining(options));
	});

	test("and one that nobody sent yet is accepted when that is said", async () => {
		await create({ ...of({ metric: "soon_to_come" }), allow_unknown: true }, "empty");
		await create({ ...of({ metric: "system.cpu.utilization" }) }, "empty");
	});
});

test("both dialects make the same rule, with every default in the answer", async () => {
	const long = await create(rule);
	const short = await create({
		...rule,
		conditions: [{ metric: "queue_depth", operator: ">", value: 10, timeframe: "1m" }],
	});
	expect(short.conditions).toEqual(long.conditions);
	expect(createdAlertAnswer.parse(long)).toEqual(long);
	expect(long).toMatchObject({
		status: "active",
		state: "no_data",
		trigger_count: 0,
		last_triggered: null,
		logic: "AND",
	});
	expect((await reads.get("p", `${PATH}/${long.alert_id}`)).body.conditions).toEqual(long.conditions);
	expect((await create({ ...rule, severity: "warning" })).severity).toBe("medium");
});

test("secrets go in and do not come out", async () => {
	const secrets = ["Bearer s3cret", "hooks/T1/B2", "routing-key-1"];
	const notifications = [
		{ type: "webhook", url: "https://a.example/hooks/T1/B2?token=t0ken", headers: { Authorization: "Bearer s3cret" } },
		{ type: "slack", webhook_url: "https://hooks.example/hooks/T1/B2", channel: "#alerts" },
		{ type: "pagerduty", integration_key: "routing-key-1" },
		{ type: "teams", webhook_url: "https://t.example/hooks/T1/B2", format: "adaptive_card" },
		{ type: "email", recipients: ["ops@company.com"] },
	];
	const made = await create({ ...rule, notifications });
	const texts = [made, (await reads.get("p", `${PATH}/${made.alert_id}`)).body, (await reads.get("p", PATH)).body];
	texts.push((await reads.send("p", "PATCH", `${PATH}/${made.alert_id}`, { severity: "low" })).body);
	for (const text of texts.map((one) => JSON.stringify(one)))
		for (const secret of [...secrets, "t0ken"]) expect(text).not.toContain(secret);
	expect(made.notifications[0]).toEqual({
		type: "webhook",
		url: "https://a.example/***",
		headers: { Authorization: "***" },
	});
	expect(made.notifications[4]).toEqual(notifications[4]);
});

test("a rule is changed member by member, and is gone when it is deleted", async () => {
	const made = await create(rule);
	const path = `${PATH}/${made.alert_id}`;
	const patched = await reads.send("p", "PATCH", path, {
		for: "5m",
		enabled: false,
		runbook_url: "https://run.example/book",
	});
	expect(patched.body).toMatchObject({
		for: "5m",
		status: "disabled",
		name: "deep",
		runbook_url: "https://run.example/book",
	});
	expect((await reads.send("p", "PATCH", path, { conditions: [{ ...condition, metric: "nope_nope" }] })).status).toBe(
		400,
	);
	expect((await reads.send("p", "PATCH", path, { alert_id: "x" })).body.details.parameter).toBe("alert_id");
	expect((await reads.send("p", "DELETE", path)).status).toBe(204);
	for (const [method, of] of [
		["GET", path],
		["PATCH", path],
		["DELETE", path],
		["GET", `${path}/history`],
	] as const)
		expect((await reads.send("p", method, of, method === "PATCH" ? {} : undefined)).status).toBe(404);
});

test("viewers read, editors write, and other projects see nothing", async () => {
	const made = await create(rule);
	const path = `${PATH}/${made.alert_id}`;
	for (const of of [PATH, path, `${path}/history`])
		expect((await reads.get("p", of, {}, "analytics_viewer")).status).toBe(200);
	const writes = [
		["POST", PATH, rule],
		["PATCH", path, {}],
		["DELETE", path],
		["POST", `${path}/acknowledge`, {}],
		["POST", `${path}/test`, {}],
	] as const;
	for (const [method, of, body] of writes) {
		const answer = await reads.send("p", method, of, body, "analytics_viewer");
		expect([answer.status, answer.body.required_role]).toEqual([403, "analytics_editor"]);
		if (of !== PATH) expect((await reads.send("other", method, of, body)).status).toBe(404);
	}
	for (const of of [path, `${path}/history`]) expect((await reads.get("other", of)).status).toBe(404);
	expect((await reads.get("other", PATH)).body).toMatchObject({
		alerts: [],
		total_alerts: 0,
		active_alerts: 0,
		triggered_last_24h: 0,
	});
	expect((await reads.send("p", "POST", `${path}/test`, {})).body).toMatchObject({ code: 503, part: "notifications" });
});

describe("a backtest", () => {
	test("tells what the evaluation then does", async () => {
		const body = { ...rule, for: "1m", keep_firing_for: "2m" };
		const window = { start: new Date(START).toISOString(), end: new Date(NOW).toISOString() };
		const { body: tested } = await reads.send("p", "POST", `${PATH}/backtest`, { ...body, ...window });
		const { name, ...unnamed } = body;
		expect((await reads.send("p", "POST", `${PATH}/backtest`, { ...unnamed, ...window })).body, name).toEqual(tested);
		sim.now = START;
		await sim.rule("p", "tested", {
			...body,
			conditions: [{ metric: "queue_depth", operator: ">", value: 10, timeframe: "1m" }],
		});
		for (let minute = 0; minute <= 90; minute += 15) await sim.evaluate("p", minute);
		const history = (await sim.history("p", "tested")).filter(({ notice }) => notice !== "");
		const told = history.map(({ minute, notice, labels }) => `${minute} ${notice} ${labels.queue}`);
		const at = (time: string) => (Date.parse(time) - START) / MINUTE;
		type Episode = { start: string; end: string | null; labels: { queue: string }; peak_value: number };
		const episodes = tested.episodes as Episode[];
		expect(
			episodes.flatMap(({ start, end, labels }) => [
				`${at(start)} fire ${labels.queue}`,
				...(end ? [`${at(end)} resolve ${labels.queue}`] : []),
			]),
		).toEqual(told);
		expect(tested).toMatchObject({ evaluations: 91, firings: episodes.length, instances: 2 });
		expect(episodes.length).toBeGreaterThan(2);
		for (const { peak_value } of episodes) expect(peak_value).toBeGreaterThan(10);
		const stored = await reads.send("p", "POST", `${PATH}/backtest`, { alert_id: "tested", ...window });
		expect(stored.body).toEqual(tested);
	});

	test("comes with a new rule, of the last seven days", async () => {
		const { backtest } = await create(rule);
		expect(backtest.window.end).toBe(new Date(NOW).toISOString());
		expect(backtest.firings).toBeGreaterThan(2);
		const { backtest: none, backtest_skipped } = await create({
			...rule,
			group_by: [],
			conditions: [{ metric: "active_users", operator: "<", value: 1 }],
		});
		expect(none).toBeNull();
		expect(backtest_skipped).toContain("instant by instant");
	});

	test.each([
		["a rule and the id of one", { conditions: [condition], alert_id: "x" }, "conditions"],
		["neither", {}, "conditions"],
		[
			"a window without an instant",
			{ conditions: [condition], start: "2026-03-28T20:00:10Z", end: "2026-03-28T20:00:20Z" },
			"start",
		],
		["two months every minute", { conditions: [condition], start: "2026-01-28T20:00:10Z" }, "start"],
		["a time that is none", { conditions: [condition], start: "yesterday" }, "start"],
	])("is refused with %s", async (_, body, parameter) => {
		const answer = await reads.send("p", "POST", `${PATH}/backtest`, body);
		expect([answer.status, answer.body.details?.parameter]).toEqual([400, parameter]);
	});
});

describe("what fires", () => {
	beforeAll(async () => {
		await insertSeries(database.client, "other", [
			{
				name: "load",
				tags: { host: "h" },
				points: [
					[NOW - 90_000, 3],
					[NOW - 30_000, 7],
				],
			},
		]);
		sim.now = NOW - 2 * MINUTE;
		await sim.rule("other", "burns", {
			conditions: [{ metric: "load", operator: ">", value: 2, timeframe: "1m" }],
			severity: "high",
			group_by: ["host"],
			message: "{{name}}: {{value}} over {{threshold}} on {{labels.host}}{{labels.nope}}",
		});
		await sim.rule("other", "waits", {
			conditions: [{ metric: "load", operator: ">", value: 2, timeframe: "1m" }],
			for: "1h",
		});
		await sim.evaluate("other", 89);
		await sim.evaluate("other", 90);
	});

	test("is in the list, in the rule and in the health of the system, with a value that satisfies its operator", async () => {
		const { body: list } = await reads.get("other", PATH);
		expect(list).toMatchObject({ total_alerts: 2, active_alerts: 2, triggered_last_24h: 1, firings_last_24h: 1 });
		expect(list.alerts[0]).toMatchObject({ alert_id: "burns", state: "firing", trigger_count: 1, firing_instances: 1 });
		expect(list.evaluation).toEqual({ through: new Date(NOW).toISOString(), lag_seconds: 0 });
		const { body: burns } = await reads.get("other", `${PATH}/burns`);
		expect(burns.instances).toMatchObject([
			{ labels: { host: "h" }, state: "firing", value: 7, threshold: 2, acknowledged: null },
		]);
		const { body: health } = await reads.get("other", "/analytics/system/health");
		expect(health.alerts).toEqual(
			[
				{
					level: "error",
					message: "burns: 7 over 2 on h",
					threshold: 2,
					current: 7,
					state: "firing",
					alert_id: "burns",
				},
				{
					level: "warning",
					message: "waits: load is 7, above 2",
					threshold: 2,
					current: 7,
					state: "pending",
					alert_id: "waits",
				},
			].map((one) => ({ ...one, message: expect.stringMatching(one.alert_id) })),
		);
		expect((await reads.get("empty", "/analytics/system/health")).body.alerts).toEqual([]);
		const early = new Date(NOW - MINUTE - 1).toISOString();
		expect((await reads.get("other", "/analytics/system/health", { as_of: early })).body.alerts).toEqual([]);
	});

	test("is acknowledged once, by whom and with what they say, until it fires anew", async () => {
		const path = `${PATH}/burns`;
		expect((await reads.send("other", "POST", `${PATH}/waits/acknowledge`, {})).status).toBe(409);
		expect((await reads.send("other", "POST", `${path}/acknowledge`, { instance: "nope" })).status).toBe(409);
		const first = await reads.send("other", "POST", `${path}/acknowledge`, { note: "on it" });
		const again = await reads.send("other", "POST", `${path}/acknowledge`, { note: "me too" });
		expect(first.body.acknowledged).toHaveLength(1);
		expect(again.body).toEqual(first.body);
		const { acknowledged } = (await reads.get("other", path)).body.instances[0];
		expect(acknowledged).toMatchObject({ at: new Date(NOW).toISOString(), note: "on it" });
		expect((await reads.get("other", `${path}/history`, { kind: "acknowledge" })).body.history).toHaveLength(1);
		await insertSeries(database.client, "other", [
			{
				name: "load",
				tags: { host: "h" },
				points: [
					[NOW + 30_000, 1],
					[NOW + 90_000, 9],
				],
			},
		]);
		await sim.evaluate("other", 92);
		expect((await reads.get("other", path)).body.instances[0]).toMatchObject({
			state: "firing",
			acknowledged: null,
			trigger_count: 2,
		});
	});

	test("leaves a history that pages through once, newest first", async () => {
		const whole = (await reads.get("p", `${PATH}/tested/history`)).body.history;
		expect(whole.length).toBeGreaterThan(8);
		const paged: unknown[] = [];
		let cursor: string | null = "";
		while (cursor !== null) {
			const page = (await reads.get("p", `${PATH}/tested/history`, { limit: 3, ...(cursor ? { cursor } : {}) })).body;
			paged.push(...page.history);
			cursor = page.next_cursor as string | null;
		}
		expect(paged).toEqual(whole);
		expect((await reads.get("p", `${PATH}/tested/history`, { cursor: "nonsense" })).status).toBe(400);
	});
});

test("a rule that does not fit its schema is in the list with what is wrong, is told apart from one that is not there, and can be deleted", async () => {
	const row = { project: "unread", kind: "alert", deleted: 0, version: "1" };
	const values = [
		{ ...row, id: "old", body: JSON.stringify({ name: "From before", severity: "high", conditions: "cpu > 1" }) },
		{ ...row, id: "torn", body: "{" },
	];
	await database.client.insert({ table: "definitions", values, format: "JSONEachRow" });
	const kpi = [{ ...row, kind: "kpi", id: "kpi_old", body: "{}" }];
	await database.client.insert({ table: "definitions", values: kpi, format: "JSONEachRow" });
	const made = await create({ ...rule, allow_unknown: true, name: "good" }, "unread");
	const { status, body } = await reads.get("unread", PATH);
	expect(status).toBe(200);
	expect(body).toMatchObject({ total_alerts: 3, active_alerts: 3 });
	expect(alertsAnswer.parse(body).alerts.map(({ name, severity, state }) => [name, severity, state])).toEqual([
		...[
			["From before", "high", "error"],
			["torn", "medium", "error"],
			["good", "medium", "no_data"],
		],
	]);
	expect(body.alerts[0].error).toContain("alert old of project unread does not fit its schema: conditions");
	expect((await reads.get("unread", PATH, { state: "error" })).body.alerts).toHaveLength(2);
	const one = await reads.get("unread", `${PATH}/old`);
	expect([one.status, one.body.error]).toEqual([409, body.alerts[0].error]);
	expect((await reads.send("unread", "PATCH", `${PATH}/old`, { severity: "low" })).status).toBe(409);
	for (const id of ["old", "torn", made.alert_id])
		expect((await reads.send("unread", "DELETE", `${PATH}/${id}`)).status).toBe(204);
	expect((await reads.send("unread", "DELETE", `${PATH}/old`)).status).toBe(404);
	expect((await reads.get("unread", PATH)).body.total_alerts).toBe(0);
});

test("a rule of anomalies alone keeps firing for an hour unless it says how long, and its backtest does as well", async () => {
	const anomaly = { type: "anomaly_detection", metric: "queue_depth" };
	const kept = async (conditions: object[], over: object = {}) =>
		(await create({ name: "odd", conditions, ...over })).keep_firing_for as string;
	expect(await kept([anomaly])).toBe("1h");
	expect(await kept([anomaly, { ...anomaly, sensitivity: "low" }])).toBe("1h");
	expect(await kept([anomaly, condition])).toBe("0s");
	expect(await kept([condition])).toBe("0s");
	expect(await kept([anomaly], { keep_firing_for: "0s" })).toBe("0s");
	const refused = await reads.send("p", "POST", PATH, { name: "odd", conditions: [anomaly], keep_firing_for: 5 });
	expect(refused.body.details.parameter).toBe("keep_firing_for");
	expect(sentBacktest.parse({ conditions: [anomaly] }).keep_firing_for).toBe("1h");
	expect(sentBacktest.parse({ conditions: [condition] }).keep_firing_for).toBe("0s");
});
