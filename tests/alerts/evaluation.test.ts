/** What an evaluation leaves: the same history, however often, in whatever steps and by whichever worker it is done. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { burningAlerts } from "../../query/measures/alerting/records.ts";
import { Queries } from "../../query/run.ts";
import { dueOf } from "../../workers/alerts/due.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../support/database.ts";
import { insertEvents, insertSeries } from "../support/records.ts";
import { MINUTE, Simulation, START } from "./simulation.ts";

let database: TestDatabase;
let sim: Simulation;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
});
afterAll(() => database?.stop());
const fresh = () => {
	sim = new Simulation(database.client);
	return sim;
};

const deep = {
	conditions: [{ metric: "depth", operator: ">", value: 10, timeframe: "1m" }],
	allow_unknown: true,
} as const;
/** Minute by minute; the clock of the rule stands at minute 0. */
async function stepwise(project: string, minutes: number): Promise<void> {
	for (let minute = 0; minute <= minutes; minute++) await sim.evaluate(project, minute);
}

test("for, firing and the end of it are a row each, with value, threshold and one firing", async () => {
	fresh();
	await sim.values("life", "depth", { 1: 5, 2: 20, 3: 30, 4: 40, 5: 3, 6: 3 });
	await sim.rule("life", "a", { ...deep, for: "2m" });
	await stepwise("life", 6);
	const history = await sim.history("life", "a");
	expect(
		history.map(({ minute, from, to, value, threshold, notice }) => [minute, from, to, value, threshold, notice]),
	).toEqual([
		[1, "no_data", "ok", 5, 10, ""],
		[2, "ok", "pending", 20, 10, ""],
		[4, "pending", "firing", 40, 10, "fire"],
		[5, "firing", "ok", 3, 10, "resolve"],
	]);
	expect(new Set(history.slice(2).map(({ firing_id }) => firing_id)).size).toBe(1);
	expect(history[2]!.firing_id).toMatch(/^firing_[0-9a-f]{16}$/);
	expect(sim.heard.map(({ notice }) => notice)).toEqual(["", "", "fire", "resolve"]);
});

test("catching up, in any steps and by any worker, writes the history of minute by minute", async () => {
	fresh();
	const values = Object.fromEntries(Array.from({ length: 24 }, (_, i) => [i + 1, (i * 7919) % 23]));
	const rule = { ...deep, for: "1m", keep_firing_for: "2m" };
	for (const project of ["steps", "once", "jumps"]) {
		await sim.values(project, "depth", values);
		sim.now = START;
		await sim.rule(project, "a", rule);
	}
	await stepwise("steps", 24);
	await sim.evaluate("once", 24);
	for (const minute of [3, 4, 12, 12, 24]) await sim.evaluate("jumps", minute);
	const history = await sim.path("steps", "a");
	expect(history.length).toBeGreaterThan(8);
	expect(await sim.path("once", "a")).toEqual(history);
	expect(await sim.path("jumps", "a")).toEqual(history);
});

test("an evaluation that died between history and standing is done again, and nothing is told twice", async () => {
	fresh();
	await sim.values("torn", "depth", { 1: 5, 2: 20 });
	await sim.rule("torn", "a", deep);
	await stepwise("torn", 1);
	await database.client.command({
		query: "CREATE TABLE kept_instances AS alert_instances ENGINE = MergeTree ORDER BY project",
	});
	const copy = "INSERT INTO kept_instances SELECT * FROM alert_instances WHERE project = 'torn'";
	await database.client.command({ query: copy });
	await sim.evaluate("torn", 2);
	await database.client.command({
		query: "DELETE FROM alert_instances WHERE project = 'torn'",
		clickhouse_settings: { mutations_sync: "2" },
	});
	await database.client.command({ query: "INSERT INTO alert_instances SELECT * FROM kept_instances" });
	const before = await sim.history("torn", "a");
	await sim.evaluate("torn", 2);
	expect(await sim.history("torn", "a")).toEqual(before);
	expect(before.map(({ to }) => to)).toEqual(["ok", "firing"]);
});

test("two workers at once write one row for one change", async () => {
	fresh();
	await sim.values("twice", "depth", { 1: 5, 2: 20, 3: 2 });
	await sim.rule("twice", "a", deep);
	for (let minute = 0; minute <= 3; minute++)
		await Promise.all([sim.evaluate("twice", minute), sim.evaluate("twice", minute), sim.evaluate("twice", minute)]);
	expect(await sim.path("twice", "a")).toEqual(["1 no_data→ok", "2 ok→firing", "3 firing→ok"]);
});

test("instances of group_by live their own lives, and other projects change nothing", async () => {
	fresh();
	await sim.values("groups", "depth", { 1: 5, 2: 20, 3: 20 }, { queue: "x 'ü/\"" });
	await sim.values("groups", "depth", { 1: 50, 2: 2, 3: 2 }, { queue: "y" });
	await sim.values("elsewhere", "depth", { 1: 99, 2: 99, 3: 99 }, { queue: "z" });
	await sim.rule("groups", "a", { ...deep, group_by: ["queue"] });
	await sim.rule("elsewhere", "a", { ...deep, group_by: ["queue"] });
	await stepwise("groups", 3);
	const history = (await sim.history("groups", "a")).map(({ minute, labels, to }) => [minute, labels.queue, to]);
	expect(history.filter(([, queue]) => queue === "y")).toEqual([
		[1, "y", "firing"],
		[2, "y", "ok"],
	]);
	expect(history.filter(([, queue]) => queue === "x 'ü/\"")).toEqual([
		[1, "x 'ü/\"", "ok"],
		[2, "x 'ü/\"", "firing"],
	]);
	expect(history).toHaveLength(4);
	expect(await sim.history("elsewhere", "a")).toEqual([]);
});

test("records that come late leave a note and page nobody", async () => {
	fresh();
	await sim.values("late", "depth", { 1: 5, 2: 5, 3: 5, 4: 5, 5: 5 });
	await sim.rule("late", "a", deep);
	await stepwise("late", 4);
	await sim.values("late", "depth", { 3: 100 });
	for (const minute of [5, 6, 10, 15]) await sim.evaluate("late", minute);
	const history = await sim.history("late", "a");
	expect(history.map(({ minute, kind, to }) => [minute, kind, to])).toEqual([
		[1, "transition", "ok"],
		[3, "late_data", ""],
	]);
	expect(history[1]).toMatchObject({ notice: "", value: 52.5, threshold: 10 });
	expect(history[1]!.reason).toMatch(/late.* clear .* a breach/);
});

describe("without data", () => {
	const gap = { 1: 20, 5: 20, 6: 1 };
	test.each([
		["keep_last", ["1 no_data→firing", "6 firing→ok"]],
		["ok", ["0 no_data→ok", "1 ok→firing", "2 firing→ok", "5 ok→firing", "6 firing→ok"]],
		["alert", ["1 no_data→firing", "2 firing→no_data", "5 no_data→firing", "6 firing→ok"]],
	] as const)("%s is kept to", async (no_data, expected) => {
		fresh();
		await sim.values(`policy ${no_data}`, "depth", gap);
		await sim.rule(`policy ${no_data}`, "a", { ...deep, no_data: no_data === "alert" ? "keep_last" : no_data });
		if (no_data === "alert") {
			// From minute 1 on, so that the time before the first record is not what it is about.
			await sim.evaluate("policy alert", 1);
			await sim.rule("policy alert", "a", { ...deep, no_data });
		}
		for (let minute = 1; minute <= 6; minute++) await sim.evaluate(`policy ${no_data}`, minute);
		expect(await sim.path(`policy ${no_data}`, "a")).toEqual(expected);
	});

	test("absence is true of what was heard of and is silent, and of nothing that never was", async () => {
		fresh();
		await sim.values("absent", "beat", { 1: 1, 2: 1, 6: 1 }, { host: "a" });
		await sim.values("absent", "beat", { 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1 }, { host: "b" });
		const conditions = [{ type: "absence" as const, metric: "beat", timeframe: "2m" }];
		await sim.rule("absent", "a", { conditions, group_by: ["host"], allow_unknown: true });
		await stepwise("absent", 6);
		expect(
			(await sim.history("absent", "a"))
				.filter(({ labels }) => labels.host === "a")
				.map(({ minute, to }) => [minute, to]),
		).toEqual([
			[1, "ok"],
			[4, "firing"],
			[6, "ok"],
		]);
		expect((await sim.history("absent", "a")).filter(({ labels }) => labels.host === "b")).toHaveLength(1);
	});

	test("an instance that is not heard of for a day is over and forgotten", async () => {
		fresh();
		await sim.values("gone", "depth", { 1: 20 }, { queue: "x" });
		await sim.rule("gone", "a", { ...deep, group_by: ["queue"], interval: "30m" });
		await sim.rule("gone", "b", { ...deep, group_by: ["queue"] });
		await sim.evaluate("gone", 2);
		for (const hour of [5, 10, 20, 26]) while (await sim.evaluate("gone", hour * 60));
		expect((await sim.history("gone", "b")).map(({ to, reason }) => [to, reason])).toEqual([
			["firing", "the conditions hold"],
			["ok", "not heard of for a day"],
		]);
	});
});

describe("a rule that changes", () => {
	test("keeps its instances when it looks at the same, and ends them when it does not", async () => {
		fresh();
		await sim.values("changed", "depth", { 1: 20, 2: 20, 3: 20, 4: 20, 5: 20 });
		await sim.rule("changed", "a", deep);
		await stepwise("changed", 1);
		await sim.rule("changed", "a", { ...deep, name: "another name", severity: "critical" });
		await sim.evaluate("changed", 2);
		sim.now += 30_000;
		await sim.rule("changed", "a", {
			...deep,
			conditions: [{ metric: "depth", operator: "<", value: 10, timeframe: "1m" }],
		});
		while (await sim.evaluate("changed", 3));
		expect(await sim.path("changed", "a")).toEqual(["1 no_data→firing", "2.5 firing→ok", "3 no_data→ok"]);
	});

	test.each([
		["in the minute in which it fired", 1.75],
		["minutes after it fired", 3.75],
	])("what burns of it still, changed %s, is a firing of its own that is told and shown", async (when, minute) => {
		fresh();
		const next = Math.ceil(minute);
		await sim.values(when, "depth", { 1: 20, 2: 20, 3: 20, 4: 20 });
		await sim.rule(when, "a", deep);
		await stepwise(when, Math.floor(minute));
		sim.now = START + minute * MINUTE;
		await sim.rule(when, "a", { ...deep, conditions: [{ ...deep.conditions[0], value: 11 }] });
		while (await sim.evaluate(when, next));
		const history = await sim.history(when, "a");
		expect(history.map(({ minute, to, notice }) => [minute, to, notice])).toEqual([
			[1, "firing", "fire"],
			[minute, "ok", "resolve"],
			[next, "firing", "fire"],
		]);
		const [before, over, now] = history.map(({ firing_id }) => firing_id);
		expect([over === before, now === before]).toEqual([true, false]);
		const asker = new Queries({ client: database.client, secondLock: false }).of(when);
		expect(await asker.ask(burningAlerts(sim.now + MINUTE))).toMatchObject([
			{ state: "firing", value: 20, threshold: 11 },
		]);
	});

	test("evaluated at another interval, says of no record that it came late", async () => {
		fresh();
		const queue = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [i + 1, i % 5 === 4 ? 20 : 5]));
		await sim.values("paced", "depth", queue);
		await sim.rule("paced", "a", deep);
		await stepwise("paced", 6);
		sim.now += 30_000;
		await sim.rule("paced", "a", { ...deep, interval: "5m" });
		await sim.evaluate("paced", 40);
		expect((await sim.history("paced", "a")).filter(({ kind }) => kind !== "transition")).toEqual([]);
	});

	test("disabled and enabled within one interval, what burned is over and what burns is told", async () => {
		fresh();
		await sim.values("off and on", "depth", { 1: 20, 2: 20 });
		await sim.rule("off and on", "a", deep);
		await stepwise("off and on", 1);
		for (const [seconds, enabled] of [
			[80, false],
			[100, true],
		] as const) {
			sim.now = START + seconds * 1_000;
			await sim.rule("off and on", "a", { ...deep, enabled });
			while (await sim.evaluate("off and on", seconds / 60));
		}
		await sim.evaluate("off and on", 2);
		const notices = (await sim.history("off and on", "a")).map(
			({ minute, notice }) => `${minute.toFixed(1)} ${notice}`,
		);
		expect(notices).toEqual(["1.0 fire", "1.3 resolve", "2.0 fire"]);
	});

	test.each(["disabled", "deleted"])("what burns is over when it is %s", async (how) => {
		fresh();
		await sim.values(how, "depth", { 1: 20, 2: 20, 9: 20 });
		await sim.rule(how, "a", deep);
		await stepwise(how, 1);
		sim.now = START + 1.5 * MINUTE;
		if (how === "disabled") await sim.rule(how, "a", { ...deep, enabled: false });
		else await sim.rules.delete(how, "a");
		await sim.evaluate(how, 2);
		await sim.evaluate(how, 3);
		const history = await sim.history(how, "a");
		expect(history.map(({ to, notice }) => [to, notice])).toEqual([
			["firing", "fire"],
			["ok", "resolve"],
		]);
		expect(history[1]!.reason).toContain(how);
		if (how === "deleted") return;
		sim.now = START + 8.5 * MINUTE;
		await sim.rule(how, "a", deep);
		while (await sim.evaluate(how, 9));
		expect((await sim.path(how, "a")).at(-1)).toBe("9 no_data→firing");
	});
});

test("a question that cannot be answered is an error of the rule, told once, and does not hold up the others", async () => {
	fresh();
	await sim.values("broken", "depth", { 1: 20, 2: 20 });
	await sim.rule("broken", "a", {
		conditions: [{ metric: "kpi:gone", operator: ">", value: 1, timeframe: "1m" }],
		allow_unknown: true,
	});
	await sim.rule("broken", "b", deep);
	await stepwise("broken", 2);
	expect((await sim.history("broken", "a")).map(({ kind, to }) => `${kind} ${to}`).sort()).toEqual([
		"gap ",
		"transition error",
	]);
	expect(await sim.path("broken", "b")).toEqual(["1 no_data→firing"]);
});

test("what is too much to be asked at once is asked in parts: nothing is left out, and nothing of it is an error", async () => {
	fresh();
	// As many label sets in each of two minutes as one evaluation can look at, but not in both together.
	const series = Array.from({ length: 1_200 }, (_, i) => ({
		...{ name: "depth", tags: { queue: `q${i}` } },
		points: [[START + (i < 600 ? 0.5 : 1.5) * MINUTE, 20] as const],
	}));
	await insertSeries(database.client, "parts", series);
	await sim.rule("parts", "a", { ...deep, group_by: ["queue"] });
	while (await sim.evaluate("parts", 2));
	const paths = await sim.path("parts", "a");
	expect([...new Set(paths)]).toEqual(["1 no_data→firing", "2 no_data→firing"]);
	expect(paths).toHaveLength(1_200);
});

test("conditions over metrics, events and compounds are joined at the same instant", async () => {
	fresh();
	await sim.values("joined", "depth", { 1: 20, 2: 20, 3: 20, 4: 20 });
	const at = (minute: number) => START + (minute - 0.3) * MINUTE;
	await insertEvents(
		database.client,
		"joined",
		[2, 3, 3].map((minute) => ({ event: "deploy", ts: at(minute), properties: {} })),
	);
	const deploys = { metric: "events", event: "deploy", operator: ">=", value: 1, timeframe: "1m" } as const;
	await sim.rule("joined", "both", { ...deep, conditions: [...deep.conditions, deploys] });
	await sim.rule("joined", "not", {
		...deep,
		conditions: [
			{ logic: "AND", sub_conditions: [deep.conditions[0], { logic: "NOT", sub_conditions: [deploys] }] },
		] as never,
	});
	await stepwise("joined", 4);
	// Before the first deploy ever nobody knows that there was none.
	expect(await sim.path("joined", "both")).toEqual(["2 no_data→firing", "4 firing→ok"]);
	expect(await sim.path("joined", "not")).toEqual(["2 no_data→ok", "4 ok→firing"]);
});

describe("what is due", () => {
	const rule = { interval: "5m", evaluation_delay: "10s" };
	test("is every whole interval since the last, once what was received before it is stored", () => {
		const evaluated = START;
		const at = (through: number) => dueOf(rule, { evaluated, since: START, through });
		expect(at(START + 5 * MINUTE + 9_999)).toBeUndefined();
		expect(at(START + 5 * MINUTE + 10_000)).toMatchObject({ first: START + 5 * MINUTE, last: START + 5 * MINUTE });
		expect(at(START + 17 * MINUTE)).toMatchObject({
			first: START + 5 * MINUTE,
			last: START + 15 * MINUTE,
			gap: undefined,
		});
	});

	test("is a day at most, and the rest a gap", () => {
		const due = dueOf(rule, { evaluated: START, since: START, through: START + 3 * 86_400_000 + MINUTE })!;
		expect(due.last - due.first).toBe(86_400_000);
		expect(due.gap).toEqual({ from: START + 5 * MINUTE, to: due.first });
	});

	test("never is an instant twice, and none is left out", () => {
		const clock = fc.array(fc.integer({ min: 1, max: 30 * MINUTE }), { minLength: 1, maxLength: 40 });
		fc.assert(
			fc.property(clock, (passed) => {
				let [through, evaluated] = [START, START];
				for (const ms of passed) {
					through += ms;
					const due = dueOf(rule, { evaluated, since: START, through });
					if (!due) continue;
					expect(due.first).toBe(evaluated + due.step);
					expect(due.last).toBeLessThanOrEqual(through - 10_000);
					evaluated = due.last;
				}
				expect(through - 10_000 - evaluated).toBeLessThan(5 * MINUTE);
			}),
			{ seed: 5 },
		);
	});
});
