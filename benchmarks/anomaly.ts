/** `npm run bench:anomaly DIR`: windows found and false alarms of `anomaly_detection` on labelled series; README.md says how. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { SENSITIVITIES } from "../schema/wire/index.ts";
import { bucketed, KEEP_FIRING_FOR, type LabelledWindow, type Outcome, Replay } from "./anomaly-replay.ts";

const command = new Command("npm run bench:anomaly")
	.description("Replays labelled series through the rule anomaly_detection, point by point, with one setting for all")
	.argument("<folder>", "CSV files (timestamp,value) and windows.json: file name → list of [start, end]")
	.option("--timezone <zone>", "zone of hours and days; times without one are UTC", "UTC")
	.parse(process.argv);
const [folder] = command.args as [string];
const { timezone } = command.opts<{ timezone: string }>();

const labels = JSON.parse(readFileSync(join(folder, "windows.json"), "utf8")) as Record<string, [string, string][]>;
const sensitivities = [...SENSITIVITIES].reverse();
const rows = Object.entries(labels).map(([file, windows]) => {
	const replay = new Replay(bucketed(pointsOf(readFileSync(join(folder, file), "utf8"), file)), timezone);
	const labelled = windows.map(([start, end]): LabelledWindow => [secondsOf(start), secondsOf(end)]);
	return { series: file.replace(/\.csv$/, ""), outcomes: sensitivities.map((s) => replay.outcome(s, labelled)) };
});

console.log(`An alarm is a firing (for: 0, keep_firing_for: ${KEEP_FIRING_FOR / 60}m). A window is found when one begins in it.
One that begins outside of every window is false; false alarms are per week of the series, warm-up included.\n`);
printRow("series", "windows", ...sensitivities.flatMap((s) => [`${s}: found`, "false a week"]));
printRow(...Array.from({ length: 2 + 2 * sensitivities.length }, () => "---"));
for (const { series, outcomes } of rows) {
	const cells = outcomes.flatMap((outcome) => [outcome.windows === 0 ? "–" : outcome.found, perWeek([outcome])]);
	printRow(series, outcomes[0]!.windows, ...cells);
}
const averages = sensitivities.flatMap((_, i) => {
	const outcomes = rows.map((row) => row.outcomes[i]!);
	const [found, of] = [total(outcomes, "found"), total(outcomes, "windows")];
	return [of === 0 ? "–" : `${found} (${(found / of).toFixed(2)})`, perWeek(outcomes)];
});
printRow(
	"**all: share found, mean false**",
	total(
		rows.map((row) => row.outcomes[0]!),
		"windows",
	),
	...averages,
);

function printRow(...cells: readonly (string | number)[]): void {
	console.log(`| ${cells.join(" | ")} |`);
}

function total(outcomes: readonly Outcome[], field: "found" | "windows"): number {
	return outcomes.reduce((sum, outcome) => sum + outcome[field], 0);
}

/** The mean over the series, each with its own rate. */
function perWeek(outcomes: readonly Outcome[]): string {
	const rates = outcomes.map(({ falseAlarms, weeks }) => (weeks === 0 ? 0 : falseAlarms / weeks));
	return (rates.reduce((sum, rate) => sum + rate, 0) / Math.max(1, rates.length)).toFixed(2);
}

function pointsOf(csv: string, file: string): [number, number][] {
	const [header, ...lines] = csv.split(/\r?\n/).filter((line) => line.trim() !== "");
	if (header?.trim() !== "timestamp,value") throw new Error(`${file} does not begin with timestamp,value`);
	return lines.map((line, i) => {
		const [timestamp, text] = line.split(",");
		const value = Number(text);
		if (text === undefined || text.trim() === "" || !Number.isFinite(value)) {
			throw new Error(`${file}, line ${i + 2}: ${line} has no number`);
		}
		return [secondsOf(timestamp!), value];
	});
}

function secondsOf(text: string): number {
	const iso = text.trim().replace(" ", "T");
	const ms = Date.parse(/(Z|[+-]\d\d:?\d\d)$/.test(iso) ? iso : `${iso}Z`);
	if (Number.isNaN(ms)) throw new Error(`${text} is not a time`);
	return ms / 1_000;
}
