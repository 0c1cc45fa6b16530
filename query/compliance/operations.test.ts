// Each check of how the system is run, on records that pass it and on such that do not: in time, too late, and across the end of a window.
import { afterAll, beforeAll, expect, test } from "vitest";
import { KeyStore } from "../../http/keys.ts";
import { AuditLog } from "../../schema/audit.ts";
import { storeVerification } from "../../schema/audit-verification.ts";
import { clickHouseTime, Definitions } from "../../schema/definitions.ts";
import { JobStore, type Outcome } from "../../schema/jobs.ts";
import { sealSecrets } from "../../schema/sealed-notifications.ts";
import { SecretBox } from "../../schema/secret-box.ts";
import { alertRule, retentionBody } from "../../schema/wire/index.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../../tests/support/database.ts";
import { insertErrors, insertEvents, insertLogs, insertProfiles, insertSeries } from "../../tests/support/records.ts";
import { signals } from "../measures/signals.ts";
import { Queries } from "../run.ts";
import { keysRotated } from "./access.ts";
import { secretsSealed } from "./encryption.ts";
import type { Assessing, BackupRun, Finding, Instance } from "./finding.ts";
import {
	alertsAnswered,
	backupsRestored,
	dataRequestsClosed,
	jobsFinished,
	monitoringActive,
	retentionEnforced,
} from "./operations.ts";
import { auditChain, auditTrailComplete } from "./trail.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Two quarters that meet. */
const [Q1, Q2, Q3] = ["2026-01-01", "2026-04-01", "2026-07-01"].map((day) => Date.parse(day)) as [
	number,
	number,
	number,
];
const ATTEMPT = 1;

let db: TestDatabase;
beforeAll(async () => {
	db = await startDatabase(NO_EXPIRY);
});
afterAll(() => db.stop());

type Check = (assessing: Assessing) => Promise<Finding>;

async function look(check: Check, project: string, start: number, end: number, own: Partial<Instance> = {}) {
	const asker = new Queries({ client: db.client, secondLock: false }).of(project);
	const retention = { metrics_days: 90, logs_days: 30, events_days: 400 };
	const connections = { connections: [], public_url_known: false };
	const instance: Instance = { ...connections, secret_key_set: true, retention, backups: async () => [], ...own };
	return check({ asker, instance, start, end, sent: await asker.ask(signals(end)) });
}

/** Status, how many were looked at out of how many, and how many of them were not as they should be. */
async function verdictOf(...of: Parameters<typeof look>): Promise<unknown[]> {
	const { status, tested, population, exceptions } = await look(...of);
	return [status, tested, population, exceptions];
}
const NOTHING = ["not_tested", 0, 0, 0];

/** @param answered by whom and when, if ever */
async function fire(project: string, fired: number, answered?: ["acknowledge" | "resolve", number]) {
	const of = { project, alert_id: `al_${fired}`, firing_id: `f_${fired}_${answered?.[1] ?? ""}`, severity: "warning" };
	const row = (ts: number, kind: string, notice: string) => ({
		...of,
		...{
			ts: clickHouseTime(new Date(ts)),
			kind,
			notice,
			instance: of.firing_id,
			recorded_at: clickHouseTime(new Date(ts)),
		},
	});
	const end =
		answered &&
		row(
			answered[1],
			answered[0] === "resolve" ? "transition" : "acknowledge",
			answered[0] === "resolve" ? "resolve" : "",
		);
	await db.client.insert({
		table: "alert_transitions",
		values: [row(fired, "transition", "fire"), ...(end ? [end] : [])],
		format: "JSONEachRow",
	});
}

test("an alert is answered within a day; one that is due in a window is judged in that one, and in no other", async () => {
	expect(await verdictOf(alertsAnswered, "silent", Q1, Q2)).toEqual(NOTHING);
	await fire("in time", Q1 + HOUR, ["acknowledge", Q1 + HOUR + DAY]);
	await fire("in time", Q1 + 2 * HOUR, ["resolve", Q1 + 3 * HOUR]);
	expect(await verdictOf(alertsAnswered, "in time", Q1, Q2)).toEqual(["pass", 2, 2, 0]);
	await fire("late", Q1 + HOUR, ["acknowledge", Q1 + HOUR + DAY + 1]);
	expect(await verdictOf(alertsAnswered, "late", Q1, Q2)).toEqual(["fail", 1, 1, 1]);

	// An hour before the end, never answered: due in the next.
	await fire("across", Q2 - HOUR);
	expect(await verdictOf(alertsAnswered, "across", Q1, Q2)).toEqual(["not_tested", 0, 1, 0]);
	expect(await verdictOf(alertsAnswered, "across", Q2, Q3)).toEqual(["fail", 1, 1, 1]);
	await fire("across in time", Q2 - HOUR, ["resolve", Q2 + HOUR]);
	expect(await verdictOf(alertsAnswered, "across in time", Q1, Q2)).toEqual(["not_tested", 0, 1, 0]);
	expect(await verdictOf(alertsAnswered, "across in time", Q2, Q3)).toEqual(["pass", 1, 1, 0]);
	// Due at the very end: it may still be answered in time.
	await fire("at the end", Q2 - DAY, ["acknowledge", Q2]);
	await fire("at the end", Q2 - DAY - 1);
	expect(await verdictOf(alertsAnswered, "at the end", Q1, Q2)).toEqual(["fail", 1, 2, 1]);
	expect(await verdictOf(alertsAnswered, "at the end", Q2, Q3)).toEqual(["pass", 1, 1, 0]);
	// Answered before the window, or due before it.
	await fire("before", Q2 - HOUR, ["resolve", Q2 - 1]);
	expect(await verdictOf(alertsAnswered, "before", Q2, Q3)).toEqual(NOTHING);
});

async function job(project: string, kind: string, asked: number, over?: [Outcome, number], of = "it") {
	const at = (now: number) => new JobStore(db.client, () => now);
	const key = { project, kind, job_id: `${asked} ${over?.[0]}` };
	await at(asked).create({ ...key, of, input: {} });
	if (over)
		await at(over[1]).finish(key, ATTEMPT, { status: over[0], ...(over[0] === "failed" ? { error: "away" } : {}) });
}

test("long work ends within a day, and what failed was done again", async () => {
	expect(await verdictOf(jobsFinished, "idle", Q1, Q2)).toEqual(NOTHING);
	await job("worked", "export", Q1 + HOUR, ["completed", Q1 + 2 * HOUR]);
	await job("worked", "audit_verify", Q1 + HOUR, ["failed", Q1 + 2 * HOUR]);
	await job("worked", "report", Q1 + HOUR, ["failed", Q1 + 2 * HOUR]);
	await job("worked", "report", Q1 + 3 * HOUR, ["completed", Q1 + 4 * HOUR]);
	expect(await verdictOf(jobsFinished, "worked", Q1, Q2)).toEqual(["pass", 3, 3, 0]);
	// What was made good was something else.
	await job("failed", "report", Q1 + HOUR, ["failed", Q1 + 2 * HOUR]);
	await job("failed", "report", Q1 + 3 * HOUR, ["completed", Q1 + 4 * HOUR], "another");
	expect(await verdictOf(jobsFinished, "failed", Q1, Q2)).toEqual(["fail", 2, 2, 1]);
	await job("stuck", "export", Q2 - DAY - 1);
	expect(await verdictOf(jobsFinished, "stuck", Q1, Q2)).toEqual(["fail", 1, 1, 1]);
	expect(await verdictOf(jobsFinished, "stuck", Q2, Q3)).toEqual(NOTHING);
	await job("across", "export", Q2 - HOUR);
	expect(await verdictOf(jobsFinished, "across", Q1, Q2)).toEqual(["not_tested", 0, 1, 0]);
	expect(await verdictOf(jobsFinished, "across", Q2, Q3)).toEqual(["fail", 1, 1, 1]);
	expect(await verdictOf(jobsFinished, "across", Q2, Q2 + 23 * HOUR)).toEqual(["not_tested", 0, 1, 0]);
});

test("requests of people are closed within a month", async () => {
	expect(await verdictOf(dataRequestsClosed, "nobody", Q1, Q2)).toEqual(NOTHING);
	const [asked, due] = [Date.parse("2026-01-31T10:00:00Z"), Date.parse("2026-02-28T10:00:00Z")];
	await job("closed", "erasure", asked, ["completed", due]);
	await job("closed", "export", asked);
	expect(await verdictOf(dataRequestsClosed, "closed", Q1, Q2)).toEqual(["pass", 1, 1, 0]);
	await job("late", "subject_access", asked, ["completed", due + 1]);
	expect(await verdictOf(dataRequestsClosed, "late", Q1, Q2)).toEqual(["fail", 1, 1, 1]);
	await job("failed", "erasure", asked, ["failed", asked + 1]);
	expect(await verdictOf(dataRequestsClosed, "failed", Q1, due)).toEqual(["not_tested", 0, 1, 0]);
	expect(await verdictOf(dataRequestsClosed, "failed", Q1, due + 1)).toEqual(["fail", 1, 1, 1]);
	await job("across", "erasure", Q2 - DAY);
	expect(await verdictOf(dataRequestsClosed, "across", Q1, Q2)).toEqual(["not_tested", 0, 1, 0]);
	expect(await verdictOf(dataRequestsClosed, "across", Q2, Q3)).toEqual(["fail", 1, 1, 1]);
});

/** @param evaluated the last instant; undefined for none yet */
async function rule(
	project: string,
	alert_id: string,
	body: object,
	made: number,
	evaluated: number | undefined,
	error = "",
): Promise<void> {
	const fields = { name: alert_id, conditions: [{ metric: "cpu", operator: ">", value: 1 }], notifications: [] };
	await new Definitions(db.client, "alert", alertRule, () => made).put(
		project,
		alert_id,
		alertRule.parse({ ...fields, ...body }),
	);
	if (evaluated === undefined) return;
	const row = { project, alert_id, instance: "", version: String(evaluated), deleted: 0, error };
	await db.client.insert({
		table: "alert_instances",
		values: [{ ...row, evaluated_at: clickHouseTime(new Date(evaluated)) }],
		format: "JSONEachRow",
	});
}

test("rules are judged by their own interval and delay, and no window by how things stand after it", async () => {
	const end = Q2 + 12 * HOUR;
	const daily = { interval: "1d", evaluation_delay: "1h" };
	expect(await verdictOf(monitoringActive, "none", Q1, end)).toEqual(NOTHING);
	await rule("healthy", "daily", daily, Q1, Q2);
	await rule("healthy", "minutely", {}, Q1, end - MINUTE);
	await rule("healthy", "off", { enabled: false }, Q1, Q1);
	await rule("healthy", "just made", {}, end - MINUTE, undefined);
	await rule("healthy", "just enabled", {}, end - MINUTE, Q1);
	expect(await verdictOf(monitoringActive, "healthy", Q1, end)).toEqual(["pass", 3, 4, 0]);
	// Its instant of midnight is due at one, and may take a quarter of an hour.
	await rule("due", "daily", daily, Q1, Q2 - DAY);
	expect(await verdictOf(monitoringActive, "due", Q1, Q2 + HOUR + 15 * MINUTE - 1)).toEqual(["pass", 1, 1, 0]);
	expect(await verdictOf(monitoringActive, "due", Q1, Q2 + HOUR + 15 * MINUTE)).toEqual(["fail", 1, 1, 1]);
	await rule("never", "minutely", {}, Q1, undefined);
	await rule("never", "broken", {}, Q1, end - MINUTE, "no such metric");
	const { exception_sample } = await look(monitoringActive, "never", Q1, end);
	expect([...exception_sample].sort()).toEqual(["broken: no such metric", "minutely: was last evaluated never"]);

	// A quarter that is long over: the rule went on, with or without an error, and nobody knows how it was then.
	await rule("went on", "minutely", {}, Q1, Q3 - MINUTE);
	await rule("went on", "broken", {}, Q1, Q3 - MINUTE, "no such metric");
	await rule("went on", "changed", {}, Q3 - DAY, undefined);
	expect(await verdictOf(monitoringActive, "went on", Q1, Q2)).toEqual(["not_tested", 0, 2, 0]);
	expect((await look(monitoringActive, "went on", Q2, Q3)).status).toBe("fail");
});

test("no raw table has rows that are older than they are kept, by the server or by the project itself", async () => {
	const end = Q2;
	const at = (days: number) => ({ ts: end - days * DAY });
	expect((await look(retentionEnforced, "empty", Q1, end)).status).toBe("not_tested");
	const send = async (project: string, logs: number) => {
		await insertLogs(db.client, project, [{ ...at(logs), message: "m" }]);
		await insertErrors(db.client, project, [{ ...at(31), error_type: "E" }]);
		await insertEvents(db.client, project, [{ ...at(401), event: "a" }]);
		await insertSeries(db.client, project, [{ name: "cpu", points: [[end - 91 * DAY, 1]] }]);
		await insertProfiles(db.client, project, [{ ...at(31), operation: "op", wall_ns: 1 }]);
	};
	await send("kept", 32);
	expect(await verdictOf(retentionEnforced, "kept", Q1, end)).toEqual(["pass", 5, 5, 0]);
	await send("too long", 32 + 1 / DAY);
	const found = await look(retentionEnforced, "too long", Q1, end);
	expect([found.status, found.exception_sample]).toEqual([
		"fail",
		[expect.stringMatching(/^logs: 1 rows are too old/)],
	]);
	// Its own is shorter. What was set a moment ago has until the next run.
	const own = { metrics_days: null, rollups_days: null, logs_days: null, events_days: 300 };
	const book = (now: number) => new Definitions(db.client, "retention", retentionBody, () => now);
	await book(end - DAY).put("kept", "retention", retentionBody.parse(own));
	expect((await look(retentionEnforced, "kept", Q1, end)).status).toBe("pass");
	expect((await look(retentionEnforced, "kept", Q1, end + 2 * DAY)).exception_sample.join()).toContain(
		"events: 1 rows",
	);
});

test("backups worked, and one was restored within a year", async () => {
	const runs = (...list: [kind: BackupRun["kind"], at: number, status: BackupRun["status"]][]) => ({
		backups: async ({ start, end }: { start: number; end: number }) =>
			list
				.filter(([, at]) => at >= start && at < end)
				.map(([kind, at, status]): BackupRun => ({ kind, id: `${at}`, at, status })),
	});
	const judge = (...list: Parameters<typeof runs>) => verdictOf(backupsRestored, "any", Q1, Q2, runs(...list));
	const none = ["not_tested", null, null, null];
	expect(await judge()).toEqual(none);
	expect(await judge(["backup", Q1, "completed"])).toEqual(none);
	expect(await judge(["restore", Q1, "completed"])).toEqual(none);
	expect(await judge(["backup", Q1 - 1, "completed"], ["restore", Q1, "completed"])).toEqual(none);
	const year = Q2 - 365 * DAY;
	expect(await judge(["restore", year, "completed"], ["backup", Q1, "completed"])).toEqual(["pass", 2, 2, 0]);
	expect(await judge(["restore", year - 1, "completed"], ["backup", Q1, "completed"])).toEqual(none);
	const [first, second] = [Q1 + DAY, Q1 + 2 * DAY];
	expect(await judge(["backup", first, "failed"], ["restore", first, "completed"])).toEqual(["fail", 2, 2, 1]);
	const again = await judge(
		["backup", first, "failed"],
		["backup", second, "completed"],
		["restore", second, "completed"],
	);
	expect(again).toEqual(["pass", 3, 3, 0]);
	expect(await judge(["backup", first, "completed"], ["restore", second, "failed"])).toEqual(["fail", 2, 2, 1]);
	expect(await judge(["backup", first, "open"], ["restore", first, "completed"])).toEqual(["pass", 1, 2, 0]);
});

test("secrets are sealed with a key that does not lie beside them", async () => {
	const judge = (end: number, secret_key_set: boolean) =>
		verdictOf(secretsSealed, "sealed", Q1, end, { secret_key_set });
	const fields = { name: "a", conditions: [{ metric: "cpu", operator: ">", value: 1 }] };
	const slack = { type: "slack" as const, webhook_url: "https://hooks.slack.com/services/hush" };
	const hook = sealSecrets(slack, new SecretBox(["a key of the test"]), "sealed");
	const rules = new Definitions(db.client, "alert", alertRule, () => Q1 + DAY);
	await rules.put("sealed", "a", { ...alertRule.parse(fields), notifications: [hook] });
	// A key to a bucket, as one of every kind that keeps something sealed.
	const text = JSON.stringify({ secret_access_key: new SecretBox(["a key of the test"]).seal("hush", "sealed") });
	const times = {
		created_at: clickHouseTime(new Date(Q1 + 2 * DAY)),
		updated_at: clickHouseTime(new Date(Q1 + 2 * DAY)),
	};
	const bucket = { project: "sealed", kind: "destination", id: "b", version: "1", deleted: 0, body: text, ...times };
	await db.client.insert({ table: "definitions", values: [bucket], format: "JSONEachRow" });
	expect(await judge(Q1 + DAY, true)).toEqual(["not_tested", null, null, null]);
	expect(await judge(Q1 + DAY + 1, true)).toEqual(["pass", 1, 1, 0]);
	expect(await judge(Q2, true)).toEqual(["pass", 2, 2, 0]);
	expect(await judge(Q2, false)).toEqual(["fail", 2, 2, 2]);
});

test("a key's text is as old as its last rotation before the end of the window, whatever happened to the key later", async () => {
	let now = Q1 - 200 * DAY;
	const keys = new KeyStore({ client: db.client, now: () => now });
	const made: Record<string, string> = {};
	for (const name of ["rotated", "rotated, then revoked", "rotated too late", "twice", "old", "revoked"]) {
		made[name] = (await keys.create({ project: "keys", name, roles: ["ingest"] })).key.key_id;
	}
	const rotate = async (at: number, ...names: string[]) => {
		now = at;
		for (const name of names) await keys.rotate("keys", made[name]!, 60);
	};
	await rotate(Q2 - 90 * DAY, "rotated", "rotated, then revoked", "twice");
	now = Q2 - 1;
	await keys.revoke("keys", made.revoked!);
	await rotate(Q2 + DAY, "rotated too late", "twice");
	await keys.revoke("keys", made["rotated, then revoked"]!);
	const { exception_sample, population } = await look(keysRotated, "keys", Q1, Q2);
	expect(exception_sample.map((text) => text.split(":")[0]).sort()).toEqual(
		[made["rotated too late"], made.old].sort(),
	);
	expect(population).toBe(5);
	expect(await verdictOf(keysRotated, "keys", Q1, Q2 + 1)).toEqual(["fail", 5, 5, 5]);
	expect((await look(keysRotated, "keys", Q2, Q3)).exceptions).toBe(2);

	// The text that the settings have: another one is a rotation.
	now = Q1 - 200 * DAY;
	await keys.ensureAdminKey({ adminKey: "sixteen-or-more-1" });
	expect((await look(keysRotated, "default", Q1, Q2)).exceptions).toBe(1);
	now = Q2 - DAY;
	await keys.ensureAdminKey({ adminKey: "sixteen-or-more-2" });
	expect(await verdictOf(keysRotated, "default", Q1, Q2)).toEqual(["pass", 1, 1, 0]);
});

test("every day with entries has an anchor within the day after it, also the last one of a window", async () => {
	const entry = (project: string, at: number) =>
		new AuditLog(db.client, () => at).append({ project, actor: "k", action: "a", target: "t" });
	const walk = (project: string, verified_at: number, last_seq: number, broken_at: number | null = null) =>
		storeVerification(db.client, {
			...{ project, verified_at, rows: last_seq, last_seq, last_hash: "h", broken_at, reason: null },
			signature: { key_id: "k", signature: "s" },
		});
	expect((await look(auditChain, "quiet", Q1, Q2)).status).toBe("not_tested");
	await walk("whole", Q1, 0);
	await entry("whole", Q1 + HOUR);
	await walk("whole", Q1 + 2 * DAY - 1, 1);
	expect(await verdictOf(auditChain, "whole", Q1, Q2)).toEqual(["pass", 3, 3, 0]);
	await walk("late", Q1, 0);
	await entry("late", Q1 + HOUR);
	await walk("late", Q1 + 2 * DAY, 1);
	expect(await verdictOf(auditChain, "late", Q1, Q2)).toEqual(["fail", 3, 3, 1]);
	await walk("broken", Q1 + DAY, 5, 3);
	expect(await verdictOf(auditChain, "broken", Q1, Q2)).toEqual(["fail", 1, 1, 1]);

	for (const project of ["across", "across in time"]) {
		await walk(project, Q2 - DAY, 0);
		await entry(project, Q2 - HOUR);
		// Whole, and of an end that the entry of the day before is not in: or is.
		await walk(project, Q2 + HOUR, project === "across" ? 0 : 1);
	}
	expect(await verdictOf(auditChain, "across", Q1, Q2)).toEqual(["pass", 1, 2, 0]);
	expect(await verdictOf(auditChain, "across", Q2, Q3)).toEqual(["fail", 2, 2, 1]);
	expect(await verdictOf(auditChain, "across in time", Q2, Q3)).toEqual(["pass", 2, 2, 0]);
	const asker = new Queries({ client: db.client, secondLock: false }).of("across");
	expect(await auditTrailComplete(asker, { start: Q2, end: Q2 + DAY - 1 })).toBe(true);
	expect(await auditTrailComplete(asker, { start: Q2, end: Q2 + DAY })).toBe(false);
});
