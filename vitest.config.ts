import { defineConfig } from "vitest/config";
import { memoryFolder } from "./tests/support/memory-folder.ts";

// Where the workers, and all that they start, make their temporary folders.
const folder = memoryFolder();
if (folder !== undefined && !process.env.TMPDIR) process.env.TMPDIR = folder;

export default defineConfig({
	test: {
		include: ["**/*.test.ts"],
		exclude: ["node_modules", "dist"],
		// Child processes (the engine, a whole server) run the compiled program, so it must be fresh.
		globalSetup: ["tests/build.ts"],
		testTimeout: 60_000,
		hookTimeout: 60_000,
		// Two cores: every engine is a process of its own, more files at once only make them wait.
		maxWorkers: 2,
		pool: "forks",
	},
});
