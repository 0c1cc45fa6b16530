import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../tests/support/database.ts";
import { AuditLog } from "./audit.ts";
import { auditHash, auditRows, GENESIS, type LinkedRow } from "./audit-chain.ts";
import { auditedProjects, storeVerification, verifications, verifyChain } from "./audit-verification.ts";
import { clickHouseTime } from "./definitions.ts";
import { Signer } from "./signer.ts";

const NOW = Date.UTC(2026, 10, 22, 7, 0);
const signer = new Signer(["a secret of the tests"]);
let database: TestDatabase;
beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
});
afterAll(() => database?.stop());

const entry = (project: string, n: number) => ({
	...{ project, actor: "key_a", action: "kpi.create", target: `kpi_${n}`, request_id: `r${n}` },
	detail: { name: `o'ne \\ "zwei" ${n} 日本` },
});
const chainOf = async (project: string) => {
	const rows: LinkedRow[] = [];
	for await (const row of auditRows(database.client, project)) rows.push(row);
	return rows;
};
/** As many appends would have made them, in one insert. */
const filled = async (project: string, rows = 8) => {
	const { hash: previous_hash } = GENESIS;
	const of = (n: number) => ({ ...entry(project, n), detail: JSON.stringify(entry(project, n).detail) });
	await forge(
		Array.from({ length: rows }, (_, i) => ({ ...of(i + 1), seq: i + 1, ts_ms: NOW + i, previous_hash, hash: "" })),
	);
};
const change = (query: string) => database.client.command({ query: `${query} SETTINGS mutations_sync = 2` });
const verify = (project: string, now = NOW) => verifyChain(project, { client: database.client, signer, now });
const anchored = async (project: string) => storeVerification(database.client, await verify(project));
/** Puts rows in behind the back of the program, with hashes that fit the row before each. */
const forge = async (rows: readonly LinkedRow[]) => {
	let previous_hash = rows[0]!.previous_hash;
	const values = rows.map(({ hash: _, ts_ms, ...row }) => {
		const hash = auditHash({ ...row, ts_ms, previous_hash });
		const value = { ...row, ts: clickHouseTime(new Date(ts_ms)), previous_hash, hash };
		previous_hash = hash;
		return value;
	});
	await database.client.insert({ table: "audit_log", values, format: "JSONEachRow" });
};

test("many writers that know nothing of each other make one chain, in which every row stands once", async () => {
	const writers = Array.from({ length: 4 }, () => new AuditLog(database.client));
	await Promise.all(
		writers.flatMap((audit, w) =>
			Array.from({ length: 8 }, (_, i) => audit.append(entry(i % 2 === 0 ? "many" : "other", w * 100 + i))),
		),
	);
	for (const project of ["many", "other"]) {
		const rows = await chainOf(project);
		expect(rows.map(({ seq }) => seq)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
		expect(new Set(rows.map(({ target }) => target)).size).toBe(16);
		expect(await verify(project)).toMatchObject({ rows: 16, last_seq: 16, broken_at: null });
	}
});

test("a writer that slept goes on behind what others wrote meanwhile, also after their tokens are forgotten", async () => {
	const sleeper = new AuditLog(database.client);
	await sleeper.append(entry("slept", 1));
	const others = new AuditLog(database.client);
	for (let i = 2; i <= 5; i++) await others.append(entry("slept", i));
	await change("ALTER TABLE audit_log MODIFY SETTING non_replicated_deduplication_window = 0");
	await sleeper.append(entry("slept", 6));
	await change("ALTER TABLE audit_log MODIFY SETTING non_replicated_deduplication_window = 4000");
	expect((await chainOf("slept")).map(({ target }) => target)).toEqual([1, 2, 3, 4, 5, 6].map((n) => `kpi_${n}`));
	expect(await verify("slept")).toMatchObject({ broken_at: null });
});

describe("what was done to a chain behind the program's back is found at its first place", () => {
	test.each([
		["actor", "actor = 'key_b'"],
		["a byte of the detail", "detail = replaceOne(detail, 'zwei', 'zwej')"],
		["time", "ts = ts - toIntervalMillisecond(1)"],
		["request", "request_id = ''"],
		["target", "target = 'kpi_4'"],
		["hash", "hash = repeat('f', 64)"],
	])("a changed %s", async (what, set) => {
		await filled(what);
		expect(await verify(what)).toMatchObject({ rows: 8, broken_at: null, reason: null });
		await change(`ALTER TABLE audit_log UPDATE ${set} WHERE project = '${what}' AND seq = 3`);
		expect(await verify(what)).toMatchObject({ broken_at: 3, reason: "changed", last_seq: 2 });
	});

	test("a deleted row", async () => {
		await filled("deleted");
		await change("ALTER TABLE audit_log DELETE WHERE project = 'deleted' AND seq = 5");
		expect(await verify("deleted")).toMatchObject({ broken_at: 5, reason: "gap" });
	});

	test("the first rows", async () => {
		await filled("headless");
		await change("ALTER TABLE audit_log DELETE WHERE project = 'headless' AND seq < 3");
		expect(await verify("headless")).toMatchObject({ broken_at: 1, reason: "gap" });
	});

	test("an inserted row, even with a hash that fits", async () => {
		await filled("inserted");
		const rows = await chainOf("inserted");
		await forge([{ ...rows[3]!, actor: "key_evil" }]);
		const found = await verify("inserted");
		expect([found.broken_at, found.reason]).toEqual([4, expect.stringMatching(/two rows|not linked/)]);
	});

	test("rows of a project that were moved to another", async () => {
		await filled("from");
		await change("ALTER TABLE audit_log UPDATE detail = '{}' WHERE project = 'from' AND seq = 8");
		await forge((await chainOf("from")).slice(0, 2).map((row) => ({ ...row, project: "to" })));
		expect(await verify("to")).toMatchObject({ rows: 2, broken_at: null });
		expect(await verify("from")).toMatchObject({ broken_at: 8 });
	});

	test("the end that was cut off, and all of it, once it was verified", async () => {
		await filled("cut");
		await anchored("cut");
		await change("ALTER TABLE audit_log DELETE WHERE project = 'cut' AND seq > 6");
		expect(await verify("cut")).toMatchObject({ rows: 6, broken_at: 7, reason: "cut off" });
		await change("ALTER TABLE audit_log DELETE WHERE project = 'cut'");
		expect(await verify("cut")).toMatchObject({ rows: 0, broken_at: 1, reason: "cut off" });
		expect(await auditedProjects(database.client)).toContain("cut");
	});

	test("a chain that was written anew from some row on, with hashes that fit", async () => {
		await filled("anew");
		await anchored("anew");
		const rows = (await chainOf("anew")).slice(5).map((row) => ({ ...row, actor: "nobody" }));
		await change("ALTER TABLE audit_log DELETE WHERE project = 'anew' AND seq > 5");
		await forge(rows);
		expect(await verify("anew")).toMatchObject({ broken_at: 8, reason: "written anew" });
	});

	test("an anchor that was changed to hide it", async () => {
		await filled("hidden");
		await anchored("hidden");
		await change("ALTER TABLE audit_log DELETE WHERE project = 'hidden' AND seq > 6");
		await change("ALTER TABLE audit_verifications UPDATE last_seq = 6 WHERE project = 'hidden'");
		expect(await verify("hidden")).toMatchObject({ broken_at: 6, reason: "anchor changed" });
	});
});

test("appending goes on after a verification, and what it found is read back as it was", async () => {
	await filled("on", 3);
	await anchored("on");
	await new AuditLog(database.client).append(entry("on", 4));
	const later = await verify("on", NOW + 60_000);
	expect(later).toMatchObject({ rows: 4, broken_at: null });
	await storeVerification(database.client, later);
	const stored = await verifications(database.client, "on");
	expect(stored.map(({ last_seq }) => last_seq)).toEqual([3, 4]);
	expect(stored[1]).toEqual(later);
});
