/** `anomaly_detection` as a condition of a rule: on stored records, by label set, in evaluations and backtests. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../support/database.ts";
import { randomFrom } from "../support/random.ts";
import { startReads } from "../support/reads.ts";
import { insertSeries } from "../support/records.ts";
import { MINUTE, Simulation, START } from "./simulation.ts";

const DAY = 1_440;
/** Minutes after START in which `web` does something that it never did. */
const SPIKE = { from: 100, to: 160 };

let database: TestDatabase;
let sim: Simulation;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	sim = new Simulation(database.client);
	const u = randomFrom(3);
	const load = (days: number, spiked: boolean) => {
		const points: [number, number][] = [];
		for (let minute = -days * DAY; minute < 240; minute += 2.5) {
			const usual = 100 + 40 * Math.sin((2 * Math.PI * minute) / DAY) + 6 * u();
			const isSpike = spiked && minute >= SPIKE.from && minute < SPIKE.to;
			points.push([START + minute * MINUTE, isSpike ? 5 * usual : usual]);
		}
		return points;
	};
	await insertSeries(database.client, "p", [
		{ name: "load", tags: { part: "web" }, points: load(29, true) },
		{ name: "load", tags: { part: "db" }, points: load(29, false) },
		{ name: "load", tags: { part: "young" }, points: load(1, true) },
	]);
	await insertSeries(database.client, "other", [{ name: "load", tags: { part: "web" }, points: load(1, true) }]);
	const rule = {
		conditions: [{ type: "anomaly_detection" as const, metric: "load", sensitivity: "low" as const }],
		...{ group_by: ["part"], allow_unknown: true },
	};
	sim.now = START;
	await sim.rule("p", "a", rule);
	await sim.rule("p", "below", { ...rule, conditions: [{ ...rule.conditions[0]!, direction: "below" as const }] });
	await sim.rule("other", "a", rule);
	// Every look learns anew what is usual; what fires in one of them goes on in the next.
	for (const minute of [0, 120, 180, 240])
		for (const project of ["p", "other"]) while (await sim.evaluate(project, minute));
}, 120_000);
afterAll(() => database?.stop());

test("a series fires when it does what it never did at this hour, and no other does", async () => {
	const fired = (await sim.history("p", "a")).filter(({ notice }) => notice !== "");
	expect(fired.map(({ notice, labels }) => `${notice} ${labels.part}`)).toEqual(["fire web", "resolve web"]);
	const [first, last] = fired;
	expect(first!.minute).toBeGreaterThan(SPIKE.from);
	expect(first!.minute).toBeLessThanOrEqual(SPIKE.from + 20);
	expect(last!.minute).toBeGreaterThanOrEqual(SPIKE.to);
	expect(last!.minute).toBeLessThanOrEqual(SPIKE.to + 10);
	expect(first!.value!).toBeGreaterThanOrEqual(first!.threshold!);
	expect((await sim.history("p", "below")).filter(({ notice }) => notice !== "")).toEqual([]);
});

test("with too little history nothing is known, and nothing fires", async () => {
	expect((await sim.history("p", "a")).filter(({ labels }) => labels.part === "young")).toEqual([]);
	expect(await sim.history("other", "a")).toEqual([]);
});

test("a backtest of the window says the same", async () => {
	const reads = await startReads(database.client, { projects: ["p"], now: START + 240 * MINUTE });
	const window = { start: new Date(START).toISOString(), end: new Date(START + 240 * MINUTE).toISOString() };
	const answer = await reads.send("p", "POST", "/v1/monitoring/alerts/backtest", { alert_id: "a", ...window });
	const fired = (await sim.history("p", "a")).filter(({ notice }) => notice !== "");
	const at = (time: string) => (Date.parse(time) - START) / MINUTE;
	expect(answer.body.episodes.map((one: { start: string; end: string }) => [at(one.start), at(one.end)])).toEqual([
		fired.map(({ minute }) => minute),
	]);
	const refused = await reads.send("p", "POST", "/v1/monitoring/alerts", {
		...{ name: "x", conditions: [{ type: "anomaly_detection", metric: "active_users" }] },
	});
	expect([refused.status, refused.body.details.parameter]).toEqual([400, "conditions.0.metric"]);
});
