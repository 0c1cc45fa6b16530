/** What holds for every reading route, whatever it answers: strict answers, projects apart, and each field from its own records. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { mentions } from "../query/conventions.ts";
import { READS } from "../query/index.ts";
import { type NeededRecords, type Needs, partsOf } from "../query/meta.ts";
import { acceptedNames, FAMILIES, type RecordConvention, recordKey } from "../schema/conventions/index.ts";
import { AS_OF } from "./acceptance/scenario.ts";
import { differences, isEmptyAt, overlap } from "./support/answers.ts";
import { copyProject } from "./support/copies.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "./support/database.ts";
import { type Reads, startReads } from "./support/reads.ts";
import { type Asked, QUESTIONS, storeScenario, WIDEST } from "./support/scenario.ts";

/** Families are left out several at a time, those that have little to do with each other: a project for each would take minutes. */
const GROUPS = 7;
const groups = Array.from({ length: GROUPS }, (_, i) => FAMILIES.filter((_family, at) => at % GROUPS === i));
const groupName = (group: (typeof groups)[number]) => group.map(({ family }) => family).join(", ");
/** Of a family, other names included. */
const keysOf = (record: RecordConvention) =>
	[record.name, ...acceptedNames(recordKey(record))].map((name) => recordKey({ signal: record.signal, name }));

// biome-ignore lint/suspicious/noExplicitAny: any route's answer
type Body = any;
let database: TestDatabase;
let reads: Reads;
/** Answers to QUESTIONS, before and after other projects have records of the same names at the same times. */
let before: Body[];
let after: Body[];

beforeAll(async () => {
	database = await startDatabase(NO_EXPIRY);
	const projects = ["whole", "empty", "twin", ...groups.map(groupName)];
	[reads] = await Promise.all([
		startReads(database.client, { projects, now: AS_OF }),
		storeScenario(database, "whole"),
	]);
	before = await answers("whole", QUESTIONS);
	// A third of the ids is the same, a third others, a third one: a leak would change how many there are.
	const other = (id: string) =>
		`multiIf(${id} = '', '', cityHash64(${id}) % 3 = 0, concat(${id}, ' b'), cityHash64(${id}) % 3 = 1, 'one', ${id})`;
	await copyProject(database, "whole", [{ project: "twin" }], {
		points: { value: "value * 1.7 + 0.003" },
		cumulative: { value: "value * 1.7" },
		events: {
			user_id: other("user_id"),
			account_id: other("account_id"),
			session_id: other("session_id"),
			numbers: "mapApply((k, v) -> (k, v * 1.5), numbers)",
			event_id: "if(event_id != '', concat(event_id, ' b'), '')",
		},
		logs: { message: "concat(message, ' b')" },
		errors: { user_id: "concat(user_id, ' b')" },
		profiles: { wall_ns: "wall_ns * 2" },
	});
	await copyProject(
		database,
		"whole",
		groups.map((group) => ({
			project: groupName(group),
			without: group.flatMap(({ records }) => records.flatMap(keysOf)),
		})),
	);
	after = await answers("whole", QUESTIONS);
}, 180_000);
afterAll(() => database?.stop());

async function answers(project: string, asked: readonly Asked[]): Promise<Body[]> {
	const found: Body[] = [];
	// Two at a time: an answer asks several questions at once itself.
	for (let i = 0; i < asked.length; i += 2) {
		found.push(...(await Promise.all(asked.slice(i, i + 2).map((one) => answer(project, one)))));
	}
	return found;
}

async function answer(project: string, { read, parameters }: Asked): Promise<Body> {
	const { status, body } = await reads.get(project, read.path, parameters);
	expect(status, `${read.path} ${JSON.stringify(parameters)}: ${JSON.stringify(body)}`).toBe(200);
	return body;
}

const PATHS = READS.map(({ path }) => path);

test.each(READS.map((read) => [read.path, read] as const))(
	"%s answers what its schema says, no more",
	async (_, read) => {
		const empty = await answer("empty", WIDEST.find((asked) => asked.read === read)!);
		for (const body of [empty, ...before.filter((_body, i) => QUESTIONS[i]!.read === read)]) {
			expect(read.answer.parse(body)).toEqual(body);
		}
	},
);

describe("projects with the same names at the same times", () => {
	test.each(PATHS)("change nothing in %s", (path) => {
		for (const [i, { read, parameters }] of QUESTIONS.entries()) {
			if (read.path === path) expect(differences(before[i], after[i]), JSON.stringify(parameters)).toEqual([]);
		}
	});

	test("have answers of their own", async () => {
		const twin = await answers("twin", WIDEST);
		const same = WIDEST.filter((asked, i) => {
			const { meta: _, ...whole } = before[QUESTIONS.indexOf(asked)];
			const { meta: __, ...other } = twin[i];
			return differences(whole, other).length === 0;
		});
		expect(same.map(({ read }) => read.path)).toEqual([]);
	});
});

describe("without all records of a family", () => {
	test.each(groups.map((group) => [groupName(group), group] as const))(
		"its fields are empty and listed, all others as before: %s",
		async (name, group) => {
			const gone = group.flatMap(({ records }) => records);
			const all = await answers(name, WIDEST);
			const wrong = WIDEST.flatMap((asked, i) => wrongIn(asked, before[QUESTIONS.indexOf(asked)], all[i], gone));
			expect([...new Set(wrong)]).toEqual([]);
		},
	);
});

/** What an answer without the records of `gone` should have or not have, and does not. */
function wrongIn({ read }: Asked, whole: Body, less: Body, gone: readonly RecordConvention[]): string[] {
	const { path, needs = {} } = read;
	const { meta: _, ...had } = whole;
	const { meta, ...has } = less;
	const listed = new Set(meta.missing.map(({ field }: { field: string }) => field));
	const emptied = Object.entries(needs).flatMap(([field, need]) => {
		if (!isMadeOf(need, gone) || isEmptyAt(had, field)) return [];
		if (!isEmptyAt(has, field)) return [`${path} ${field} still has a value`];
		// Members named by data are listed by their names.
		return listed.has(field) || field.includes("*") ? [] : [`${path} ${field} is not listed in meta.missing`];
	});
	const changed = differences(had, has).filter((field) => !isTouched(path, field, needs, gone));
	return [...emptied, ...changed.map((field) => `${path} ${field} is another`)];
}

/** Whether the field cannot be made without these records. */
function isMadeOf(need: NeededRecords, gone: readonly RecordConvention[]): boolean {
	const keys = new Set(gone.flatMap(keysOf));
	return partsOf(need).some(({ records }) => records.every((record) => keys.has(record)));
}

/** Whether one of these records is among those that the field needs. */
function isPartOf(need: NeededRecords, gone: readonly RecordConvention[]): boolean {
	return partsOf(need).some(({ records, attribute }) =>
		gone.some(
			(record) =>
				keysOf(record).some((key) => records.includes(key)) ||
				(records.includes(record.signal) && record.attributes.some(({ name }) => mentions(attribute ?? "", name))),
		),
	);
}

const WITH_USER: NeededRecords = { any: ["event"], with: "user_id" };
const WITH_COMPONENT: NeededRecords = { any: ["metric", "event"], with: "component" };
/**
 * What fields follow beside what fills them, and what members follow that always have a value, so that nothing is needed for
 * them. By route, or `*` for all.
 */
const ALSO: Readonly<Record<string, Needs>> = {
	"*": { "*[].low_sample": "metric http.server.request.duration" },
	"/v1/monitoring/health": { status: WITH_COMPONENT },
	"/v1/monitoring/performance": { performance_score: ["event check.completed", "metric system.cpu.utilization"] },
	"/v1/monitoring/logs": { total: "log", next_cursor: "log" },
	"/v1/monitoring/usage": { breakdown: WITH_USER },
	"/analytics/system/health": {
		status: WITH_COMPONENT,
		"services.database.status": "metric db.client.operation.duration",
		"services.llm_backend.status": "event model_inference_completed",
	},
	"/analytics/system/logs": { total: "log", has_more: "log", next_cursor: "log" },
	"/analytics/usage/features": { "features[].ratings": "event feedback.submitted" },
	"/analytics/ai/performance": {
		"models[].quality_metrics.evaluations": "event gen_ai.evaluation.result",
		"models[].quality_metrics.ratings": "event feedback.submitted",
	},
	"/analytics/ai/conversations": { "conversation_metrics.avg_duration": "event conversation.ended" },
	"/analytics/federated/training": { "aggregated_metrics.sessions_with_improvement": "event fl.round.completed" },
	"/analytics/federated/privacy": { "privacy_metrics.differential_privacy.reason": "event fl.privacy.release" },
};

/** Whether a change of this path follows from what its field is made of. */
function isTouched(route: string, path: string, needs: Needs, gone: readonly RecordConvention[]): boolean {
	return [needs, ALSO["*"]!, ALSO[route] ?? {}].some((table) =>
		Object.entries(table).some(([field, need]) => overlap(path, field) && isPartOf(need, gone)),
	);
}
