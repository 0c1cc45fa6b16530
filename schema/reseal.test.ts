import { afterAll, beforeAll, expect, it } from "vitest";
import { rowsOf } from "../tests/server.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../tests/support/database.ts";
import { dataRequests, openWhom, sealWhom } from "./data-requests.ts";
import { Definitions } from "./definitions.ts";
import { resealAll } from "./reseal.ts";
import { openSecrets, sealSecrets } from "./sealed-notifications.ts";
import { openTest, sealTest } from "./sealed-tests.ts";
import { SealError, SecretBox } from "./secret-box.ts";
import { alertRule, settle, storedNotifications, syntheticTest, syntheticTestBody } from "./wire/index.ts";

const NOW = Date.parse("2026-03-02T10:00:00Z");
let database: TestDatabase;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
});
afterAll(() => database.stop());

it("after a key was exchanged the new one alone opens every secret, and nothing else is changed", async () => {
	const { client } = database;
	const [old, both, fresh] = [
		["old key, long enough"],
		["new key, long enough", "old key, long enough"],
		["new key, long enough"],
	].map((keys) => new SecretBox(keys)) as [SecretBox, SecretBox, SecretBox];
	const clock = () => NOW;
	const rules = new Definitions(client, "alert", alertRule, clock);
	const channels = new Definitions(client, "notification_channels", storedNotifications, clock);
	const tests = new Definitions(client, "synthetic_test", syntheticTest, clock);
	const slack = { type: "slack" as const, webhook_url: "https://hooks.slack.com/services/hush" };
	const rule = alertRule.parse({
		...{
			name: "CPU",
			description: "tm1.AAAAAAAA.of-somebody",
			conditions: [{ metric: "cpu", operator: ">", value: 1 }],
		},
		notifications: [sealSecrets(slack, old, "p")],
	});
	await rules.put("p", "alert_1", rule);
	const hook = { type: "webhook" as const, name: "hook", url: "https://example.org/hush", default: true };
	const headers = { Authorization: "Bearer hush" };
	const config = {
		channels: [sealSecrets({ ...hook, headers }, old, "p")],
		contacts: {},
		secret: old.seal("whsec_hush", "p"),
	};
	await channels.put("p", "channels", config);
	const http = settle(
		syntheticTestBody.parse({ name: "t", type: "http", url: "https://example.org", headers }),
		"local",
	);
	await tests.put("p", "syn_1", sealTest(http as Parameters<typeof sealTest>[0], old, "p"));
	const delivery = {
		...{
			project: "p",
			alert_id: "alert_1",
			delivery_id: "dlv_1",
			version: "5",
			message_id: "m",
			firing_id: "f",
			instance: "all",
		},
		...{
			level: 0,
			channel: "c",
			kind: "fire",
			status: "told",
			detail: "",
			created_at: new Date().toISOString().slice(0, -1),
		},
		target: JSON.stringify({ destination: { target: sealSecrets(slack, old, "p") } }),
	};
	await client.insert({ table: "alert_deliveries", values: [delivery], format: "JSONEachRow" });
	const whom = { user_id: "u1", ids: ["u1", "anon"] };
	await dataRequests(client, clock).put("p", "dr_1", {
		...{ type: "export", sealed: sealWhom(whom, old, "p", "dr_1"), free_text: null, subject_sha256: "" },
		...{ requested_by: "key_1", requested_at: NOW, before_s: NOW / 1_000, expires_at: NOW },
	});
	await rules.put("other", "alert_1", { ...rule, notifications: [sealSecrets(slack, fresh, "other")] });
	const before = (await rules.get("p", "alert_1"))!;

	expect(await resealAll(client, both)).toEqual({ resealed: 7, unopened: 2 });
	const after = (await rules.get("p", "alert_1"))!;
	expect(openSecrets(after.body.notifications[0]!, fresh, "p")).toEqual(slack);
	expect({ ...after, body: { ...after.body, notifications: [] } }).toEqual({
		...{ ...before, version: before.version + 1 },
		body: { ...before.body, notifications: [] },
	});
	const stored = (await channels.get("p", "channels"))!.body;
	expect(openSecrets(stored.channels[0]!, fresh, "p")).toMatchObject({ url: hook.url, headers });
	expect(fresh.open(stored.secret!, "p")).toBe("whsec_hush");
	const test = (await tests.get("p", "syn_1"))!.body;
	expect(openTest(test as Parameters<typeof openTest>[0], fresh, "p")).toMatchObject({ headers });
	const request = (await dataRequests(client).get("p", "dr_1"))!.body;
	expect(openWhom(request.sealed!, fresh, "p", "dr_1")).toEqual(whom);
	const [told] = await rowsOf<{ target: string; status: string }>(
		client,
		"SELECT target, status FROM alert_deliveries FINAL",
	);
	expect(told!.status).toBe("told");
	expect(openSecrets(JSON.parse(told!.target).destination.target, fresh, "p")).toEqual(slack);
	expect(() => openSecrets(after.body.notifications[0]!, old, "p")).toThrow(SealError);
	expect(await resealAll(client, both)).toEqual({ resealed: 0, unopened: 2 });
	// What somebody saves while it is at work is newer, whichever is written first.
	const theirs = await rules.put("p", "alert_1", { ...rule, name: "Theirs" });
	expect(theirs.version).toBeGreaterThan(after.version);
});
