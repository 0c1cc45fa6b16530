/** The acceptance scenario in a database of the test, by way of ingest but without HTTP, and what every route is asked about it. */
import type { Signal } from "../../ingest/intake.ts";
import { READS } from "../../query/index.ts";
import type { Read } from "../../query/route.ts";
import { AS_OF, CASES, parametersOf, scenarioRecords } from "../acceptance/scenario.ts";
import type { TestDatabase } from "./database.ts";
import { ingested, startIngest } from "./ingested.ts";

/** Stores the scenario in a project. */
export async function storeScenario(database: TestDatabase, project: string): Promise<void> {
	const ingest = await startIngest(database, AS_OF);
	const records = scenarioRecords();
	for (const signal of new Set(records.map(({ type }) => type as Signal))) {
		const ofSignal = records.filter(({ type }) => type === signal);
		await ingested(ingest, project, signal, ofSignal);
	}
	await ingest.close(10_000);
}

export interface Asked {
	readonly read: Read;
	readonly parameters: Readonly<Record<string, string>>;
}

/** Parameters that leave nothing out of an answer. */
const NEUTRAL = new Set(
	["as_of", "timezone", "timeframe", "granularity", "start", "end", "start_time", "end_time"].concat(
		...["limit", "breakdown_by", "components", "databases", "include_peer_details", "operation"],
	),
);
/** Of one route; more of them take time and show nothing new. */
const MAX_CASES = 1;

/** The plain question, and what the scenario's cases ask. */
function questionsTo(read: Read): Asked[] {
	const plain = { as_of: new Date(AS_OF).toISOString(), timezone: "UTC" };
	const cases = CASES.filter(({ path, status, setup }) => path === read.path && status === 200 && setup === undefined);
	return [plain, ...cases.map(parametersOf)]
		.map((parameters): Asked => ({ read, parameters }))
		.sort((a, b) => narrowness(a) - narrowness(b) || hours(b) - hours(a));
}

function narrowness({ parameters }: Asked): number {
	return Object.keys(parameters).filter((name) => !NEUTRAL.has(name)).length;
}

/** How long a window is, about. */
function hours({ parameters: { start, start_time, timeframe } }: Asked): number {
	const from = start ?? start_time;
	if (from !== undefined) return (AS_OF - Date.parse(from)) / 3_600_000;
	const [, count = "1", unit = ""] = /^(\d*)(.*)$/.exec(timeframe ?? "") ?? [];
	const inHours: Readonly<Record<string, number>> = { h: 1, d: 24, day: 24, week: 168, month: 720, year: 8_760 };
	return Number(count || 1) * (inHours[unit] ?? 0);
}

const BY_ROUTE = READS.map(questionsTo);
/** Of each route some questions, and among them the one whose answer is the widest. */
export const QUESTIONS: readonly Asked[] = BY_ROUTE.flatMap((asked) => asked.slice(0, 1 + MAX_CASES));
export const WIDEST: readonly Asked[] = BY_ROUTE.map((asked) => asked[0]!);
