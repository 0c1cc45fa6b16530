import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { READS } from "../query/index.ts";
import type { DashboardDataAnswer } from "../schema/wire/index.ts";
import { type Server, startServer } from "./server.ts";
import { isDemo, readmeBlocks, root } from "./support/readme.ts";

const MAIN = `${root}dist/main.js`;
const run = promisify(execFile);

let server: Server;
let key: string;
/** As the README has it. */
const demo = () => {
	const [command] = readmeBlocks("sh").filter(isDemo);
	const env = { ...process.env, TIDEMARK_URL: server.url, TIDEMARK_DATA: server.dataDir };
	return run("bash", ["-euo", "pipefail", "-c", command!], { cwd: root, env });
};

beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" } });
	const { stdout } = await demo();
	key = /key {2}(\S+)/.exec(stdout)![1]!;
}, 180_000);
afterAll(() => server?.stop());

/** What no record of a project can fill: evidence of its operator. */
const NEVER: Readonly<Record<string, readonly string[]>> = {
	"/analytics/federated/privacy": ["gdpr_compliant", "hipaa_compliant", "sox_compliant", "audit_trail_complete"].map(
		(name) => `compliance.${name}`,
	),
};

test.each(READS.map(({ path }) => path))("every field of %s has a record behind it", async (path) => {
	const query = path === "/v1/monitoring/profiling" ? "?operation=inference_pipeline" : "";
	const response = await fetch(`${server.url}${path}${query}`, { headers: { "X-API-Key": key } });
	// biome-ignore lint/suspicious/noExplicitAny: any route's answer
	const body = (await response.json()) as any;
	expect(response.status, JSON.stringify(body)).toBe(200);
	const missing = (body.meta?.missing ?? []).map(({ field }: { field: string }) => field);
	expect(missing).toEqual(NEVER[path] ?? []);
});

test("every widget of main_dashboard shows something", async () => {
	const response = await fetch(`${server.url}/v1/monitoring/dashboards/main_dashboard/data`, {
		headers: { "X-API-Key": key },
	});
	const body = (await response.json()) as DashboardDataAnswer;
	expect(response.status, JSON.stringify(body)).toBe(200);
	const shown = body.widgets.map(({ widget_id, status, error }) => [widget_id, status, error?.message]);
	expect(shown).toEqual(body.widgets.map(({ widget_id }) => [widget_id, "ok", undefined]));
	expect(body.widgets.length).toBeGreaterThan(8);
});

const EXAMPLES = `${root}examples/`;
const examples = readdirSync(EXAMPLES, { recursive: true, encoding: "utf8" })
	// One checks a file that is given to it: tests/compliance.test.ts does.
	.filter((file) => file.endsWith(".mjs") && !file.startsWith("verify-"));

test.each(examples)("the example %s prints numbers", async (file) => {
	// Channels are an administrator's.
	const needed = file.endsWith("notifications.mjs") ? server.adminKey : key;
	const env = { ...process.env, TIDEMARK_KEY: needed, TIDEMARK_URL: server.url };
	const { stdout } = await run(process.execPath, [EXAMPLES + file], { env });
	expect(stdout).toMatch(/\d/);
	expect(stdout).not.toMatch(/undefined|NaN/);
});

test("a project that has records is not filled a second time", async () => {
	await expect(demo()).rejects.toThrow(/has records already: name another one with --project/);
	const [before] = await server.query<{ n: number }>("SELECT count() AS n FROM events WHERE project = 'demo'");
	expect(before!.n).toBeGreaterThan(100_000);
});

test("without a server it says what to do", async () => {
	const away = run(process.execPath, [MAIN, "demo", "--url", "http://127.0.0.1:9"], {
		cwd: server.dataDir,
		env: { ...process.env, TIDEMARK_DATA: server.dataDir },
	});
	await expect(away).rejects.toThrow(/start one with npm start/);
});
