/**
 * `npm run bench:patterns DIR`: how well log lines are put into patterns. DIR has samples labelled with their true templates
 * (`*.log_structured.csv` with the columns `Content` and `EventId`). The lines go, in the order of the file, the way of ingest, and what ingest would
 * have stored is made one as reading does.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OpenBatch } from "../../ingest/batch.ts";
import { decodeBlock } from "../../ingest/native/decode.ts";
import { PatternMiner } from "../../ingest/patterns/miner.ts";
import { unify } from "../../schema/log-patterns.ts";
import { spread } from "../statistics.ts";
import { groupingAccuracy } from "./accuracy.ts";
import { parseCsv } from "./csv.ts";

interface Sample {
	readonly name: string;
	readonly lines: readonly string[];
	/** Of each line its true template. */
	readonly events: readonly string[];
}

const SUFFIX = /\.log_structured\w*\.csv$/;
const RECEIVED = Date.UTC(2026, 0, 1);
const PASSES = 25;

function sampleOf(folder: string, file: string): Sample {
	const [head = [], ...rows] = parseCsv(readFileSync(join(folder, file), "utf8"));
	const [content, event] = ["Content", "EventId"].map((column) => head.indexOf(column));
	if (content === -1 || event === -1) throw new Error(`${file} has no columns Content and EventId`);
	const labelled = rows.filter((row) => row.length > 1 || row[0] !== "");
	if (labelled.some((row) => row.length !== head.length))
		throw new Error(`${file} has rows of another length than its head`);
	return {
		name: file.replace(SUFFIX, ""),
		lines: labelled.map((row) => row[content!]!),
		events: labelled.map((row) => row[event!]!),
	};
}

/** The pattern of each line, as a reader would see it after these lines alone. */
function patternsOf(lines: readonly string[]): string[] {
	const batch = new OpenBatch(1);
	const rest = { level: "info", component: "", context: "", trace_id: "", span_id: "" };
	for (const message of lines) batch.log("p", { ts: RECEIVED, message, ...rest }, RECEIVED);
	const columns = (table: string) => decodeBlock(sealed.frames.find((frame) => frame.table === table)!.block).columns;
	const sealed = batch.seal();
	const announced = columns("log_patterns");
	const templates = announced.get("template") as string[];
	const one = unify(templates);
	const patternOf = new Map(announced.get("pattern_id")!.map((id, i) => [id, one.get(templates[i]!)!]));
	return columns("logs")
		.get("pattern_id")!
		.map((id) => patternOf.get(id)!);
}

/** Microseconds of CPU a line, the first time and once its shape is known. */
function costOf(lines: readonly string[]): { first_us: number; known_us: number } {
	const messages = lines.map((line) => Buffer.from(line));
	const pass = (miner: PatternMiner) => {
		// Time of this process: others may be at work on the machine.
		const began = process.cpuUsage();
		const patterns = miner.of("p");
		for (const message of messages) patterns.mine(message, 0, message.length, 0);
		const { user, system } = process.cpuUsage(began);
		return (user + system) / messages.length;
	};
	const miner = new PatternMiner();
	for (let i = 0; i < PASSES; i++) pass(miner);
	const known = Array.from({ length: PASSES }, () => pass(miner));
	const first = Array.from({ length: 5 }, () => pass(new PatternMiner()));
	return { first_us: spread(first).median, known_us: spread(known).median };
}

function printed(cells: readonly (string | number)[]): string {
	const [name, ...numbers] = cells.map(String);
	return name!.padEnd(20) + numbers.map((cell) => cell.padStart(14)).join("");
}

const folder = process.argv[2];
const files = folder === undefined ? [] : readdirSync(folder).filter((file) => SUFFIX.test(file));
if (folder === undefined || files.length === 0) {
	console.error(
		"usage: npm run bench:patterns DIR, where DIR has files *.log_structured.csv with the columns Content and EventId",
	);
	process.exitCode = 1;
} else {
	console.log(printed(["sample", "lines", "templates", "patterns", "accuracy", "µs a line", "first pass µs"]));
	const accuracies: number[] = [];
	for (const file of files.sort()) {
		const { name, lines, events } = sampleOf(folder, file);
		const patterns = patternsOf(lines);
		const accuracy = groupingAccuracy(events, patterns);
		accuracies.push(accuracy);
		const { known_us, first_us } = costOf(lines);
		const counts = [lines.length, new Set(events).size, new Set(patterns).size];
		console.log(printed([name, ...counts, accuracy.toFixed(4), known_us.toFixed(2), first_us.toFixed(2)]));
	}
	const mean = accuracies.reduce((sum, accuracy) => sum + accuracy, 0) / accuracies.length;
	console.log(printed(["average", "", "", "", mean.toFixed(4), "", ""]));
}
