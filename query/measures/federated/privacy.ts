/** What federated learning does for privacy: noise, secure aggregation, less data, and attacks that were tried. */

import { at, between } from "../../plan/scan.ts";
import type { AttackEvaluation } from "../../privacy/risk.ts";
import { from, Params, type Question } from "../../sql.ts";
import { numberOf, textOf } from "../attributes.ts";
import type { Scope } from "../scope.ts";
import { FL, ROUND, SESSION, UP } from "./records.ts";

export interface PrivacyConfig {
	/** Of the first configuration, milliseconds since the epoch: releases count from here on. */
	readonly since: number;
	/** As they were last sent. */
	readonly max_epsilon: number | null;
	readonly target_delta: number | null;
	readonly neighboring_relation: string;
}

/** The privacy budget before the end of the scope; undefined when there is none. */
export function privacyConfig(scope: Scope): Question<PrivacyConfig | undefined> {
	const params = new Params();
	return {
		name: "federated.privacy_config",
		params,
		sql: `SELECT toUnixTimestamp64Milli(min(ts)) AS since, argMax(epsilon, ts) AS max_epsilon, argMax(delta, ts) AS target_delta,
	argMaxIf(relation, ts, relation != '') AS neighboring_relation
FROM (
	SELECT ts, ${numberOf("max_epsilon")} AS epsilon, ${numberOf("target_delta")} AS delta, strings['neighboring_relation'] AS relation
	${from("events", `event = '${FL.config}' AND ts < ${at(params, scope.end)}`)}
) HAVING count() > 0`,
		read: ([row]) => row as unknown as PrivacyConfig | undefined,
	};
}

/** Releases that were made in the same way. */
export interface ReleaseGroup {
	readonly noise_multiplier: number | null;
	readonly sample_size: number | null;
	readonly population_size: number | null;
	/** `""` when it was not sent. */
	readonly sampling_method: string;
	readonly count: number;
}

/** All releases from an instant to the end of the scope, whatever its start. @param since milliseconds since the epoch */
export function releases(scope: Scope, since: number): Question<ReleaseGroup[]> {
	const params = new Params();
	return {
		name: "federated.releases",
		params,
		sql: `SELECT ${numberOf("noise_multiplier")} AS noise_multiplier, ${numberOf("sample_size")} AS sample_size,
	${numberOf("population_size")} AS population_size, lower(strings['sampling_method']) AS sampling_method,
	sum(greatest(0, ifNull(${numberOf("count")}, 1))) AS count
${from("events", `event = '${FL.release}' AND ${between(params, "ts", since, scope.end)}`)}
GROUP BY ALL ORDER BY ALL`,
		read: (rows) => rows as unknown as ReleaseGroup[],
	};
}

export interface Noise {
	/** Standard deviation of the noise over the sensitivity. */
	readonly noise_multiplier: number | null;
	/** Standard deviation of the noise in the mean update. */
	readonly noise_level: number | null;
}

/** Of the latest release before the end of the scope; of several at one instant their mean. */
export function latestNoise(scope: Scope): Question<Noise> {
	const params = new Params();
	const before = `event = '${FL.release}' AND ts < ${at(params, scope.end)}`;
	const noise = numberOf("noise_multiplier");
	return {
		name: "federated.noise",
		params,
		sql: `SELECT avg(${noise}) AS noise_multiplier,
	avg(${noise} * ${numberOf("clipping_norm")} / nullIf(${numberOf("sample_size")}, 0)) AS noise_level
${from("events", `${before} AND ts = (SELECT max(ts) ${from("events", before)})`)}`,
		read: ([row]) => row as unknown as Noise,
	};
}

export interface SecureAggregation {
	readonly rounds: number;
	/** Of these, rounds that were aggregated securely. */
	readonly secure_rounds: number;
	readonly exchanges: number;
	readonly failed_exchanges: number;
	/** Seconds of rounds that say both; null when none does. */
	readonly secure_seconds: number | null;
	readonly plain_seconds: number | null;
}

/**
 * Rounds that were completed within the scope, and whether each has a record of its secure aggregation, whenever that one came.
 * @param as_of milliseconds since the epoch
 */
export function secureAggregation(scope: Scope, as_of: number): Question<SecureAggregation> {
	const params = new Params();
	const inScope = between(params, "ts", scope.start, scope.end);
	const failed = "lower(strings['ok']) IN ('false', '0') OR (mapContains(numbers, 'ok') AND numbers['ok'] = 0)";
	const [secure, plain] = [numberOf("secure_seconds"), numberOf("plain_seconds")];
	return {
		name: "federated.secure_aggregation",
		params,
		sql: `SELECT rounds, secure_rounds, exchanges, failed_exchanges, secure_seconds, plain_seconds FROM (
	SELECT count() AS rounds, countIf(secured) AS secure_rounds FROM (
		SELECT ${SESSION} AS session_id, ${ROUND} AS round, countIf(event = '${FL.round}') > 0 AS completed,
			countIf(event = '${FL.secure}' AND strings['enabled'] != 'false') > 0 AS secured
		${from("events", `event = '${FL.round}' AND ${inScope} OR event = '${FL.secure}' AND ts < ${at(params, as_of)}`)}
		GROUP BY session_id, round HAVING completed
	)
) AS by_round CROSS JOIN (
	SELECT countIf(event = '${FL.exchange}') AS exchanges, countIf(event = '${FL.exchange}' AND failed) AS failed_exchanges,
		sum(if(isNull(plain), NULL, secure)) AS secure_seconds, sum(if(isNull(secure), NULL, plain)) AS plain_seconds
	FROM (
		SELECT event, ${failed} AS failed, if(event = '${FL.secure}', ${secure}, NULL) AS secure,
			if(event = '${FL.secure}', ${plain}, NULL) AS plain
		${from("events", `event IN ('${FL.exchange}', '${FL.secure}') AND ${inScope}`)}
	)
) AS total`,
		read: ([row]) => row as unknown as SecureAggregation,
	};
}

export interface Minimization {
	/** Bytes up of the average update. */
	readonly bytes_per_update: number | null;
	/** Bytes up over bytes before compression. */
	readonly compression: number | null;
	/** Features that are trained on over all. */
	readonly selection: number | null;
}

/** How little data leave the participants, within the scope. */
export function minimization(scope: Scope): Question<Minimization> {
	const params = new Params();
	const [isUpdate, isReport] = [`event = '${FL.update}'`, `event = '${FL.report}'`];
	const share = (part: string, whole: string, of: string) => {
		const both = `${of} AND isNotNull(${numberOf(part)}) AND isNotNull(${numberOf(whole)})`;
		return `sumIf(ifNull(${numberOf(part)}, 0), ${both}) / nullIf(sumIf(ifNull(${numberOf(whole)}, 0), ${both}), 0)`;
	};
	return {
		name: "federated.minimization",
		params,
		sql: `SELECT avgIf(${UP}, ${isUpdate}) AS bytes_per_update, ${share("bytes_up", "bytes_up_raw", isUpdate)} AS compression,
	${share("features_selected", "features_available", isReport)} AS selection
${from("events", `event IN ('${FL.update}', '${FL.report}') AND ${between(params, "ts", scope.start, scope.end)}`)}`,
		read: ([row]) => row as unknown as Minimization,
	};
}

/** Attacks that were tried longer ago say nothing of today's model. */
const ATTACK_AGE_MS = 30 * 86_400_000;

/** The newest evaluation of each attack in the 30 days before the end of the scope. */
export function attacks(scope: Scope): Question<AttackEvaluation[]> {
	const params = new Params();
	const values = ["advantage", "tpr", "fpr", "accuracy", "baseline_accuracy"] as const;
	return {
		name: "federated.attacks",
		params,
		sql: `SELECT attack, ${values.map((name, i) => `newest.${i + 1} AS ${name}`).join(", ")} FROM (
	SELECT lower(${textOf("attack")}) AS attack, argMax((${values.map(numberOf).join(", ")}), (ts, event_id)) AS newest
	${from("events", `event = '${FL.attack}' AND ${between(params, "ts", scope.end - ATTACK_AGE_MS, scope.end)} AND ${textOf("attack")} != ''`)}
	GROUP BY attack
) ORDER BY attack`,
		read: (rows) => rows as unknown as AttackEvaluation[],
	};
}
