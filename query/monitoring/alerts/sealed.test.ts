import { afterAll, beforeAll, expect, it } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../../tests/support/database.ts";
import { type Reads, startReads } from "../../../tests/support/reads.ts";

const PATH = "/v1/monitoring/alerts";
let database: TestDatabase;
let reads: Reads;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	reads = await startReads(database.client, { projects: ["a"], now: Date.parse("2026-03-02T10:00:00Z") });
});
afterAll(() => database.stop());

it("secrets of a rule are sealed where they rest, through every change, and masked in every answer", async () => {
	const notifications = [
		{
			type: "webhook",
			url: "https://your-app.example/alerts?token=t0p",
			headers: { Authorization: "Bearer your-token" },
		},
		{ type: "slack", channel: "#alerts", webhook_url: "https://hooks.slack.com/services/s3cret" },
		{ type: "pagerduty", integration_key: "pd-key-1" },
	];
	const conditions = [{ metric: "error_rate", operator: "greater_than", threshold: 0.01, timeframe: "5m" }];
	const made = await reads.send("a", "POST", PATH, { name: "Errors", conditions, notifications });
	expect(made.status, JSON.stringify(made.body)).toBe(201);
	const { alert_id } = made.body as { alert_id: string };
	const patched = await reads.send("a", "PATCH", `${PATH}/${alert_id}`, { severity: "critical" });
	expect(patched.status).toBe(200);
	const seen = [made, patched, await reads.get("a", `${PATH}/${alert_id}`), await reads.get("a", PATH)];
	const tables = ["definitions", "audit_log"].map(async (table) =>
		(await database.client.query({ query: `SELECT * FROM ${table}`, format: "JSONEachRow" })).text(),
	);
	const stored = (await Promise.all(tables)).join("");
	for (const secret of ["t0p", "your-token", "s3cret", "pd-key-1"])
		expect(stored + JSON.stringify(seen), secret).not.toContain(secret);
	expect(stored.replaceAll("\\", "")).toContain("https://hooks.slack.com/tm1.");
	expect(JSON.stringify(seen)).not.toContain("tm1.");
});
