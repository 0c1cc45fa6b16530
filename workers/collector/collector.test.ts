import { readFileSync } from "node:fs";
import { pino } from "pino";
import { expect, test } from "vitest";
import type { MetricPoint } from "../../schema/wire/ingest.ts";
import { until } from "../../tests/server.ts";
import { type CollectorOptions, startCollector } from "./collector.ts";
import { thisHost } from "./host.ts";
import { hostProbes, type Probe } from "./probes.ts";

const logger = pino({ level: "silent" });
const uptime: Probe = { name: "uptime", read: async () => ({ uptime_s: 5 }) };

function collect(probes: Probe[], options: Partial<CollectorOptions> = {}) {
	const samples: (readonly MetricPoint[])[] = [];
	const collector = startCollector({
		...{ interval_ms: 20, probes, host: { id: "h", name: "h" }, logger, send: (records) => samples.push(records) },
		...options,
	});
	return { ...collector, samples };
}

test("a probe that fails is counted and leaves out its own metrics only", async () => {
	const broken: Probe = { name: "broken", read: () => Promise.reject(new Error("no")) };
	const thrower: Probe = {
		name: "thrower",
		read: () => {
			throw new Error("at once");
		},
	};
	const { samples, failures, stop } = collect([broken, thrower, uptime]);
	await until(() => samples.length >= 3);
	await stop();
	for (const sample of samples) expect(sample.map(({ name }) => name)).toEqual(["system.uptime"]);
	expect(failures.get("broken")).toBeGreaterThanOrEqual(3);
	expect(failures.get("thrower")).toBe(failures.get("broken"));
});

test("a probe that hangs holds up one sample by its limit, is not started twice, and is back when it answers", async () => {
	let answer = (_: { load: [number, number, number] }) => undefined as unknown;
	let started = 0;
	const hanging: Probe = {
		name: "hanging",
		read: () => {
			started++;
			return new Promise((resolve) => {
				answer = resolve;
			});
		},
	};
	const { samples, failures, stop } = collect([hanging, uptime], { probeLimit_ms: 30 });
	await until(() => samples.length >= 4);
	expect(started).toBe(1);
	expect(failures.get("hanging")).toBeGreaterThanOrEqual(4);
	answer({ load: [1, 1, 1] });
	await until(() => started === 2);
	// Too late for the sample that asked.
	expect(samples.flat().some(({ name }) => name !== "system.uptime")).toBe(false);
	await stop();
});

test("stop does not wait for a probe that hangs, and nothing is sent after it", async () => {
	const { samples, stop } = collect([{ name: "hanging", read: () => new Promise(() => undefined) }], {
		probeLimit_ms: 600_000,
	});
	await stop();
	expect(samples).toEqual([]);
});

test("two samples never run at once", async () => {
	let running = 0;
	let most = 0;
	const slow: Probe = {
		name: "slow",
		async read() {
			most = Math.max(most, ++running);
			await new Promise((resolve) => setTimeout(resolve, 40));
			running--;
			return { uptime_s: 1 };
		},
	};
	const { samples, stop } = collect([slow], { interval_ms: 5 });
	await until(() => samples.length >= 4);
	await stop();
	expect(most).toBe(1);
});

test("this machine: everything that it has, in the bounds of the possible, within two samples", async () => {
	const host = await thisHost();
	const { samples, failures, stop } = collect(hostProbes(), { interval_ms: 250, host });
	await until(() => samples.length >= 2);
	await stop();
	expect(Object.fromEntries(failures)).toEqual({});
	const all = samples.flat();
	const named = (name: string) => all.filter((record) => record.name === name) as { value: number; tags: object }[];
	for (const { name, value, tags } of all) {
		expect(value, name).toBeGreaterThanOrEqual(0);
		if (name.endsWith("utilization")) expect(value, name).toBeLessThanOrEqual(1);
		expect(tags).toMatchObject({ "host.id": host.id, "host.name": host.name });
	}
	expect(named("system.cpu.utilization")).toHaveLength(1);
	expect(named("system.uptime")).toHaveLength(2);
	expect(named("system.memory.utilization")[0]!.value).toBeGreaterThan(0);
	expect(named("system.filesystem.limit").length).toBeGreaterThan(0);
	const devices = named("system.filesystem.usage").map(({ tags }) => JSON.stringify(tags));
	expect(new Set(devices).size * 2).toBe(devices.length);
	expect(all.some(({ tags }) => tags?.["network.interface.name"] === "lo")).toBe(false);
});

test.runIf(process.platform === "linux")("a sample every ten seconds costs less than 1 % of a CPU", async () => {
	// Of this process and of the children it has waited for, such as df.
	const cpu_ms = () => {
		const stat = readFileSync("/proc/self/stat", "utf8");
		const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		return ticks.slice(11, 15).reduce((sum, text) => sum + Number(text) * 10, 0);
	};
	const { samples, stop } = collect(hostProbes(), { interval_ms: 1 });
	await until(() => samples.length >= 2);
	const before = cpu_ms();
	const from = samples.length;
	await until(() => samples.length >= from + 20);
	const cost_ms = (cpu_ms() - before) / (samples.length - from);
	await stop();
	expect(cost_ms).toBeLessThan(100);
});
