import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { DEFAULT_RETENTION } from "../schema/retention.ts";
import { NO_EXPIRY } from "./support/retention.ts";
import { makeTemplates } from "./support/template.ts";

/** Compiles the program once before the tests: the processes they start run `dist`. Then the migrations run, once. */
export default async function build(project: TestProject): Promise<() => Promise<void>> {
	const script = fileURLToPath(new URL("../scripts/build.mjs", import.meta.url));
	execFileSync(process.execPath, [script, "--if-stale"], { stdio: "inherit" });
	const templates = await makeTemplates([DEFAULT_RETENTION, NO_EXPIRY]);
	project.provide("templates", templates);
	return async () => {
		await Promise.all(Object.values(templates).map((folder) => rm(folder, { recursive: true, force: true })));
	};
}
