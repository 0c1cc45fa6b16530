/**
 * The answers of some routes as one would compute them without rollups and state tables: from raw rows, with exact functions,
 * the questions of one answer at once, as the route asks its own.
 */

export interface Compared {
	readonly figure: string;
	readonly path: string;
	readonly at_most: number;
	/** Statements that give the same numbers from `points`, `events` and `logs`. */
	readonly exact: readonly string[];
}

const DAY_MS = 86_400_000;
const own = "project = 'default'";
const HTTP = "http.server.request.duration";

/** @param as_of milliseconds since the epoch, not on any boundary */
export function comparedReads(as_of: number): Compared[] {
	const at = new Date(as_of).toISOString();
	const moment = (ms: number) => `fromUnixTimestamp64Milli(${ms}, 'UTC')`;
	const span = (from: number, to: number) => `ts >= ${moment(from)} AND ts < ${moment(to)}`;
	const since = (days: number) => span(as_of - days * DAY_MS, as_of);
	const monthStart = Date.UTC(new Date(as_of).getUTCFullYear(), new Date(as_of).getUTCMonth(), 1);
	const lastMonth = Date.UTC(new Date(as_of).getUTCFullYear(), new Date(as_of).getUTCMonth() - 1, 1);
	const person = "user_id != '' AND event != 'user.deleted'";
	const metrics = "metrics=api_requests,response_time_avg,response_time_p95,response_time_p99,error_rate";
	const hourly = (days: number) => `SELECT toStartOfHour(ts) AS hour, count(), avg(value), max(value),
	quantilesExact(0.95, 0.99)(value), countIf(series_id IN (
		SELECT series_id FROM series WHERE ${own} AND name = '${HTTP}' AND toUInt16OrZero(tags['http.response.status_code']) >= 500))
FROM points WHERE ${own} AND name = '${HTTP}' AND ${since(days)} GROUP BY hour ORDER BY hour`;
	return [
		{
			figure: "metrics, 24 h hourly",
			path: `/v1/monitoring/metrics?timeframe=24h&granularity=1h&${metrics}&as_of=${at}`,
			at_most: 0.5,
			exact: [hourly(1)],
		},
		{
			figure: "metrics, 30 days hourly",
			path: `/v1/monitoring/metrics?timeframe=30d&granularity=1h&${metrics}&as_of=${at}`,
			at_most: 0.2,
			exact: [hourly(30)],
		},
		{
			figure: "usage of users, with retention",
			path: `/analytics/usage/users?timeframe=month&as_of=${at}`,
			at_most: 0.3,
			exact: [
				`SELECT count(), countIf(last >= ${moment(monthStart)}), countIf(first >= ${moment(monthStart)}),
					countIf(before AND last < ${moment(monthStart)})
				FROM (SELECT user_id, min(ts) AS first, max(ts) AS last, countIf(${span(lastMonth, monthStart)}) > 0 AS before
					FROM events WHERE ${own} AND ${person} AND ts < ${moment(as_of)} GROUP BY user_id)`,
				`SELECT avg(dateDiff('second', first, last)), avg(messages), uniqExact(user), count()
				FROM (SELECT session_id, min(ts) AS first, max(ts) AS last, countIf(event = 'chat.message.sent') AS messages, any(user_id) AS user
					FROM events WHERE ${own} AND session_id != '' AND ${person} AND ts < ${moment(as_of)}
					GROUP BY session_id HAVING first >= ${moment(monthStart)})`,
				`SELECT sumIf(has(days, first + 1), first + 1 < toDate(${moment(as_of)})), sumIf(has(days, first + 7), first + 7 < toDate(${moment(as_of)})),
					sumIf(has(days, first + 30), first + 30 < toDate(${moment(as_of)})), count()
				FROM (SELECT user_id, groupUniqArray(toDate(ts)) AS days, arrayMin(days) AS first
					FROM events WHERE ${own} AND ${person} AND ts < ${moment(as_of)} GROUP BY user_id)`,
				`SELECT user_id, uniqExact(session_id), uniqExact(toDate(ts)), uniqExactIf(strings['feature'], event = 'feature.used')
				FROM events WHERE ${own} AND ${person} AND ${span(monthStart, as_of)} GROUP BY user_id FORMAT Null`,
				`SELECT toHour(ts) AS hour, toDayOfWeek(ts) AS day, count() FROM events WHERE ${own} AND ${person} AND ${span(monthStart, as_of)} GROUP BY hour, day`,
				`SELECT country, count() FROM (SELECT user_id, argMax(strings['geo.country.iso_code'], ts) AS country
					FROM events WHERE ${own} AND ${person} AND ${span(monthStart, as_of)} GROUP BY user_id) GROUP BY country`,
			],
		},
		{
			figure: "logs by level and text",
			path: `/analytics/system/logs?level=error&search=inference%20timeout&start_time=${new Date(as_of - 30 * DAY_MS).toISOString()}&as_of=${at}`,
			at_most: 0.1,
			exact: [
				"SELECT * FROM",
				"SELECT count() FROM",
				"SELECT level, count() FROM",
				"SELECT component, count() FROM",
			].map((select, i) => {
				const text = "positionCaseInsensitive(message, 'inference timeout') > 0";
				const level = i < 2 ? " AND level = 'error'" : "";
				const end = ["ORDER BY ts DESC LIMIT 100", "", "GROUP BY level", "GROUP BY component"][i]!;
				return `${select} logs WHERE ${own} AND ${since(30)} AND ${text}${level} ${end} SETTINGS use_skip_indexes = 0`;
			}),
		},
		{
			figure: "AI performance, 30 days",
			path: `/analytics/ai/performance?timeframe=30d&as_of=${at}`,
			at_most: 0.5,
			exact: [
				`SELECT strings['model'] AS model, count(), countIf(strings['error_type'] = ''), countIf(strings['error_type'] = 'timeout'),
					avgIf(numbers['latency_ms'], strings['error_type'] NOT IN ('timeout', 'cancelled')),
					quantilesExactIf(0.95, 0.99)(numbers['latency_ms'], strings['error_type'] NOT IN ('timeout', 'cancelled')),
					avg(numbers['response_chars']), sum(numbers['input_tokens'] + numbers['output_tokens'])
				FROM events WHERE ${own} AND event = 'model_inference_completed' AND ${since(30)} GROUP BY model`,
				`SELECT toDate(ts) AS day, count(), avgIf(numbers['latency_ms'], strings['error_type'] NOT IN ('timeout', 'cancelled'))
				FROM events WHERE ${own} AND event = 'model_inference_completed' AND ${since(30)} GROUP BY day`,
				`SELECT strings['model'] AS model, avg(numbers['rating']), count()
				FROM events WHERE ${own} AND event = 'feedback.submitted' AND strings['target_type'] = 'response' AND ${since(30)} GROUP BY model`,
			],
		},
		{
			figure: "business revenue",
			path: `/analytics/business/revenue?as_of=${at}`,
			at_most: 0.5,
			exact: [
				...[as_of, monthStart].map(
					(instant) => `SELECT plan, count(), sum(mrr) FROM (
					SELECT strings['subscription_id'] AS subscription, argMax(event, ts) AS state, argMax(strings['plan'], ts) AS plan,
						argMax(numbers['amount'] * numbers['quantity'] * (1 - numbers['discount']) / multiIf(strings['interval'] = 'year', 12, strings['interval'] = 'week', 12 / 52, 1), ts) AS mrr
					FROM events WHERE ${own} AND event LIKE 'subscription.%' AND ts < ${moment(instant)} GROUP BY subscription
				) WHERE state NOT IN ('subscription.canceled', 'subscription.trial_started') GROUP BY plan`,
				),
				`SELECT strings['subscription_id'] AS subscription, min(ts) AS first, maxIf(ts, event = 'subscription.canceled') AS ended
				FROM events WHERE ${own} AND event LIKE 'subscription.%' AND ts < ${moment(as_of)} GROUP BY subscription
				HAVING first >= ${moment(monthStart)} OR ended >= ${moment(monthStart)}`,
				...[
					[monthStart, as_of],
					[lastMonth, monthStart],
				].map(
					([
						from,
						to,
					]) => `SELECT strings['currency'] AS currency, sumIf(numbers['amount'] - numbers['tax'], event = 'invoice.paid') - sumIf(numbers['amount'], event = 'payment.refunded')
				FROM events WHERE ${own} AND event IN ('invoice.paid', 'payment.refunded') AND ${span(from!, to!)} GROUP BY currency`,
				),
				`SELECT strings['meter'] AS meter, sum(numbers['quantity']), sum(numbers['amount'])
				FROM events WHERE ${own} AND event = 'usage.billed' AND ${span(monthStart, as_of)} GROUP BY meter`,
				`SELECT strings['category'] AS category, sum(numbers['amount'])
				FROM events WHERE ${own} AND event = 'cost.recorded' AND ${span(monthStart, as_of)} GROUP BY category`,
			],
		},
	];
}
