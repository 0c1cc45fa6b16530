import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomFrom } from "../tests/support/random.ts";
import { bucketed, KEEP_FIRING_FOR, Replay } from "./anomaly-replay.ts";

const main = fileURLToPath(new URL("../dist/benchmarks/anomaly.js", import.meta.url));
const START = Date.parse("2026-03-02T00:00:00Z") / 1_000;
const HOUR = 3_600;

let folder: string;
beforeAll(() => {
	folder = mkdtempSync(join(tmpdir(), "tidemark-anomaly-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Twelve days of a steady series, with 500 more in some hours (from, to, counted from the start). */
function steady(...raised: readonly (readonly [number, number])[]): [number, number][] {
	const u = randomFrom(3);
	return Array.from({ length: 12 * 288 }, (_, i) => {
		const hour = (i * 300) / HOUR;
		return [START + i * 300, 100 + u() + (raised.some(([from, to]) => hour >= from && hour < to) ? 500 : 0)];
	});
}

const replay = (points: readonly (readonly [number, number])[]) => new Replay(bucketed(points), "UTC");
const at = (hour: number) => START + hour * HOUR;

test("an alarm is one firing, and the next one begins when it was quiet for an hour", () => {
	const series = steady([200, 202], [202.5, 203], [205, 205.5]);
	expect(replay(series).alarms("high")).toEqual([at(200), at(205)]);
	expect(KEEP_FIRING_FOR).toBe(HOUR);
});

test("what lasts for half a day is one alarm", () => {
	expect(replay(steady([200, 212])).alarms("high")).toEqual([at(200)]);
});

test("a window is found by an alarm that begins in it; one that begins before is false and finds nothing", () => {
	const series = replay(steady([200, 202], [230, 232]));
	const outcome = (...windows: [number, number][]) =>
		series.outcome(
			"high",
			windows.map(([start, end]) => [at(start), at(end)] as const),
		);
	expect(outcome([199, 201], [229, 233])).toMatchObject({ windows: 2, found: 2, falseAlarms: 0 });
	expect(outcome([201, 203])).toMatchObject({ windows: 1, found: 0, falseAlarms: 2 });
	expect(outcome([150, 160])).toMatchObject({ windows: 1, found: 0, falseAlarms: 2 });
	expect(outcome().weeks).toBeCloseTo(12 / 7, 9);
});

test("the future is not seen: alarms up to an instant are the same whatever comes after it", () => {
	const calm = steady([200, 202]);
	const wild = calm.map(([t, value], i): [number, number] => [t, t >= at(220) ? value * (i % 7) : value]);
	const [one, other] = [replay(calm), replay(wild)];
	for (const sensitivity of ["high", "medium", "low"] as const) {
		const before = (series: Replay) => series.alarms(sensitivity).filter((alarm) => alarm < at(220));
		expect(before(one)).toHaveLength(1);
		expect(before(other)).toEqual(before(one));
	}
});

test("points of one bucket are its mean, in whatever order they come", () => {
	const points: [number, number][] = [
		[at(1) + 299, 6],
		[at(0), 1],
		[at(1), 2],
	];
	expect(bucketed(points)).toEqual({ t: [at(0), at(1)], values: [1, 4] });
});

test("the command prints a row a series and the averages, from files as they are found in the wild", () => {
	const time = (t: number) => new Date(t * 1_000).toISOString().replace("T", " ").slice(0, 19);
	const csv = (points: [number, number][]) =>
		`timestamp,value\r\n${points.map(([t, v]) => `${time(t)},${v}`).join("\r\n")}\r\n`;
	writeFileSync(join(folder, "one.csv"), csv(steady([200, 202])));
	writeFileSync(join(folder, "quiet.csv"), csv(steady()));
	writeFileSync(
		join(folder, "windows.json"),
		JSON.stringify({ "one.csv": [[`${time(at(199))}.000000`, `${time(at(203))}.000000`]], "quiet.csv": [] }),
	);
	const printed = execFileSync(process.execPath, [main, folder], { encoding: "utf8" });
	expect(printed).toContain("| one | 1 | 1 | 0.00 | 1 | 0.00 | 1 | 0.00 |");
	expect(printed).toContain("| quiet | 0 | – | 0.00 | – | 0.00 | – | 0.00 |");
	expect(printed).toContain("| 1 | 1 (1.00) | 0.00 | 1 (1.00) | 0.00 | 1 (1.00) | 0.00 |");
});

test("a file that is not a series is refused by name and line", () => {
	writeFileSync(join(folder, "bad.csv"), "timestamp,value\n2026-03-02 00:00:00,1\n2026-03-02 00:05:00,\n");
	writeFileSync(join(folder, "windows.json"), JSON.stringify({ "bad.csv": [] }));
	const { status, stderr } = spawnSync(process.execPath, [main, folder], { encoding: "utf8" });
	expect(status).not.toBe(0);
	expect(stderr).toContain("bad.csv, line 3");
});
