/** What evaluators and users think of a model's answers, from 1 to 5. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import { type ModelScope, nameOfModel } from "./models.ts";
import { BINARY_RATING, FEEDBACK_EVENT, RATING } from "./ratings.ts";

export const EVALUATION_EVENT = "gen_ai.evaluation.result";
export const CRITERIA = ["coherence", "relevance"] as const;
export type Criterion = (typeof CRITERIA)[number];

/** Who judges, the one to be believed first; one source at a time makes a score. */
export const SOURCES = ["human", "llm_judge", "code", "imported"] as const;

/** Verdicts of one source on one criterion, or ratings of users. */
export interface Verdict {
	readonly model: string;
	readonly criterion: Criterion | "satisfaction";
	/** As sent; empty for ratings. */
	readonly source: string;
	readonly n: number;
	/** Of them all, each from 1 to 5. */
	readonly total: number;
	/** Ids of who judged, in alphabetical order. */
	readonly evaluators: readonly string[];
	/** Whether there are ratings by thumb among them, which know nothing between. */
	readonly binary: boolean;
}

const CRITERION = "lower(if(strings['name'] != '', strings['name'], strings['gen_ai.evaluation.name']))";
const VALUE = `multiIf(mapContains(numbers, 'value'), numbers['value'],
	mapContains(numbers, 'gen_ai.evaluation.score.value'), numbers['gen_ai.evaluation.score.value'], toFloat64OrNull(strings['value']))`;
const LOW = "if(mapContains(numbers, 'scale_min'), numbers['scale_min'], 1)";
const HIGH = "if(mapContains(numbers, 'scale_max'), numbers['scale_max'], 5)";
/** Mapped linearly from its own scale, 1 to 5 where it names none; null for what lies outside it. */
const SCORE = `if(${HIGH} > ${LOW} AND ${VALUE} BETWEEN ${LOW} AND ${HIGH}, 1 + 4 * (${VALUE} - ${LOW}) / (${HIGH} - ${LOW}), NULL)`;

/** Ratings of other things are not about what a model answered. */
const OF_ANSWERS = "strings['target_type'] NOT IN ('conversation', 'feature', 'ticket')";

interface Rows {
	/** A subquery with `named`, `target`, `criterion`, `source`, `evaluator`, `value` and `binary`. */
	readonly judged: string;
	/** Events that are verdicts on a model; a predicate. */
	readonly where: string;
}

function judgedRows(params: Params, scope: ModelScope, also: string): Rows {
	const isRating = `event = '${FEEDBACK_EVENT}'`;
	const counts = `((${isRating} AND ${OF_ANSWERS}) OR (NOT ${isRating} AND ${CRITERION} IN ${params.add("Array(String)", CRITERIA)}))`;
	const where = `event IN ('${EVALUATION_EVENT}', '${FEEDBACK_EVENT}') AND ${between(params, "ts", scope.start, scope.end)} AND ${counts} AND ${also}`;
	return {
		where,
		judged: `(SELECT strings['model'] AS named, strings['target_id'] AS target, if(${isRating}, 'satisfaction', ${CRITERION}) AS criterion,
	if(${isRating}, '', lower(strings['source'])) AS source, if(${isRating}, '', strings['evaluator']) AS evaluator,
	if(${isRating}, ${RATING}, ${SCORE}) AS value, ${isRating} AND ${BINARY_RATING} AS binary
	${from("events", where)})`,
	};
}

const GROUPED = `criterion, source, count() AS n, sum(value) AS total, arraySort(groupUniqArrayIf(evaluator, evaluator != '')) AS evaluators, max(binary) AS is_binary`;

/** Verdicts within the scope by the model that they name; those that name none have the model `""`. */
export function verdicts(scope: ModelScope): Question<Verdict[]> {
	const params = new Params();
	const also =
		scope.model === undefined ? "1" : `strings['model'] IN ${params.add("Array(String)", [scope.model, ""])}`;
	const { judged } = judgedRows(params, scope, also);
	return {
		name: "verdicts",
		params,
		sql: `SELECT named AS model, ${GROUPED} FROM ${judged} WHERE value IS NOT NULL GROUP BY model, criterion, source`,
		read: (rows) => rows.map(toVerdict),
	};
}

/** Verdicts that name no model, by that of the call whose `event_id` is their target. */
export function verdictsOnCalls(scope: ModelScope): Question<Verdict[]> {
	const params = new Params();
	const { judged, where } = judgedRows(params, scope, "strings['model'] = '' AND strings['target_id'] != ''");
	const ids = `SELECT strings['target_id'] ${from("events", where)}`;
	const calls = from("model_calls", `ts < ${at(params, scope.end)} AND event_id IN (${ids})`);
	const only = scope.model === undefined ? "1" : `called = ${params.add("String", scope.model)}`;
	return {
		name: "verdicts_on_calls",
		params,
		sql: `SELECT called AS model, ${GROUPED}
FROM ${judged} AS judged
INNER JOIN (SELECT event_id, ${nameOfModel("any(model)")} AS called ${calls} GROUP BY event_id) AS calls
ON judged.target = calls.event_id
WHERE value IS NOT NULL AND ${only} GROUP BY model, criterion, source`,
		read: (rows) => rows.map(toVerdict),
	};
}

function toVerdict(row: Row): Verdict {
	const { is_binary, ...verdict } = row;
	return { ...(verdict as unknown as Omit<Verdict, "binary">), binary: Boolean(is_binary) };
}

/** Verdicts of one model, criterion and source as one. */
export function mergedVerdicts(found: readonly Verdict[]): Verdict[] {
	const merged = new Map<string, Verdict>();
	for (const verdict of found) {
		const key = JSON.stringify([verdict.model, verdict.criterion, verdict.source]);
		const before = merged.get(key);
		merged.set(
			key,
			before === undefined
				? verdict
				: {
						...verdict,
						n: before.n + verdict.n,
						total: before.total + verdict.total,
						evaluators: [...new Set([...before.evaluators, ...verdict.evaluators])].sort(),
						binary: before.binary || verdict.binary,
					},
		);
	}
	return [...merged.values()];
}

/** The verdicts that make the score of a criterion: those of the first source that judged; unnamed and other sources come last. */
export function believed(
	found: readonly Verdict[],
	model: string,
	criterion: Verdict["criterion"],
): Verdict | undefined {
	const rank = (source: string) => {
		const at = (SOURCES as readonly string[]).indexOf(source);
		return at < 0 ? SOURCES.length : at;
	};
	return found
		.filter((verdict) => verdict.model === model && verdict.criterion === criterion)
		.sort((a, b) => rank(a.source) - rank(b.source) || b.n - a.n)[0];
}
