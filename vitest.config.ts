import { defineConfig } from "vitest/config";

export default defineConfig({
	test: {
		include: ["**/*.test.ts"],
		exclude: ["node_modules", "dist"],
		// Child processes (the engine, a whole server) run the compiled program, so it must be fresh.
		globalSetup: ["tests/build.ts"],
		testTimeout: 60_000,
		hookTimeout: 60_000,
		// Every engine is a process of its own; of three files at least one waits for something, so that two cores are busy.
		maxWorkers: 3,
		pool: "forks",
	},
});
