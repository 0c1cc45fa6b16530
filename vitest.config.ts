import { defineConfig } from "vitest/config";
import { LongestFirst } from "./tests/sequence.ts";
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
		sequence: { sequencer: LongestFirst },
		// One more than cores: a test of the whole program waits for some of its time.
		maxWorkers: 3,
		pool: "forks",
	},
});
