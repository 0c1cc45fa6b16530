import { from, Params, type Question } from "../../sql.ts";

/** A channel of which no message arrived since one failed. */
export interface FailingChannel {
	/** Its name, or what stands for it. */
	readonly channel: string;
	/** The rule that it belongs to; empty for channels that several may name. */
	readonly alert_id: string;
	/** When the first attempt began that failed, milliseconds since the epoch. */
	readonly failing_since: number;
	readonly last_attempt: number;
	/** Of the last attempt; holds no secret. */
	readonly last_error: string;
	readonly attempts: number;
	/** Whether a message was given up since. */
	readonly gave_up: boolean;
}

/** Ends the names of channels that are part of a rule: two rules have the same. */
export const OF_THE_RULE = " of the rule";

/** Failing for so long, a channel is dead, also while its messages are tried again. */
const PATIENCE_MS = 15 * 60_000;
const LOOK_BACK_MS = 30 * 86_400_000;
/** Attempts of a channel that are looked at. */
const MAX_ATTEMPTS = 10_000;

/** Whether somebody who relies on the channel has to be told by another one. */
export function isDead({ gave_up, failing_since }: FailingChannel, now: number): boolean {
	return gave_up || now - failing_since >= PATIENCE_MS;
}

/** @param now milliseconds since the epoch; 30 days before it are looked at */
export function failingChannels(now: number): Question<FailingChannel[]> {
	const params = new Params();
	const since = params.add("DateTime64(3, 'UTC')", new Date(now - LOOK_BACK_MS).toISOString().slice(0, -1));
	const last = (column: string) => `argMax(${column}, version)`;
	return {
		name: "failing_channels",
		params,
		sql: `SELECT of_channel, of_rule, maxIf(at, result = 'sent') AS sent_at,
	arrayFilter(one -> one.1 > sent_at, arraySort(groupArrayIf(${MAX_ATTEMPTS})((at, said, result = 'failed'), result != 'sent'))) AS failed
FROM (
	SELECT message_id, attempt, ${last("channel")} AS of_channel, ${last("outcome")} AS result, ${last("detail")} AS said,
		if(endsWith(of_channel, ${params.add("String", OF_THE_RULE)}), ${last("alert_id")}, '') AS of_rule,
		toUnixTimestamp64Milli(${last("started_at")}) AS at
	${from("alert_delivery_attempts", `started_at >= ${since}`)}
	GROUP BY message_id, attempt HAVING result IN ('sent', 'retry', 'failed')
) GROUP BY of_channel, of_rule HAVING notEmpty(failed) ORDER BY of_channel, of_rule`,
		read: (rows) =>
			rows.map((row) => {
				const failed = row.failed as [at: number, said: string, isGivenUp: number][];
				const [first, newest] = [failed[0]!, failed.at(-1)!];
				return {
					...{ channel: row.of_channel as string, alert_id: row.of_rule as string },
					...{ failing_since: Number(first[0]), last_attempt: Number(newest[0]), last_error: newest[1] },
					...{ attempts: failed.length, gave_up: failed.some(([, , isGivenUp]) => Boolean(isGivenUp)) },
				};
			}),
	};
}
