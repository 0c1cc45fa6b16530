// Compliance of the whole program: reports that pass nothing without evidence, what people sign, and bundles of which no byte can change.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectClickHouse } from "../schema/clickhouse.ts";
import { Signer } from "../schema/signer.ts";
import { complianceReportAnswer } from "../schema/wire/index.ts";
import { writeBundle } from "../workers/compliance/bundle.ts";
import { readTar } from "../workers/compliance/tar.ts";
import { type Server, startServer, until } from "./server.ts";

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const VERIFIER = fileURLToPath(new URL("../examples/verify-evidence-bundle.mjs", import.meta.url));
const C = "/v1/monitoring/compliance";
const SETTINGS = {
	...{ TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" },
	...{ TIDEMARK_PUBLIC_URL: "https://tidemark.example", TIDEMARK_SECRET_KEY: "a-secret-key-of-the-tests" },
};

// biome-ignore lint/suspicious/noExplicitAny: answers of any route
type Body = any;
let server: Server;
let officer: { key_id: string; api_key: string };
let editor: { key_id: string; api_key: string };

beforeAll(async () => {
	server = await startServer({ env: SETTINGS });
	const made = async (role: string): Promise<Body> =>
		(await server.request("/v1/keys", { body: { name: `the ${role}`, roles: [role] } })).json();
	officer = await made("compliance_officer");
	editor = await made("analytics_editor");
});
afterAll(() => server?.stop());

async function call(as: { api_key: string } | undefined, path: string, body?: unknown, status = 0): Promise<Body> {
	const response = await fetch(server.url + path, {
		method: body === undefined ? "GET" : "POST",
		headers: { ...(as ? { "X-API-Key": as.api_key } : {}), "Content-Type": "application/json" },
		...(body === undefined ? {} : { body: JSON.stringify(body) }),
	});
	const text = await response.text();
	if (status > 0) expect(response.status, text).toBe(status);
	else expect(response.status, text).toBeLessThan(300);
	return text === "" ? undefined : JSON.parse(text);
}
const report = (standard: string, more: object = {}) =>
	call(editor, `${C}/reports`, { standard, timeframe: "quarter", include_evidence: true, ...more }, 201);
const control = (of: Body, id: string) => of.controls.find(({ control_id }: Body) => control_id === id);

test("a report has what was found of each control; without evidence nothing passes", async () => {
	await until(async () => {
		const [row] = await server.query<{ n: number }>("SELECT count() AS n FROM audit_verifications");
		return row!.n > 0;
	});
	const soc2 = await report("SOC2", { attestation_required: true });
	expect(complianceReportAnswer.parse(soc2)).toEqual(soc2);
	expect(soc2).toMatchObject({ standard: "SOC2", status: "draft", is_intact: true, controls_satisfied: null });
	for (const { status, tested, evidence } of soc2.controls) {
		if (status !== "pass") continue;
		expect(tested).toBeGreaterThan(0);
		expect(evidence.length).toBeGreaterThan(0);
	}
	const statuses = Object.fromEntries(soc2.controls.map((one: Body) => [one.control_id.slice(5), one.status]));
	expect(statuses).toEqual({
		...{ policies: "manual", risk_assessment: "manual", change_approval: "manual", vendors: "manual" },
		...{ audit_chain: "pass", key_rotation: "pass", transmission: "pass", changes_recorded: expect.any(String) },
		...{ secrets: "not_tested", access_review: "not_tested", monitoring: "not_tested", incidents: "not_tested" },
		...{ recovery: "not_tested", processing: "not_tested", disposal: "not_tested" },
	});
	for (const { sha256, content } of soc2.evidence) {
		expect(sha256).toMatch(/^[0-9a-f]{64}$/);
		expect(content.length).toBeGreaterThan(0);
	}
	expect(await call(editor, `${C}/reports/${soc2.report_id}`)).toEqual(soc2);
	const { reports } = await call(editor, `${C}/reports?standard=SOC2`);
	expect(reports.map(({ report_id }: Body) => report_id)).toEqual([soc2.report_id]);
	await call(editor, `${C}/reports/cr_unknown`, undefined, 404);
	await call(editor, `${C}/reports`, { standard: "PCI" }, 400);
});

test("a repetition with one Idempotency-Key makes one report", async () => {
	const ask = async (): Promise<Body> =>
		(
			await server.request(`${C}/reports`, { body: { standard: "SOX" }, headers: { "Idempotency-Key": "once" } })
		).json();
	const [first, second] = [await ask(), await ask()];
	expect(second).toEqual(first);
});

test("a draft is one until a compliance officer signs its hash, and nobody else can", async () => {
	const draft = await report("HIPAA", { attestation_required: true });
	const path = `${C}/reports/${draft.report_id}`;
	expect(await call(editor, `${path}/attest`, {}, 403)).toMatchObject({ required_role: "compliance_officer" });
	expect((await server.request(`${path}/attest`, { body: {} })).status).toBe(403);
	await call(officer, `${path}/attest`, { valid_until: "2020-01-01T00:00:00Z" }, 400);
	const signed = await call(officer, `${path}/attest`, { signed_by: "Жанна Ω" });
	expect(signed).toMatchObject({
		...{ status: "attested", is_intact: true, sha256: draft.sha256 },
		attestation: { signed_by: "Жанна Ω", by: officer.key_id, role: "compliance_officer", sha256: draft.sha256 },
	});
	await call(officer, `${path}/attest`, {}, 409);
	const { entries } = await call(officer, "/v1/monitoring/audit-log?action=compliance_report.attest");
	expect(entries[0]).toMatchObject({ actor: officer.key_id, target: draft.report_id });
});

test("a review decides on every active key, and with attestations of what is manual the controls pass", async () => {
	const { active_keys } = await call(officer, `${C}/access-reviews`);
	const decisions = active_keys.map(({ key_id }: Body) => ({ key_id, decision: "keep" }));
	const body = { statement: "Reviewed.", decisions };
	await call(editor, `${C}/access-reviews`, body, 403);
	await call(officer, `${C}/access-reviews`, { ...body, decisions: decisions.slice(1) }, 400);
	const review = await call(officer, `${C}/access-reviews`, body, 201);
	expect(review.keys.map(({ key_id }: Body) => key_id)).toContain(editor.key_id);

	const attest = (id: string, more: object = {}, status = 201) =>
		call(officer, `${C}/controls/${id}/attest`, { statement: "It is so.", valid_until: inAYear(), ...more }, status);
	await attest("sox.audit_trail", {}, 409);
	await attest("sox.nothing", {}, 404);
	const attestation = await attest("sox.change_approval", {
		documents: [{ name: "policy.pdf", sha256: "a".repeat(64) }],
	});
	const { controls } = await call(editor, `${C}/controls?standard=SOX`);
	expect(controls.find(({ control_id }: Body) => control_id === "sox.change_approval").attestation).toMatchObject({
		...{ attestation_id: attestation.attestation_id, is_valid: true },
	});
	const sox = await report("SOX");
	expect(control(sox, "sox.access_review")).toMatchObject({
		status: "pass",
		exceptions: 0,
		tested: active_keys.length,
	});
	expect(control(sox, "sox.change_approval")).toMatchObject({ status: "pass", kind: "manual" });
	// Backups were never made.
	expect(sox.controls_satisfied).toBeNull();

	// The same controls, on the same evidence.
	const { compliance } = await call(editor, "/analytics/federated/privacy");
	expect(compliance).toMatchObject({ sox_compliant: null, audit_trail_complete: true });
	expect(
		compliance.controls
			.filter(({ profile }: Body) => profile === "sox")
			.map(({ control_id, status }: Body) => [control_id, status]),
	).toEqual(sox.controls.map(({ control_id, status }: Body) => [control_id, status]));
});

function inAYear(): string {
	return new Date(Date.now() + 365 * 86_400_000).toISOString();
}

test("one project knows nothing of another's reports, reviews and attestations", async () => {
	const { stdout } = await run(
		process.execPath,
		[MAIN, "key", "create", "--project", "other", "--roles", "admin,compliance_officer"],
		env(),
	);
	const other = { api_key: stdout.trim() };
	const { reports } = await call(editor, `${C}/reports`);
	await call(other, `${C}/reports/${reports[0].report_id}`, undefined, 404);
	await call(other, `${C}/reports/${reports[0].report_id}/bundle`, undefined, 404);
	await call(other, `${C}/reports/${reports[0].report_id}/attest`, {}, 404);
	expect((await call(other, `${C}/reports`)).reports).toEqual([]);
	const { active_keys, reviews } = await call(other, `${C}/access-reviews`);
	expect([active_keys.length, reviews]).toEqual([1, []]);
	const { controls } = await call(other, `${C}/controls`);
	expect(controls.filter(({ attestation }: Body) => attestation !== null)).toEqual([]);
	const { entries } = await call(other, "/v1/monitoring/audit-log");
	expect(entries.map(({ actor, action }: Body) => [actor, action])).toEqual([["operator", "key.create"]]);
});

const env = () => ({
	env: { PATH: process.env.PATH, TIDEMARK_DATA: server.dataDir, ...SETTINGS },
	cwd: server.dataDir,
});
const outcome = (work: Promise<{ stdout: string }>) =>
	work.then(
		({ stdout }) => ({ code: 0, said: stdout }),
		({ code, stderr }) => ({ code: code as number, said: stderr as string }),
	);

test("a bundle is verified by two programs and openssl, and any changed byte is found by both programs", async () => {
	const { reports } = await call(editor, `${C}/reports?standard=HIPAA`);
	const response = await fetch(`${server.url}${reports[0].bundle_url}`, { headers: { "X-API-Key": editor.api_key } });
	expect(response.status).toBe(200);
	const bundle = Buffer.from(await response.arrayBuffer());
	const place = (name: string, bytes: Buffer | string) => {
		const path = join(server.dataDir, name);
		writeFileSync(path, bytes);
		return path;
	};
	const file = place("bundle.tar", bundle);
	const { keys } = await call(undefined, `${C}/keys`);
	const key = place("key.pem", keys[0].public_key);
	const ours = (path: string) =>
		outcome(run(process.execPath, [MAIN, "compliance", "verify", path, "--key", key], env()));
	const theirs = (path: string, ...more: string[]) => outcome(run(process.execPath, [VERIFIER, path, ...more]));
	expect(await ours(file)).toMatchObject({ code: 0, said: expect.stringContaining("attested by Жанна Ω") });
	expect(await theirs(file, key)).toMatchObject({ code: 0, said: expect.stringContaining("hipaa.integrity: pass") });
	await run("tar", ["xf", file], { cwd: server.dataDir });
	const { stdout } = await run(
		"openssl",
		[..."pkeyutl -verify -pubin -inkey public-key.pem -rawin -in manifest.json -sigfile manifest.sig".split(" ")],
		{ cwd: server.dataDir },
	);
	expect(stdout).toContain("Verified Successfully");
	expect(readFileSync(join(server.dataDir, "report.pdf")).subarray(0, 5).toString()).toBe("%PDF-");
	expect((await run(process.execPath, [MAIN, "compliance", "key"], env())).stdout).toContain(keys[0].key_id);

	// A byte of a header, of padding, of each file, of the end; and one of every 997.
	const places = [0, 124, 300, 511, bundle.length - 1, bundle.length - 1_500];
	for (const at of places) {
		const changed = Buffer.from(bundle);
		changed[at] = changed[at]! ^ 1;
		const path = place("changed.tar", changed);
		expect(await ours(path), `byte ${at}`).toMatchObject({
			code: 1,
			said: expect.stringContaining("NOT what was signed"),
		});
		expect(await theirs(path), `byte ${at}`).toMatchObject({
			code: 1,
			said: expect.stringContaining("NOT what was signed"),
		});
	}
	// Signed by somebody else, with a key of theirs in the bundle.
	const stranger = place(
		"stranger.pem",
		"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
	);
	expect(await theirs(file, stranger)).toMatchObject({ code: 1 });
});

/** Puts something else in the place of a stored definition, as who can write to the tables does. */
async function tamper(kind: string, id: string, change: (body: string) => string) {
	const rows = await server.query<{ body: string }>(
		"SELECT argMax(body, version) AS body FROM definitions WHERE kind = {kind:String} AND id = {id:String}",
		{ kind, id },
	);
	const body = change(rows[0]!.body);
	expect(body).not.toBe(rows[0]!.body);
	const client = connectClickHouse(JSON.parse(readFileSync(join(server.dataDir, "engine.json"), "utf8")));
	const times = { version: String(9_000_000_000_000_000_000n + BigInt(Date.now())), created_at: Date.now() };
	await client.insert({
		table: "definitions",
		values: [{ project: "default", kind, id, body, ...times, updated_at: Date.now() }],
		format: "JSONEachRow",
	});
	await client.close();
}

test("a report that was changed in the tables is not intact, and can be neither signed nor downloaded", async () => {
	const changes: [is_intact: boolean | null, change: (body: string) => string][] = [
		[false, (body) => body.replace('"status":"manual"', '"status":"pass"')],
		// Whoever changes the report too cannot sign it as the server does.
		[null, (body) => body.replace(/"key_id":"[0-9a-f]{16}"/, '"key_id":"0123456789abcdef"')],
	];
	for (const [is_intact, change] of changes) {
		const gdpr = await report("GDPR", { attestation_required: true });
		await tamper("compliance_report", gdpr.report_id, change);
		const path = `${C}/reports/${gdpr.report_id}`;
		expect(await call(editor, path)).toMatchObject({ is_intact });
		await call(officer, `${path}/attest`, {}, 409);
		for (const file of ["pdf", "bundle"]) await call(editor, `${path}/${file}`, undefined, 409);
	}
});

test("evidence that was changed, or is gone, spoils the reports that stand on it, in the tables and in a bundle", async () => {
	const changes: ((body: string) => string)[] = [
		() => "{}",
		(body) => JSON.stringify({ ...JSON.parse(body), text: JSON.parse(body).text.replace("Keys", "Cats") }),
		(body) => JSON.stringify({ ...JSON.parse(body), text: "no JSON" }),
	];
	let whole: { content: Body; files: Map<string, Uint8Array>; hash: string } | undefined;
	for (const change of changes) {
		const soc2 = await report("SOC2", { as_of: new Date(Date.now() - changes.indexOf(change)).toISOString() });
		const path = `${C}/reports/${soc2.report_id}`;
		const [{ sha256: hash }] = control(soc2, "soc2.key_rotation").evidence;
		if (whole === undefined) {
			const bundle = await fetch(`${server.url}${path}/bundle`, { headers: { "X-API-Key": editor.api_key } });
			expect(bundle.status).toBe(200);
			const files = new Map(readTar(Buffer.from(await bundle.arrayBuffer())).map((one) => [one.path, one.bytes]));
			whole = { content: JSON.parse(Buffer.from(files.get("report.json")!).toString()), files, hash };
		}
		await tamper("compliance_evidence", hash, change);
		const found = await call(editor, path);
		expect(found.is_intact).toBe(false);
		expect(complianceReportAnswer.parse(found)).toEqual(found);
		const kept = soc2.evidence.filter(({ sha256 }: Body) => sha256 !== hash);
		expect(found.evidence).toEqual(kept);
		await call(officer, `${path}/attest`, {}, 409);
		for (const file of ["pdf", "bundle"]) await call(editor, `${path}/${file}`, undefined, 409);
	}

	// Signed as it should be, over evidence that the report does not name.
	const { content, files, hash } = whole!;
	const evidence = [...files].flatMap(([path, bytes]) => {
		const sha256 = /^evidence\/(.*)\.json$/.exec(path)?.[1];
		return sha256 === undefined ? [] : [{ sha256, text: `${Buffer.from(bytes)}${sha256 === hash ? " " : ""}` }];
	});
	const sha256 = createHash("sha256").update(files.get("report.json")!).digest("hex");
	const parts = { content, sha256, attestations: [], evidence, pdf: files.get("report.pdf")! };
	const forged = join(server.dataDir, "forged.tar");
	writeFileSync(forged, writeBundle(parts, new Signer(["a key"])));
	for (const program of [[MAIN, "compliance", "verify"], [VERIFIER]]) {
		const said = await outcome(run(process.execPath, [...program, forged], env()));
		expect(said).toMatchObject({ code: 1, said: expect.stringContaining(hash) });
	}
});
