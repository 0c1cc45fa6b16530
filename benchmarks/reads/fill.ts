/**
 * Events, logs and points for the timing of reading routes, made by ClickHouse itself from row numbers: the same for the same
 * seed, and through the same views as rows that came over the ingest routes.
 */
import type { Server } from "../server.ts";

export const DAYS = 60;
const DAY_MS = 86_400_000;

export interface Volume {
	readonly points: number;
	readonly events: number;
	readonly logs: number;
}

/** Rows from `done` up to `until` of every signal, all of them before `to_ms`. */
export interface Stretch {
	readonly done: Volume;
	readonly until: Volume;
	readonly to_ms: number;
	readonly seed: number;
}

/** Rows of one INSERT, as the loader's big ones. */
const BLOCK_ROWS = 1_000_000;
const PROJECT = "'default'";

/** Time-outs come in bursts: in one of a thousand stretches of ten minutes, then one of four lines tells of one. */
const INCIDENT = "cityHash64(intDiv(at, 600000), 3) % 1000 = 0";

export async function fillReads(server: Server, stretch: Stretch): Promise<void> {
	for (const signal of ["points", "events", "logs"] as const) {
		// Of the events, those of customers come apart.
		const share = signal === "events" ? 1 - EVENTS_OF_A_CUSTOMER / EVENTS_A_CUSTOMER : 1;
		const [first, end] = [stretch.done[signal] * share, stretch.until[signal] * share];
		for (let from = first; from < end; from += BLOCK_ROWS) {
			const rows = Math.min(BLOCK_ROWS, end - from);
			await server.sql(STATEMENTS[signal](stretch, from, rows), SETTINGS);
		}
	}
	if (stretch.done.points === 0) await server.sql(seriesOf(stretch), SETTINGS);
	const customersOf = ({ events }: Volume) => Math.floor(events / EVENTS_A_CUSTOMER);
	const before = customersOf(stretch.done);
	await server.sql(customers(stretch, before, customersOf(stretch.until) - before), SETTINGS);
}

const SETTINGS = { max_insert_threads: 1, max_partitions_per_insert_block: 0, insert_deduplicate: 0 };

/** From 0 to 1, of a row's number and a name. */
const unit = (seed: number, n: string, name: string) => `(cityHash64(${n}, ${seed}, '${name}') / 18446744073709551616)`;
/** A log-normal value. */
const logNormal = (seed: number, n: string, median: number, sigma: number) =>
	`(${median} * exp(${sigma} * 1.7 * (${unit(seed, n, "a")} + ${unit(seed, n, "b")} + ${unit(seed, n, "c")} - 1.5)))`;
const time = (ms: string) => `fromUnixTimestamp64Milli(toInt64(${ms}), 'UTC')`;

const HTTP = "http.server.request.duration";
const SERIES = 100;
/** One more than the longest window that is asked about, which begins within a day. */
const POINT_DAYS = 31;

/** Of the series' place in the list. */
const TAGS = `map('component', concat('component-', toString(s % 10)), 'host.id', concat('host-', toString(s)),
	'http.response.status_code', if(s % 20 = 19, '500', '200'))`;

function seriesOf({ to_ms }: Stretch): string {
	return `INSERT INTO series (project, name, series_id, tags, component, kind, unit, first_seen)
SELECT ${PROJECT}, '${HTTP}', cityHash64(number), ${TAGS.replaceAll("s %", "number %").replaceAll("toString(s)", "toString(number)")},
	concat('component-', toString(number % 10)), 'distribution', 's', ${time(String(to_ms - DAYS * DAY_MS))} FROM numbers(${SERIES})`;
}

/** Half of a session's events are messages and answers of a model, the rest what one does around them. */
const EVENTS_A_SESSION = 25;
const SESSION = [
	"session.started",
	"conversation.started",
	...Array.from({ length: 6 }, () => ["chat.message.sent", "model_inference_completed", "chat.message.sent"]).flat(),
	"conversation.ended",
	"feedback.submitted",
	"feature.used",
	"feature.used",
	"session.ended",
];
/** A customer pays monthly and is billed for usage: 20 of so many events are of one customer. */
const EVENTS_A_CUSTOMER = 80;
const EVENTS_OF_A_CUSTOMER = 20;

const STATEMENTS = {
	points: ({ to_ms, seed, done, until }: Stretch, from: number, rows: number) => {
		// Each stretch is spread over the whole time, in its order, as points arrive.
		const share = `(number - ${done.points}) / ${until.points - done.points}`;
		const at = `${to_ms - POINT_DAYS * DAY_MS} + ${share} * ${POINT_DAYS * DAY_MS - 1_000} + number % 997`;
		return `INSERT INTO points (project, name, component, kind, series_id, ts, value, failed)
SELECT ${PROJECT}, '${HTTP}', concat('component-', toString(s % 10)), 'distribution', cityHash64(s), ${time(at)},
	${logNormal(seed, "number", 0.05, 0.6)}, s % 20 = 19
FROM (SELECT number, number % ${SERIES} AS s FROM numbers(${from}, ${rows}))`;
	},
	events: ({ to_ms, seed }: Stretch, from: number, rows: number) => `INSERT INTO events
	(project, event, ts, event_id, user_id, account_id, session_id, strings, numbers, id)
WITH intDiv(number, ${EVENTS_A_SESSION}) AS session, number % ${EVENTS_A_SESSION} AS step,
	[${SESSION.map((name) => `'${name}'`).join(", ")}][step + 1] AS name,
	toUInt32(pow(${unit(seed, "session", "user")}, 2) * 20000) AS person,
	${to_ms} - toInt64(${unit(seed, "session", "start")} * ${DAYS * DAY_MS - 3_600_000}) - 3600000 AS start
SELECT ${PROJECT}, name, ${time(`start + step * 20000 + cityHash64(number, ${seed}) % 20000`)}, '',
	concat('user_', toString(person)), concat('acct_', toString(person % 5000)), concat('sess_', toString(session)),
	mapConcat(
		map('geo.country.iso_code', ['US', 'DE', 'FR', 'JP', 'IN', 'BR'][person % 6 + 1], 'user_type', ['free', 'pro', 'enterprise'][person % 3 + 1]),
		multiIf(
			name = 'model_inference_completed', map('model', ['llama', 'gpt', 'mistral', 'phi'][session % 4 + 1], 'success', if(number % 97 = 0, 'false', 'true'), 'error_type', if(number % 97 = 0, if(number % 2 = 0, 'timeout', 'overloaded'), '')),
			name = 'feature.used', map('feature', ['chat', 'search', 'documents', 'voice', 'export'][number % 5 + 1]),
			name = 'conversation.ended', map('outcome', 'completed', 'resolved', 'true', 'language', ['en', 'de', 'es'][session % 3 + 1], 'sentiment', ['positive', 'neutral', 'negative'][number % 3 + 1], 'conversation_id', toString(session)),
			name = 'feedback.submitted', map('target_type', if(number % 2 = 0, 'response', 'feature'), 'target_id', 'chat', 'model', 'llama'),
			map('role', if(number % 3 = 2, 'user', 'assistant'), 'conversation_id', toString(session)))),
	multiIf(
		name = 'model_inference_completed', map('latency_ms', ${logNormal(seed, "number", 900, 0.5)}, 'input_tokens', toFloat64(number % 300), 'output_tokens', toFloat64(number % 500), 'response_chars', toFloat64(number % 2000)),
		name = 'feedback.submitted', map('rating', toFloat64(1 + number % 5)),
		CAST(map(), 'Map(String, Float64)')),
	cityHash64(number, ${seed})
FROM numbers(${from}, ${rows})`,
	logs: ({ to_ms, seed }: Stretch, from: number, rows: number) => `INSERT INTO logs
	(project, ts, id, level, component, message, context, trace_id, span_id)
WITH ${to_ms} - toInt64(${unit(seed, "number", "time")} * ${DAYS * DAY_MS}) AS at
SELECT ${PROJECT}, ${time("at")}, cityHash64(number, ${seed}),
	['info', 'info', 'info', 'info', 'debug', 'debug', 'warning', 'error'][cityHash64(number, 1) % 8 + 1],
	['api', 'database', 'llm', 'auth', 'federated', 'search'][cityHash64(number, 2) % 6 + 1],
	if(${INCIDENT} AND number % 4 = 0, concat('inference timeout of request ', toString(number)), concat('request ', toString(number), ' of session ', toString(number % 9999), ' was handled by worker ', toString(number % 64))),
	concat('{"duration_ms":', toString(number % 3000), '}'), '', ''
FROM numbers(${from}, ${rows})`,
} as const;

/** Subscriptions that start, change and end; an invoice a month and usage every ten days. */
function customers({ to_ms, seed }: Stretch, from: number, count: number): string {
	const start = `${to_ms} - toInt64(${unit(seed, "account", "start")} * ${DAYS * DAY_MS})`;
	return `INSERT INTO events (project, event, ts, event_id, user_id, account_id, session_id, strings, numbers, id)
WITH intDiv(number, ${EVENTS_OF_A_CUSTOMER}) AS account, number % ${EVENTS_OF_A_CUSTOMER} AS step,
	multiIf(step = 0, 'subscription.started', step = 1 AND account % 6 = 0, 'subscription.changed', step = 2 AND account % 12 = 0, 'subscription.canceled', step < 5, 'invoice.paid', 'usage.billed') AS name
SELECT ${PROJECT}, name, ${time(`least(${start} + step * 3 * ${DAY_MS}, ${to_ms} - 1 - number % 1000)`)}, '', '', concat('acct_', toString(account)), '',
	if(startsWith(name, 'subscription'), map('subscription_id', concat('sub_', toString(account)), 'plan', ['basic', 'professional', 'enterprise'][(account + (step > 0 ? 1 : 0)) % 3 + 1], 'currency', 'USD', 'interval', 'month'), map('currency', 'USD', 'meter', if(step % 2 = 0, 'ai_request', 'collaboration_hour'))),
	if(startsWith(name, 'subscription'), map('amount', 29. * (1 + account % 4 + step), 'interval_count', 1., 'quantity', 1., 'discount', 0.), map('amount', 2. + account % 90, 'quantity', 100. + step, 'tax', 0.3, 'recurring_amount', 29.)),
	cityHash64(number, ${seed}, 7)
FROM numbers(${from * EVENTS_OF_A_CUSTOMER}, ${count * EVENTS_OF_A_CUSTOMER})`;
}
