/** Training sessions: what was asked of them, how their rounds went, and what their participants did. */
import { at } from "../../plan/scan.ts";
import { from, Params, type Question } from "../../sql.ts";
import { numberOf } from "../attributes.ts";
import { DOWN, FL, PARTICIPANT, ROUND, SESSION, STATUS, UP } from "./records.ts";

export interface TrainingWindow {
	/** `[start, end)` in milliseconds since the epoch, in which the sessions started. */
	readonly start: number;
	readonly end: number;
	/** What they did until here counts. */
	readonly as_of: number;
}

export interface TrainingSession {
	readonly session_id: string;
	/** `""` when it was not sent. */
	readonly model: string;
	/** The metric that is trained for, lower case; `accuracy` when it was not sent. */
	readonly target_metric: string;
	readonly target_value: number | null;
	/** Of the target metric, before the first round. */
	readonly baseline_value: number | null;
	/** Milliseconds since the epoch. */
	readonly started: number;
	/** The last end; null while there is none. */
	readonly ended: number | null;
	/** As the end says it, `""` when it does not. */
	readonly end_status: string;
}

/** Sessions whose first start lies in the window, in the order of their starts. */
export function trainingSessions({ start, end, as_of }: TrainingWindow): Question<TrainingSession[]> {
	const params = new Params();
	const isStart = `event = '${FL.started}'`;
	const ms = (value: string) => `toUnixTimestamp64Milli(${value})`;
	return {
		name: "federated.sessions",
		params,
		sql: `SELECT session_id,
	argMaxIf(model, ts, ${isStart} AND model != '') AS model,
	lower(argMaxIf(target_metric, ts, ${isStart} AND target_metric != '')) AS target_metric,
	argMaxIf(target_value, ts, ${isStart}) AS target_value, argMaxIf(baseline_value, ts, ${isStart}) AS baseline_value,
	${ms(`minIf(ts, ${isStart})`)} AS started,
	if(countIf(NOT ${isStart}) = 0, NULL, ${ms(`maxIf(ts, NOT ${isStart})`)}) AS ended,
	argMaxIf(status, ts, NOT ${isStart}) AS end_status
FROM (
	SELECT event, ts, ${SESSION} AS session_id, strings['model'] AS model, strings['target_metric'] AS target_metric,
		${numberOf("target_value")} AS target_value, ${numberOf("baseline_value")} AS baseline_value, ${STATUS} AS status
	${from("events", `event IN ('${FL.started}', '${FL.ended}') AND ts < ${at(params, as_of)}`)}
) GROUP BY session_id
HAVING countIf(${isStart}) > 0 AND started >= ${params.add("Int64", start)} AND started < ${params.add("Int64", end)}
ORDER BY started, session_id`,
		read: (rows) =>
			(rows as unknown as TrainingSession[]).map((row) => ({
				...row,
				target_metric: row.target_metric || "accuracy",
			})),
	};
}

/** One report of a round; there may be a central and a federated one, or one of each client that evaluated. */
export interface RoundReport {
	readonly session_id: string;
	readonly round: number;
	/** Milliseconds since the epoch. */
	readonly at: number;
	readonly central: boolean;
	/** Numbers by name: `accuracy`, `loss`, `num_examples`, … */
	readonly numbers: Readonly<Record<string, number>>;
}

/** Reports of completed rounds of these sessions, in the order of rounds. */
export function roundReports(sessions: readonly string[], as_of: number): Question<RoundReport[]> {
	const params = new Params();
	return {
		name: "federated.rounds",
		params,
		sql: `SELECT ${SESSION} AS session_id, ${ROUND} AS round, toUnixTimestamp64Milli(ts) AS at,
	lower(strings['eval']) = 'central' AS central, numbers
${from("events", `event = '${FL.round}' AND ts < ${at(params, as_of)} AND ${SESSION} IN ${params.add("Array(String)", sessions)}`)}
ORDER BY session_id, round, ts`,
		read: (rows) => rows.map((row) => ({ ...(row as unknown as RoundReport), central: Boolean(row.central) })),
	};
}

/** What one participant did in a session. */
export interface TrainingPart {
	readonly session_id: string;
	readonly participant_id: string;
	/** Rounds in which it delivered. */
	readonly ok_rounds: readonly number[];
	/** It failed, and has not delivered since. */
	readonly dropped: boolean;
	/** Bytes up and down; null when none were sent. */
	readonly bytes: number | null;
	/** Over all its devices; null when it was not sent. */
	readonly compute_seconds: number | null;
}

/** Everyone who was selected in these sessions. */
export function trainingParts(sessions: readonly string[], as_of: number): Question<TrainingPart[]> {
	const params = new Params();
	return {
		name: "federated.parts",
		params,
		sql: `SELECT session_id, participant_id, groupUniqArrayIf(round, status = 'ok') AS ok_rounds,
	countIf(status NOT IN ('', 'ok')) > 0
		AND maxIf((round, ts), status NOT IN ('', 'ok')) > maxIf((round, ts), status = 'ok') AS dropped,
	sum(bytes) AS bytes, sum(compute) AS compute_seconds
FROM (
	SELECT ts, ${SESSION} AS session_id, ${PARTICIPANT} AS participant_id, ${ROUND} AS round, ${STATUS} AS status,
		if(isNull(${UP}) AND isNull(${DOWN}), NULL, ifNull(${UP}, 0) + ifNull(${DOWN}, 0)) AS bytes,
		${numberOf("compute_seconds")} * ifNull(${numberOf("devices")}, 1) AS compute
	${from("events", `event = '${FL.update}' AND ts < ${at(params, as_of)} AND ${SESSION} IN ${params.add("Array(String)", sessions)}`)}
) GROUP BY session_id, participant_id
ORDER BY session_id, participant_id`,
		read: (rows) => rows.map((row) => ({ ...(row as unknown as TrainingPart), dropped: Boolean(row.dropped) })),
	};
}
