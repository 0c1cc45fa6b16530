/**
 * The answers of some routes as one would compute them without rollups and state tables: from raw rows, with exact functions,
 * the questions of one answer at once, as the route asks its own. Both must give equal numbers before either is timed.
 */

export interface Compared {
	readonly figure: string;
	readonly path: string;
	/** Absent: shown for comparison. */
	readonly at_most?: number | undefined;
	/** Statements that give the same numbers from `points`, `events` and `logs`. */
	readonly exact: readonly string[];
	/** Numbers of the answer beside those of the statements' rows, in the order of the statements. */
	readonly pairs: (answer: Json, rows: readonly Json[]) => readonly Pair[];
}

/** Ours, the exact one, and how far apart they may be. */
export type Pair = readonly [ours: number, exact: number, within: number];
// biome-ignore lint/suspicious/noExplicitAny: answers and rows of many shapes, which differ from what is expected only by a mistake here
type Json = any;

const same = (ours: number, exact: number): Pair => [ours, exact, 0];
/** @param step of the last digit that the answer has */
const rounded = (ours: number, exact: number, step: number): Pair => [ours, exact, step];
/** Of few values the neighbours of a rank lie further apart than a sketch errs. */
const sketched = (n: number, ours_ms: number, exact_ms: number): Pair[] =>
	n < 10_000 ? [] : [[ours_ms, exact_ms, 0.02 * exact_ms + 1]];
const sumOf = (rows: Json, column: string): number => rows.reduce((sum: number, row: Json) => sum + row[column], 0);

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
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
	const powerDays = Math.min(3, new Date(as_of).getUTCDate());
	const person = "user_id != '' AND event != 'user.deleted'";
	const metrics = "metrics=api_requests,response_time_avg,response_time_p95,response_time_p99,error_rate";
	// A window begins with its first bucket.
	const hourly = (days: number) => `SELECT toStartOfHour(ts) AS hour, count() AS n, avg(value), max(value) AS longest,
	quantilesExact(0.95, 0.99)(value) AS q, q[1] AS p95, q[2] AS p99, countIf(series_id IN (
		SELECT series_id FROM series WHERE ${own} AND name = '${HTTP}' AND toUInt16OrZero(tags['http.response.status_code']) >= 500)) AS failed
FROM points WHERE ${own} AND name = '${HTTP}' AND ${span(Math.floor((as_of - days * DAY_MS) / HOUR_MS) * HOUR_MS, as_of)} GROUP BY hour ORDER BY hour`;
	const hourlyPairs: Compared["pairs"] = ({ summary, data_points }, [hours]) => [
		same(summary.total_requests, sumOf(hours, "n")),
		same(summary.error_count, sumOf(hours, "failed")),
		...hours.flatMap(({ n, p95, p99 }: Json, i: number) => [
			same(data_points[i].api_requests, n),
			...sketched(n, data_points[i].response_time_p95, 1_000 * p95),
			...sketched(n, data_points[i].response_time_p99, 1_000 * p99),
		]),
	];
	return [
		{
			figure: "metrics, 24 h hourly",
			path: `/v1/monitoring/metrics?timeframe=24h&granularity=1h&${metrics}&as_of=${at}`,
			at_most: 0.5,
			exact: [hourly(1)],
			pairs: hourlyPairs,
		},
		{
			figure: "metrics, 30 days hourly",
			path: `/v1/monitoring/metrics?timeframe=30d&granularity=1h&${metrics}&as_of=${at}`,
			at_most: 0.2,
			exact: [hourly(30)],
			pairs: hourlyPairs,
		},
		{
			figure: "usage of users, with retention",
			path: `/analytics/usage/users?timeframe=month&as_of=${at}`,
			at_most: 0.3,
			exact: [
				`SELECT count() AS total, countIf(last >= ${moment(monthStart)}) AS active, countIf(first >= ${moment(monthStart)}) AS fresh,
					countIf(before AND last < ${moment(monthStart)}) AS churned
				FROM (SELECT user_id, min(ts) AS first, max(ts) AS last, countIf(${span(lastMonth, monthStart)}) > 0 AS before
					FROM events WHERE ${own} AND ${person} AND ts < ${moment(as_of)} GROUP BY user_id)`,
				`SELECT avg(dateDiff('second', first, last)) AS duration_s, avg(messages) AS messages, uniqExact(user), count()
				FROM (SELECT session_id, min(ts) AS first, max(ts) AS last, countIf(event = 'chat.message.sent') AS messages, any(user_id) AS user
					FROM events WHERE ${own} AND session_id != '' AND ${person} AND ts < ${moment(as_of)}
					GROUP BY session_id HAVING first >= ${moment(monthStart)})`,
				`SELECT ${[1, 7, 30].map((n) => `avgIf(has(days, first + ${n}), first + ${n} < toDate(${moment(as_of)})) AS day_${n}`).join(", ")}
				FROM (SELECT user_id, groupUniqArray(toDate(ts)) AS days, arrayMin(days) AS first
					FROM events WHERE ${own} AND ${person} AND ts < ${moment(as_of)} GROUP BY user_id)`,
				`SELECT segment, count() AS users, quantileExactInclusive(0.5)(visits) > any(many) AS frequent,
					quantileExactInclusiveIf(0.5)(mean, visits > 0) > any(lengthy) AS long, quantileExactInclusive(0.5)(features) > any(various) AS broad
				FROM (
					SELECT *, quantileExactInclusiveIf(0.75)(visits, here) OVER () AS many,
						quantileExactInclusiveIf(0.75)(mean, here AND visits > 0) OVER () AS lengthy,
						quantileExactInclusiveIf(0.75)(features, here) OVER () AS various,
						multiIf(previous AND NOT here, 'churned_users', here AND NOT before, 'new_users',
							here AND visits > 0 AND days >= ${powerDays} AND place <= ceil(0.1 * actives), 'power_users', here, 'active_users', 'dormant_users') AS segment
					FROM (
						SELECT *, countIf(here) OVER () AS actives,
							countIf(here) OVER (ORDER BY visits DESC RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS place
						FROM (
							SELECT user_id AS user, max(ts) >= ${moment(monthStart)} AS here, min(ts) < ${moment(monthStart)} AS before,
								countIf(${span(lastMonth, monthStart)}) > 0 AS previous, uniqExactIf(toDate(ts), ts >= ${moment(monthStart)}) AS days,
								uniqExactIf(strings['feature'], event = 'feature.used' AND ts >= ${moment(monthStart)}) AS features
							FROM events WHERE ${own} AND ${person} AND ts < ${moment(as_of)} GROUP BY user
						) AS known
						LEFT JOIN (
							SELECT user, count() AS visits, avg(duration) AS mean
							FROM (SELECT any(user_id) AS user, dateDiff('millisecond', min(ts), max(ts)) AS duration
								FROM events WHERE ${own} AND session_id != '' AND ${person} AND ts < ${moment(as_of)}
								GROUP BY session_id HAVING min(ts) >= ${moment(monthStart)})
							GROUP BY user
						) AS came USING (user)
					)
				) GROUP BY segment`,
				`SELECT toHour(ts) AS hour, toDayOfWeek(ts) AS day, count() FROM events WHERE ${own} AND ${person} AND ${span(monthStart, as_of)} GROUP BY hour, day`,
				`SELECT country, count() FROM (SELECT user_id, argMax(strings['geo.country.iso_code'], ts) AS country
					FROM events WHERE ${own} AND ${person} AND ${span(monthStart, as_of)} GROUP BY user_id) GROUP BY country`,
			],
			pairs: ({ user_metrics, engagement, user_segments }, [[users], [sessions], [retained], segments]) => [
				same(user_metrics.total_users, users.total),
				same(user_metrics.active_users, users.active),
				same(user_metrics.new_users, users.fresh),
				same(user_metrics.churned_users, users.churned),
				rounded(engagement.avg_session_duration, sessions.duration_s, 1),
				rounded(engagement.avg_messages_per_session, sessions.messages, 0.01),
				...["day_1", "day_7", "day_30"].map((day) => rounded(engagement.retention_rate[day], retained[day], 1e-4)),
				...segments.flatMap(({ segment, users, frequent, long, broad }: Json) => {
					const ours = user_segments.find((one: Json) => one.segment === segment);
					return [same(ours.count, users), same(ours.characteristics.length, frequent + long + broad)];
				}),
			],
		},
		{
			figure: "logs by level and text",
			path: `/analytics/system/logs?level=error&search=inference%20timeout&start_time=${new Date(as_of - 30 * DAY_MS).toISOString()}&as_of=${at}`,
			at_most: 0.1,
			exact: [
				"SELECT * FROM",
				"SELECT count() AS n FROM",
				"SELECT level, count() AS n FROM",
				"SELECT component, count() AS n FROM",
			].map((select, i) => {
				const text = "positionCaseInsensitive(message, 'inference timeout') > 0";
				const level = i < 2 ? " AND level = 'error'" : "";
				const end = ["ORDER BY ts DESC LIMIT 100", "", "GROUP BY level", "GROUP BY component"][i]!;
				return `${select} logs WHERE ${own} AND ${since(30)} AND ${text}${level} ${end} SETTINGS use_skip_indexes = 0`;
			}),
			pairs: ({ logs, total, aggregations }, [page, [all], levels, components]) => [
				same(logs.length, page.length),
				same(total, all.n),
				...levels.map(({ level, n }: Json) => same(aggregations.by_level[level], n)),
				...components.map(({ component, n }: Json) => same(aggregations.by_component[component], n)),
			],
		},
		{
			figure: "AI performance, 30 days",
			path: `/analytics/ai/performance?timeframe=30d&as_of=${at}`,
			at_most: 0.5,
			exact: [
				`SELECT strings['model'] AS model, count() AS n, countIf(strings['error_type'] = ''), countIf(strings['error_type'] = 'timeout'),
					avgIf(numbers['latency_ms'], strings['error_type'] NOT IN ('timeout', 'cancelled')) AS mean_ms,
					quantilesExactIf(0.95, 0.99)(numbers['latency_ms'], strings['error_type'] NOT IN ('timeout', 'cancelled')) AS q, q[1] AS p95_ms,
					avg(numbers['response_chars']), sum(numbers['input_tokens'] + numbers['output_tokens']) AS tokens
				FROM events WHERE ${own} AND event = 'model_inference_completed' AND ${since(30)} GROUP BY model`,
				`SELECT toDate(ts) AS day, count(), avgIf(numbers['latency_ms'], strings['error_type'] NOT IN ('timeout', 'cancelled'))
				FROM events WHERE ${own} AND event = 'model_inference_completed' AND ${since(30)} GROUP BY day`,
				`SELECT strings['model'] AS model, avg(numbers['rating']), count() AS n
				FROM events WHERE ${own} AND event = 'feedback.submitted' AND strings['target_type'] = 'response' AND ${since(30)} GROUP BY model`,
			],
			pairs: ({ models }, [calls, , ratings]) => [
				...calls.flatMap(({ model, n, mean_ms, p95_ms, tokens }: Json) => {
					const ours = models.find((one: Json) => one.name === model);
					return [
						same(ours.requests, n),
						rounded(ours.avg_response_time, mean_ms, 1),
						...sketched(n, ours.p95_response_time, p95_ms),
						same(ours.resource_usage.total_tokens_processed, tokens),
					];
				}),
				same(
					sumOf(
						models.map((one: Json) => one.quality_metrics.ratings),
						"n",
					),
					sumOf(ratings, "n"),
				),
			],
		},
		{
			figure: "business revenue",
			path: `/analytics/business/revenue?as_of=${at}`,
			at_most: 0.5,
			exact: [
				`SELECT countIf(on_end) AS active, sumIf(monthly, on_end) AS mrr, sumMapIf(map(plan, 1), on_end) AS by_plan,
					countIf(inside AND paying AND NOT was_paying AND NOT comes_back) AS started,
					countIf(inside AND paying AND NOT was_paying AND comes_back) AS reactivated,
					countIf(inside AND was_paying AND NOT paying) AS churned,
					uniqExactIf(account, on_start) AS customers_start, uniqExactIf(account, on_end) AS customers_end,
					countIf(inside AND was_paying AND NOT paying AND left = 0) AS customers_lost
				FROM (
					SELECT *, at >= ${moment(monthStart)} AS inside, paying AND at < ${moment(monthStart)} AND until >= ${moment(monthStart)} AS on_start,
						paying AND until >= ${moment(as_of)} AS on_end,
						sum(toInt8(paying) - toInt8(was_paying)) OVER (PARTITION BY account ORDER BY at, was_paying ROWS UNBOUNDED PRECEDING) AS left
					FROM (
						SELECT *, lagInFrame(paying) OVER states AS was_paying, leadInFrame(at, 1, ${moment(as_of)}) OVER states AS until,
							event = 'subscription.reactivated' OR max(paying) OVER (
								PARTITION BY subscription ORDER BY ts, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS comes_back
						FROM (
							SELECT *, leadInFrame(ts, 1, ${moment(as_of)}) OVER (
								PARTITION BY subscription ORDER BY ts, id ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) AS next
							FROM (
								SELECT strings['subscription_id'] AS subscription, account_id AS account, ts, id, event, strings['plan'] AS plan,
									if(event = 'subscription.canceled',
										greatest(ts, parseDateTime64BestEffortOrZero(strings['effective_at'], 3, 'UTC')), ts) AS at,
									event NOT IN ('subscription.canceled', 'subscription.trial_started') AS paying,
									numbers['amount'] * numbers['quantity'] * (1 - numbers['discount']) / numbers['interval_count']
										* multiIf(strings['interval'] = 'year', 1 / 12, strings['interval'] = 'quarter', 1 / 3,
											strings['interval'] = 'week', 52 / 12, strings['interval'] = 'day', 365 / 12, 1) AS monthly
								FROM events WHERE ${own} AND event LIKE 'subscription.%' AND ts < ${moment(as_of)}
							)
						)
						WHERE at < ${moment(as_of)} AND (at = ts OR at < next)
						WINDOW states AS (PARTITION BY subscription ORDER BY ts, id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING)
					)
				)`,
				...[
					[monthStart, as_of],
					[lastMonth, monthStart],
					[lastMonth, Math.min(lastMonth + as_of - monthStart, monthStart)],
				].map(
					([
						from,
						to,
					]) => `SELECT strings['currency'] AS currency, sumIf(numbers['amount'] - numbers['tax'], event = 'invoice.paid') - sumIf(numbers['amount'], event = 'payment.refunded') AS net
				FROM events WHERE ${own} AND event IN ('invoice.paid', 'payment.refunded') AND ${span(from!, to!)} GROUP BY currency`,
				),
				`SELECT strings['meter'] AS meter, sum(numbers['quantity']) AS quantity, sum(numbers['amount'])
				FROM events WHERE ${own} AND event = 'usage.billed' AND ${span(monthStart, as_of)} GROUP BY meter`,
				`SELECT strings['category'] AS category, sum(numbers['amount'])
				FROM events WHERE ${own} AND event = 'cost.recorded' AND ${span(monthStart, as_of)} GROUP BY category`,
			],
			pairs: ({ revenue, subscriptions, usage_monetization }, [[paying], current, previous, toDate, meters]) => {
				const churn = paying.customers_lost / paying.customers_start;
				return [
					same(subscriptions.total_active, paying.active),
					same(subscriptions.new_this_month, paying.started),
					same(subscriptions.reactivated_this_month, paying.reactivated),
					same(subscriptions.churned_this_month, paying.churned),
					...Object.entries<number>(paying.by_plan).map(([plan, n]) => same(subscriptions.by_plan[plan], n)),
					rounded(revenue.yearly_recurring, 12 * paying.mrr, 0.01),
					rounded(revenue.churn_rate, churn, 1e-4),
					...(churn > 0
						? [rounded(revenue.customer_lifetime_value, paying.mrr / paying.customers_end / churn, 0.01)]
						: []),
					rounded(revenue.current_month, sumOf(current, "net"), 0.01),
					rounded(revenue.previous_month, sumOf(previous, "net"), 0.01),
					rounded(revenue.growth_rate_to_date, sumOf(current, "net") / sumOf(toDate, "net") - 1, 1e-4),
					rounded(
						usage_monetization.ai_requests_billable + usage_monetization.collaboration_hours,
						sumOf(meters, "quantity"),
						0.01,
					),
				];
			},
		},
	];
}
