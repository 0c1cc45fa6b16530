// What somebody who installs the package gets: its types, through the package's own exports.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Compiles a program that depends on the package, as strictly as TypeScript can, for a browser. */
function compile(program: string): { status: number | null; out: string } {
	const folder = mkdtempSync(join(tmpdir(), "tidemark-sdk-"));
	try {
		mkdirSync(join(folder, "node_modules"));
		symlinkSync(root, join(folder, "node_modules/tidemark"));
		writeFileSync(join(folder, "package.json"), '{"type": "module"}');
		writeFileSync(join(folder, "program.ts"), program);
		const { status, stdout } = spawnSync(
			process.execPath,
			[
				join(root, "node_modules/typescript/bin/tsc"),
				..."--noEmit --strict --exactOptionalPropertyTypes --module nodenext --target es2022 --lib es2023,dom --types".split(
					" ",
				),
				"",
				"program.ts",
			],
			{ cwd: folder, encoding: "utf8" },
		);
		return { status, out: stdout };
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test("a strict program for the browser compiles against the built package", () => {
	const { status, out } = compile(`
		import { Client, RateLimitError, type ClientStats } from "tidemark";
		const client = new Client({ apiKey: "k", baseUrl: "http://127.0.0.1:8000" });
		client.monitoring.trackMetric({ name: "n", value: 1, tags: { a: "b" }, kind: "counter", timestamp: new Date() });
		client.monitoring.trackEvent({ event: "e", properties: { success: true } });
		client.monitoring.log({ message: "m", level: "info" });
		client.monitoring.reportError(new Error("x"), { severity: "error" });
		const answer: number = client.monitoring.profile("sync", () => 7);
		const later: string = await client.monitoring.profile("async", async (p) => p.span("part", () => "x"));
		client.monitoring.profile("block", { component: "c" }).end();
		const health = await client.monitoring.systemHealth({ as_of: new Date() });
		const response: number | null = health.avg_response_time;
		const stats: ClientStats = await client.shutdown();
		console.log(answer, later, response, stats.dropped, new RateLimitError("x").retryAfter);
	`);
	expect(out).toBe("");
	expect(status).toBe(0);
});

test("a wrong record is an error of the compiler", () => {
	const { out } = compile(`
		import { Client } from "tidemark";
		const client = new Client({ apiKey: "k" });
		client.monitoring.trackMetric({ name: "n" });
		client.monitoring.trackMetric({ name: "n", value: 1, kind: "guage" });
		await client.monitoring.metrics({ granularity: "2h" });
	`);
	expect([...out.matchAll(/program\.ts\((\d+)/g)].map(([, line]) => line)).toEqual(["4", "5", "6"]);
});
