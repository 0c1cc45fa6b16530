/** `tidemark backup` beside a server that runs, and `tidemark restore` into an empty folder. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startServer, temporaryFolder } from "./server.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const env = { TIDEMARK_SELF_PROJECT: "off", TIDEMARK_COLLECT_INTERVAL: "off" };

async function tidemark(dataDir: string, ...args: string[]): Promise<string> {
	const options = { cwd: dataDir, env: { PATH: process.env.PATH, TIDEMARK_DATA: dataDir } };
	return (await promisify(execFile)(process.execPath, [MAIN, ...args], options)).stdout;
}

test("what was backed up of a running server, also in two parts, comes back into an empty folder; nothing else does", async () => {
	const dataDir = temporaryFolder();
	const server = await startServer({ dataDir, env });
	const send = (n: number) =>
		server.request("/v1/ingest/events?wait=true", {
			body: Array.from({ length: n }, (_, i) => ({ event: "a", user_id: `u${i}` })),
		});
	await send(300);
	await tidemark(dataDir, "backup");
	const kept = join(dataDir, "clickhouse/backups");
	const [first] = readdirSync(kept).filter((name) => name.endsWith(".json"));
	const base = first!.replace(".json", "");
	await send(200);
	await tidemark(dataDir, "backup", "--base", base);
	await send(50);
	const audited = await server.query("SELECT action FROM audit_log WHERE project = 'tidemark' ORDER BY seq");
	expect(audited.map(({ action }) => action)).toEqual([
		"backup.create",
		"restore.verify",
		"backup.create",
		"restore.verify",
	]);
	expect(await server.query("SELECT name FROM system.databases WHERE name LIKE '%verify%'")).toEqual([]);
	await server.stop();
	const second = readdirSync(kept)
		.find((name) => name.endsWith(".json") && name !== first)!
		.replace(".json", "");

	const empty = temporaryFolder();
	mkdirSync(join(empty, "clickhouse"));
	cpSync(kept, join(empty, "clickhouse/backups"), { recursive: true });
	expect(await tidemark(empty, "backup", "list")).toContain(second);
	await tidemark(empty, "restore", second);
	await expect(tidemark(empty, "restore", second)).rejects.toThrow("--force");
	const restored = await startServer({ dataDir: empty, env });
	expect(await restored.query("SELECT count() AS n FROM events")).toEqual([{ n: 500 }]);
	expect(await restored.query("SELECT sum(n) AS n FROM event_counts_15m")).toEqual([{ n: 500 }]);
	await restored.stop();

	const path = join(empty, "clickhouse/backups", `${second}.json`);
	writeFileSync(path, readFileSync(path, "utf8").replace('"events":500', '"events":501'));
	await expect(tidemark(empty, "restore", second, "--force")).rejects.toThrow("was changed");
}, 120_000);
