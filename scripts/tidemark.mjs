#!/usr/bin/env node
// The `tidemark` command. In a checkout it brings packages and build up to date first; an installed package has both.
import { existsSync } from "node:fs";

if (existsSync(new URL("../tsconfig.build.json", import.meta.url))) {
	try {
		const { ensurePackages } = await import("./prepare.mjs");
		await ensurePackages();
		const { ensureBuild } = await import("./build.mjs");
		ensureBuild();
	} catch (error) {
		if (error.name !== "SetupError") throw error;
		console.error(`setup: ${error.message}`);
		process.exit(1);
	}
}
await import("../dist/main.js");
