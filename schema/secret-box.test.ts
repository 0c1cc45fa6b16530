import { expect, it } from "vitest";
import { acknowledgeToken, readAcknowledgeToken } from "./acknowledge-link.ts";
import { openSecrets, sealSecrets } from "./sealed-notifications.ts";
import { isSealed, SealError, SecretBox } from "./secret-box.ts";
import { alertRule } from "./wire/index.ts";

const [first, second] = ["the first key of all", "the second key of all"];
const box = new SecretBox([first]);

it("opens what it sealed, in its own project only, and never seals the same way twice", () => {
	const sealed = box.seal("secret ü", "a");
	expect(box.open(sealed, "a")).toBe("secret ü");
	expect(() => box.open(sealed, "b")).toThrow(SealError);
	expect(box.seal("secret ü", "a")).not.toBe(sealed);
	expect(isSealed(sealed)).toBe(true);
});

it("opens with the old key what was sealed before the new one came, and not without it", () => {
	const old = box.seal("secret", "a");
	const both = new SecretBox([second, first]);
	expect(both.open(old, "a")).toBe("secret");
	expect(new SecretBox([second]).open(both.seal("secret", "a"), "a")).toBe("secret");
	expect(() => new SecretBox([second]).open(old, "a")).toThrow(SealError);
});

it("refuses what was changed in any byte", () => {
	const sealed = box.seal("secret", "a");
	for (let i = "tm1.".length; i < sealed.length; i++) {
		if (sealed[i] === ".") continue;
		// Another character of base64url that differs in its highest bit, which is never padding.
		const other = sealed[i] === "A" ? "g" : "A";
		const changed = sealed.slice(0, i) + other + sealed.slice(i + 1);
		if (changed !== sealed) expect(() => box.open(changed, "a"), changed).toThrow(SealError);
	}
});

it("seals the secrets of a notification so that it still fits its schema, once, and shows where it leads", () => {
	const notifications = [
		{
			type: "webhook",
			url: "https://user:pass@example.org/path?token=1",
			headers: { Authorization: `Bearer ${"x".repeat(990)}` },
		},
		{ type: "slack", webhook_url: "https://hooks.slack.com/services/T0/B0/xyz" },
		{ type: "pagerduty", integration_key: "key-of-pagerduty" },
		{ type: "email", recipients: ["a@example.org"] },
	];
	const sealed = notifications.map((one) => sealSecrets(one, box, "a"));
	expect(JSON.stringify(sealed)).not.toMatch(/pass|token=1|Bearer|services|key-of/);
	expect(sealed[1]).toMatchObject({ webhook_url: expect.stringMatching(/^https:\/\/hooks\.slack\.com\/tm1\./) });
	const conditions = [{ metric: "cpu", operator: ">", value: 1, timeframe: "5m" }];
	expect(() => alertRule.parse({ name: "x", conditions, notifications: sealed })).not.toThrow();
	expect(sealed.map((one) => openSecrets(one, box, "a"))).toEqual(notifications);
	expect(sealed.map((one) => sealSecrets(one, box, "a"))).toEqual(sealed);
});

it("knows the links that it signed, and no others", () => {
	const link = { project: "a", alert_id: "alert_1", firing_ids: ["firing_1"], expires_at: 5 };
	const token = acknowledgeToken(link, box);
	expect(readAcknowledgeToken(token, box)).toEqual(link);
	expect(readAcknowledgeToken(token, new SecretBox([second]))).toBeUndefined();
	const [, signed] = token.split(".");
	const forged = Buffer.from(JSON.stringify(["b", "alert_1", [], 9e15])).toString("base64url");
	for (const text of [`${forged}.${signed}`, forged, "", ".", `${token}x`])
		expect(readAcknowledgeToken(text, box)).toBeUndefined();
});
