/** What evaluators and users think of a model's answers, from 1 to 5. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question, type Row } from "../sql.ts";
import { type ModelScope, nameOfModel } from "./models.ts";
import { FEEDBACK_EVENT, isBinary, ratingOf, ratingParts } from "./ratings.ts";
import type { Scope } from "./scope.ts";

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

/** Ratings of other things are not about what a model answered. */
const OF_ANSWERS = "target_type NOT IN ('conversation', 'feature', 'ticket')";

/** The records that judge models. */
export const VERDICT_EVENTS = [FEEDBACK_EVENT, EVALUATION_EVENT] as const;
export type VerdictEvent = (typeof VERDICT_EVENTS)[number];

function inScope(params: Params, scope: Scope, event: VerdictEvent, also: string): string {
	const counts = event === FEEDBACK_EVENT ? OF_ANSWERS : `criterion IN ${params.add("Array(String)", CRITERIA)}`;
	return `event = '${event}' AND ${between(params, "ts", scope.start, scope.end)} AND ${counts} AND ${also}`;
}

/** A rating as it was sent, of a row of `judgements`. */
const JUDGEMENT = { text: "text", number: "number", is_number: "number IS NOT NULL", maximum: "high" } as const;

/** A subquery with the column `who`, `criterion`, `source`, `evaluator`, `value` (null for none), `binary` and `n`. */
function judgedRows(event: VerdictEvent, who: "model" | "target_id", where: string): string {
	if (event === FEEDBACK_EVENT) {
		// Grouped as they were sent: the mapping is then of a handful of values, not of every rating.
		const parts = { word: "word", value: "rating", scale: "scale" };
		const { word, value, scale } = ratingParts(JUDGEMENT);
		return `(SELECT ${who}, 'satisfaction' AS criterion, '' AS source, '' AS evaluator, ${ratingOf(parts)} AS value, ${isBinary(parts)} AS binary, n
	FROM (SELECT ${who}, n, ${word} AS word, ${value} AS rating, ${scale} AS scale
		FROM (SELECT ${who}, text, number, high, count() AS n ${from("judgements", where)} GROUP BY ${who}, text, number, high)))`;
	}
	// Mapped linearly from its own scale, 1 to 5 where it names none; what lies outside it does not count.
	return `(SELECT ${who}, criterion, source, evaluator, 0 AS binary, 1 AS n,
		if(top > bottom AND score BETWEEN bottom AND top, 1 + 4 * (score - bottom) / (top - bottom), NULL) AS value
	FROM (SELECT ${who}, criterion, source, evaluator, coalesce(number, toFloat64OrNull(text)) AS score,
			coalesce(low, 1.) AS bottom, coalesce(high, 5.) AS top
		${from("judgements", where)}))`;
}

// Without a WHERE on the value: it would be pushed below the grouping, and the mapping be done for every record.
const GROUPED = `criterion, source, sumIf(n, value IS NOT NULL) AS judged, sum(n * value) AS total,
	arraySort(groupUniqArrayIf(evaluator, evaluator != '' AND value IS NOT NULL)) AS evaluators, max(binary AND value IS NOT NULL) AS is_binary`;
const BY_MODEL = "GROUP BY model, criterion, source HAVING judged > 0";

/** Verdicts within the scope by the model that they name; those that name none have the model `""`. */
export function verdicts(scope: ModelScope, event: VerdictEvent): Question<Verdict[]> {
	const params = new Params();
	const also = scope.model === undefined ? "1" : `model IN ${params.add("Array(String)", [scope.model, ""])}`;
	return {
		name: `verdicts.${event}`,
		params,
		sql: `SELECT model, ${GROUPED} FROM ${judgedRows(event, "model", inScope(params, scope, event, also))} ${BY_MODEL}`,
		read: (rows) => rows.map(toVerdict),
	};
}

/** Verdicts that name no model, by that of the call whose `event_id` is their target. */
export function verdictsOnCalls(scope: ModelScope, event: VerdictEvent): Question<Verdict[]> {
	const params = new Params();
	const where = inScope(params, scope, event, "model = '' AND target_id != ''");
	const ids = `SELECT target_id ${from("judgements", where)}`;
	const calls = from("model_calls", `ts < ${at(params, scope.end)} AND event_id IN (${ids})`);
	const only = scope.model === undefined ? "1" : `called = ${params.add("String", scope.model)}`;
	return {
		name: `verdicts_on_calls.${event}`,
		params,
		sql: `SELECT called AS model, ${GROUPED}
FROM ${judgedRows(event, "target_id", where)} AS found
INNER JOIN (SELECT event_id, ${nameOfModel("any(model)")} AS called ${calls} GROUP BY event_id) AS calls
ON found.target_id = calls.event_id
WHERE ${only} ${BY_MODEL}`,
		read: (rows) => rows.map(toVerdict),
	};
}

function toVerdict(row: Row): Verdict {
	const { is_binary, judged, ...verdict } = row;
	return { ...(verdict as unknown as Omit<Verdict, "binary" | "n">), n: Number(judged), binary: Boolean(is_binary) };
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
