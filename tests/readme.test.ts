/** The README's commands and snippets, run as they are written there. */
import { execFile } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Server, startServer, temporaryFolder, until } from "./server.ts";
import { isDemo, readmeBlocks, root } from "./support/readme.ts";

const run = promisify(execFile);
const DOCUMENTED_URL = "http://127.0.0.1:8000";
/** But one, which tests/demo.test.ts runs. */
const commands = readmeBlocks("sh").filter((code) => !isDemo(code));

let server: Server;
beforeAll(async () => {
	server = await startServer({ env: { TIDEMARK_COLLECT_INTERVAL: "1s" } });
	// The README speaks of a server that has run for some seconds.
	await until(async () => ((await server.query("SELECT 1 FROM points LIMIT 1")).length > 0 ? true : undefined), {
		deadline_ms: 20_000,
		what: "the first measurements of the host",
	});
});
afterAll(() => server?.stop());

const temporary = temporaryFolder();
const environment = () => ({
	...process.env,
	TIDEMARK_KEY: server.adminKey,
	TIDEMARK_URL: server.url,
	TIDEMARK_DATA: server.dataDir,
	// Commands may leave there what they like.
	TMPDIR: temporary,
});

describe("the README", () => {
	it.each(commands.map((code) => [code.trim().split("\n")[0]!, code]))(
		"has commands that work: %s",
		async (_, code) => {
			const script = code.replace(/^export TIDEMARK_KEY=.*$/m, "").replaceAll(DOCUMENTED_URL, server.url);
			const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { cwd: root, env: environment() });
			expect(stdout.trim()).not.toBe("");
			expect(stdout).not.toContain('"error":"');
			// One JSON answer after the other, when the block is about routes.
			if (code.includes("/v1/ingest/")) expect(stdout).not.toMatch(/"rejected":\[\{/);
		},
		120_000,
	);

	it("shows the machine's own numbers in the first answers", async () => {
		const response = await server.request("/v1/monitoring/resources?timeframe=1h");
		const { cpu, memory } = (await response.json()) as Record<"cpu" | "memory", { avg_utilization: number | null }>;
		expect(cpu.avg_utilization).toBeGreaterThanOrEqual(0);
		expect(memory.avg_utilization).toBeGreaterThan(0);
	});

	it("has a snippet of the SDK that compiles and runs", async () => {
		// In the package, so that it can import it by its name.
		const folder = `${root}dist/readme`;
		rmSync(folder, { recursive: true, force: true });
		mkdirSync(folder, { recursive: true });
		const [snippet] = readmeBlocks("ts");
		writeFileSync(`${folder}/snippet.ts`, snippet!.replaceAll(DOCUMENTED_URL, server.url));
		const options = [
			"--module",
			"nodenext",
			"--target",
			"es2023",
			"--strict",
			"--types",
			"node",
			"--skipLibCheck",
			"--ignoreConfig",
		];
		await run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, ...options, `${folder}/snippet.ts`], {
			cwd: root,
		});
		const { stdout } = await run(process.execPath, [`${folder}/snippet.js`], { cwd: root, env: environment() });
		expect(stdout).toContain("healthy");
	}, 60_000);
});
