import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { Telemetry } from "./telemetry.ts";

interface Recorded {
	type: string;
	operation: string;
	wall_ns: number;
	cpu_ns: number;
	success: boolean;
	spans: { name: string; parent: string; start_ns: number; end_ns: number }[];
}

/** What records into a list, as the client would into its batch. */
function telemetry() {
	const recorded: Recorded[] = [];
	return { recorded, monitoring: new Telemetry((line) => recorded.push(JSON.parse(line))) };
}

const parents = ({ spans }: Recorded) => Object.fromEntries(spans.map(({ name, parent }) => [name, parent]));

test("a profiled function gives back what it does, and its time, processor and success are recorded", async () => {
	const { recorded, monitoring } = telemetry();
	expect(monitoring.profile("sync", () => 7)).toBe(7);
	expect(await monitoring.profile("async", () => sleep(20, "done"), { component: "gpu", user_id: "u" })).toBe("done");
	const burnt = performance.now();
	monitoring.profile("busy", () => {
		while (performance.now() - burnt < 30);
	});
	expect(recorded).toMatchObject([
		{ type: "profile", operation: "sync", success: true, spans: [] },
		{ type: "profile", operation: "async", success: true, component: "gpu", user_id: "u" },
		{ type: "profile", operation: "busy", success: true },
	]);
	expect(recorded[1]!.wall_ns).toBeGreaterThan(19e6);
	expect(recorded[2]!.cpu_ns).toBeGreaterThan(1e6);
	for (const { wall_ns } of recorded) expect(Number.isInteger(wall_ns)).toBe(true);
});

test("what throws is a failed run, and what it threw goes on", async () => {
	const { recorded, monitoring } = telemetry();
	const wrong = new Error("no");
	expect(() =>
		monitoring.profile("sync", () => {
			throw wrong;
		}),
	).toThrow(wrong);
	await expect(monitoring.profile("async", () => Promise.reject(wrong))).rejects.toBe(wrong);
	const handled = monitoring.profile("handled", (profile) => {
		try {
			return profile.span("part", (): string => {
				throw wrong;
			});
		} catch {
			return "fallback";
		}
	});
	expect(handled).toBe("fallback");
	expect(
		monitoring.profile("refused", (profile) => {
			profile.success = false;
			return 1;
		}),
	).toBe(1);
	expect(recorded.map(({ operation, success }) => [operation, success])).toEqual([
		["sync", false],
		["async", false],
		["handled", true],
		["refused", false],
	]);
	expect(recorded[2]!.spans).toMatchObject([{ name: "part", parent: "handled" }]);
});

test("a block with `using` is recorded at its end, once, and as failed when a span of it threw", async () => {
	const { recorded, monitoring } = telemetry();
	{
		using profile = monitoring.profile("block");
		profile.span("part", () => undefined);
		expect(recorded).toHaveLength(0);
	}
	{
		await using profile = monitoring.profile("ended");
		profile.end();
		profile.span("late", () => undefined);
	}
	const failing = () => {
		using profile = monitoring.profile("failed");
		profile.span("part", () => {
			throw new Error("no");
		});
	};
	expect(failing).toThrow("no");
	expect(recorded).toMatchObject([
		{ operation: "block", success: true, spans: [{ name: "part", parent: "block" }] },
		{ operation: "ended", success: true, spans: [] },
		{ operation: "failed", success: false, spans: [{ name: "part", parent: "failed" }] },
	]);
});

test("a span stands below the one that is running, across awaits and beside others", async () => {
	const { recorded, monitoring } = telemetry();
	await monitoring.profile("run", async (profile) => {
		await Promise.all([
			profile.span("left", async (left) => {
				await sleep(5);
				profile.span("found", () => undefined);
				left.span("named", () => undefined);
			}),
			profile.span("right", async () => {
				await sleep(1);
				await profile.span("inner", async () => {
					await sleep(1);
					profile.span("innermost", () => undefined);
				});
			}),
		]);
		profile.span("last", () => monitoring.profile("other", (other) => other.span("own", () => undefined)));
	});
	const [other, run] = recorded as [Recorded, Recorded];
	expect(parents(run)).toEqual({
		...{ left: "run", right: "run", found: "left", named: "left", inner: "right", innermost: "inner", last: "run" },
	});
	expect(parents(other)).toEqual({ own: "other" });
	for (const { start_ns, end_ns } of run.spans) {
		expect(start_ns).toBeLessThanOrEqual(end_ns);
		expect(end_ns).toBeLessThanOrEqual(run.wall_ns);
	}
});

test("of more spans than a record may have the first are kept", () => {
	const { recorded, monitoring } = telemetry();
	monitoring.profile("many", (profile) => {
		for (let i = 0; i < 2_500; i++) profile.span(`${i}`, () => undefined);
	});
	expect(recorded[0]!.spans).toHaveLength(2_000);
});
