import { expect, test } from "vitest";
import { DEFAULT_RULES, type Evidence, overallState, stateOf } from "./components.ts";

test.each<[string, Evidence, string]>([
	["nothing heard", {}, "unknown"],
	["requests without errors", { requests: 5, error_rate: 0 }, "healthy"],
	["errors over the bound", { requests: 100, error_rate: 0.06 }, "degraded"],
	["errors at the bound", { requests: 100, error_rate: 0.05 }, "healthy"],
	["errors of too few requests", { requests: 19, error_rate: 1 }, "healthy"],
	["a full disk", { utilization: 0.93 }, "degraded"],
	["a disk at the bound", { utilization: 0.9 }, "healthy"],
	["all checks failed twice", { checks: { checks: 2, failing: 2, reporting: 2 } }, "down"],
	["one place of three fails", { checks: { checks: 3, failing: 1, reporting: 3 } }, "degraded"],
	["failed checks that fell silent", { checks: { checks: 1, failing: 1, reporting: 0 } }, "unknown"],
	["all nodes lost", { nodes: { active: 0, lost: 3 } }, "down"],
	["some nodes lost", { nodes: { active: 1, lost: 3 } }, "healthy"],
	["another record in time", { reporting: true }, "healthy"],
	["down beats a full disk", { checks: { checks: 1, failing: 1, reporting: 1 }, utilization: 0.99 }, "down"],
])("%s: %j is %s", (_, evidence, state) => {
	expect(stateOf(evidence)).toBe(state);
});

test("latency counts only where a bound is set", () => {
	const slow: Evidence = { requests: 100, error_rate: 0, latency_p95_ms: 900 };
	expect(stateOf(slow)).toBe("healthy");
	expect(stateOf(slow, { ...DEFAULT_RULES, latency_p95_ms: 500 })).toBe("degraded");
});

test.each<[Parameters<typeof overallState>[0], string]>([
	[[], "unknown"],
	[[{ state: "unknown", critical: true }], "unknown"],
	[
		[
			{ state: "healthy", critical: true },
			{ state: "unknown", critical: false },
		],
		"healthy",
	],
	[
		[
			{ state: "healthy", critical: true },
			{ state: "down", critical: false },
		],
		"degraded",
	],
	[
		[
			{ state: "degraded", critical: false },
			{ state: "healthy", critical: true },
		],
		"degraded",
	],
	[
		[
			{ state: "down", critical: true },
			{ state: "healthy", critical: true },
		],
		"unhealthy",
	],
])("%j together are %s", (states, overall) => {
	expect(overallState(states)).toBe(overall);
});
