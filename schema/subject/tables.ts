/**
 * Where a person is: for each table that has anything about people, which of its rows are theirs, and what becomes of them. A test
 * holds the list against the database, so that no new table with texts or persons in it is forgotten.
 */
import { FAILED } from "../failed-requests.ts";
import { LADDER } from "../granularity.ts";
import { type Terms, WHOSE } from "./terms.ts";

/** What an erasure does with the rows that it finds. */
export type Fate =
	| { readonly act: "delete" }
	/** The row is somebody else's, or nobody's: it stays without what is about the person. Expressions by column. */
	| { readonly act: "redact"; readonly set: (terms: Terms) => Readonly<Record<string, string>> };

export interface SubjectRule {
	readonly table: string;
	readonly fate: Fate;
	/** Which rows it is about; `project` and the time of receipt are asked beside it. */
	readonly rows: (terms: Terms, scope: RuleScope) => string;
	/** That its row ids say when a row was received. Of other tables all rows are meant. */
	readonly timed?: true;
	/** Rows of it are found through those of this table: where that has none, there are none. */
	readonly through?: string;
	/** Part of what the person is given who asks for their data: the columns that order it. */
	readonly exportBy?: string;
}

/** Parts of predicates that look into another table. */
export interface RuleScope {
	/** `project = '…'`, quoted. */
	readonly project: string;
	/** Of a table with row ids, the rows that were received in time. */
	readonly inTime: string;
	/** Those that came later: not asked for. */
	readonly later: string;
}

const DELETE: Fate = { act: "delete" };

/** Looks for an id where one may stand in JSON. */
export function quoted(column: string, { needles, quoted: pattern }: Terms): string {
	return prefiltered(column, needles, `match(${column}, ${pattern})`);
}

/** Looks for an id that is a word of a text. */
export function word(column: string, { needles, word: pattern }: Terms): string {
	return prefiltered(column, needles, `match(${column}, ${pattern})`);
}

/** The column is for ids of people, or might have one as a word. */
function named(column: string, terms: Terms): string {
	return `(has(${terms.ids}, ${column}) OR ${word(column, terms)})`;
}

/** A value of a map: a short id may be a plan, a region or a host too, so it counts where the key is about people. */
function told(terms: Terms): string {
	return `(has(${terms.ids}, v) AND match(k, '${WHOSE}') OR ${quoted("v", terms)})`;
}

function prefiltered(column: string, needles: string | undefined, match: string): string {
	return needles === undefined ? match : `(multiSearchAny(${column}, ${needles}) AND ${match})`;
}

function either(...predicates: readonly string[]): string {
	return predicates.join(" OR ");
}

/** Events of the person: by user id, by an anonymous id that belongs to it, and those of nobody else whose account has the same id. */
export function ownEvents(terms: Terms): string {
	return either(
		`has(${terms.ids}, user_id)`,
		`user_id = '' AND (has(${terms.anonymous}, anonymous) OR has(${terms.ids}, account_id) OR ${word("session_id", terms)})`,
		word("event", terms),
	);
}

/** A property that is the id, has it as a word, or is named by it: `scores.u1`. */
function tells(terms: Terms): string {
	return `${told(terms)} OR ${namedBy(terms)}`;
}

function namedBy(terms: Terms): string {
	return `arrayExists(s -> ${word("s", terms)}, splitByChar('.', toString(k)))`;
}

const isAnonymousId = ({ ids }: Terms) => `k = 'anonymous_id' AND has(${ids}, toString(v))`;

function mentioningEvents(terms: Terms): string {
	const mentions = either(
		`has(${terms.ids}, account_id)`,
		...["event_id", "account_id", "session_id"].map((column) => word(column, terms)),
		`arrayExists((k, v) -> ${tells(terms)}, mapKeys(strings), mapValues(strings))`,
		`arrayExists((k, v) -> ${namedBy(terms)} OR ${isAnonymousId(terms)}, mapKeys(numbers), mapValues(numbers))`,
	);
	return `NOT (${ownEvents(terms)}) AND (${mentions})`;
}

/** Series with the id as the value of a tag. */
function ownSeries(terms: Terms): string {
	return either(
		`arrayExists((k, v) -> ${told(terms)}, mapKeys(tags), mapValues(tags))`,
		word("name", terms),
		word("component", terms),
	);
}

function ofOwnSeries(terms: Terms, { project }: RuleScope): string {
	return `(name, series_id) IN (SELECT name, series_id FROM series WHERE ${project} AND (${ownSeries(terms)}))`;
}

/** Issues all of whose errors, ever, were the person's. */
function ownIssues(terms: Terms, { project, inTime }: RuleScope): string {
	return `issue_id IN (
		SELECT issue_id FROM (SELECT issue_id, count() AS found FROM errors WHERE ${project} AND ${inTime} AND (${ownErrors(terms)}) GROUP BY issue_id) AS own
		INNER JOIN (SELECT issue_id, sum(n) AS ever FROM issues WHERE ${project} GROUP BY issue_id) AS met USING (issue_id)
		WHERE found >= ever)`;
}

function ownErrors(terms: Terms): string {
	return either(
		`has(${terms.ids}, user_id)`,
		quoted("context", terms),
		...["message", "stack", "error_type", "component", "culprit"].map((column) => word(column, terms)),
	);
}

/** Derived of events by their row: so it goes before them. */
function ofOwnEvents(terms: Terms, { project, inTime }: RuleScope): string {
	return `(ts, id) IN (SELECT ts, id FROM events WHERE ${project} AND ${inTime} AND (${ownEvents(terms)}))`;
}

/** They have no row id: what the event says is compared. */
function ownJudgements(terms: Terms, { project, inTime }: RuleScope): string {
	const text = "strings[if(event = 'feedback.submitted', 'rating', 'value')]";
	return `(event, ts, model, target_type, target_id, text) IN (
		SELECT event, ts, strings['model'], strings['target_type'], strings['target_id'], ${text} FROM events
		WHERE ${project} AND ${inTime} AND event IN ('feedback.submitted', 'gen_ai.evaluation.result') AND (${ownEvents(terms)}))`;
}

const person = ({ persons }: Terms) => `has(${persons}, person)`;

/** Rows of the person for which no event is left: whoever sends on after the request keeps those of then. */
function leftBehind(
	keys: Readonly<Record<string, string>>,
	terms: Terms,
	{ project, later }: RuleScope,
	where = "1",
): string {
	return `(${Object.keys(keys).join(", ")}) NOT IN (
		SELECT ${Object.values(keys).join(", ")} FROM events WHERE ${project} AND ${later} AND ${person(terms)} AND ${where})`;
}

/** The same of a table that a person's events are added up in. */
function ownSums(table: string, terms: Terms, scope: RuleScope): string {
	const { keys, where } = SUBTRACTIONS.find((one) => one.table === table)!;
	return `${person(terms)} AND ${leftBehind(keys, terms, scope, where)}`;
}

/** In the order of erasure: what is found through other rows goes before those. */
export const SUBJECT_RULES: readonly SubjectRule[] = [
	...["points", "cumulative", ...LADDER.map(({ rollup }) => rollup)].map(
		(table): SubjectRule => ({
			...{ table, fate: DELETE, rows: ofOwnSeries, through: "series" },
			...(table === "points" ? { exportBy: "name, series_id, ts" } : {}),
		}),
	),
	{ table: "series", fate: DELETE, rows: ownSeries, exportBy: "name, series_id" },
	...["subscription_records", "billing_records"].map(
		(table): SubjectRule => ({
			...{ table, fate: DELETE, timed: true },
			rows: (terms, scope) =>
				either(
					...["subject", "account_id"].map((column) => named(column, terms)),
					...["label", "segment"].map((column) => word(column, terms)),
					ofOwnEvents(terms, scope),
				),
			// Those of subscriptions are among the others.
			...(table === "billing_records" ? { exportBy: "kind, ts, id" } : {}),
		}),
	),
	{
		// A call of a model without the id that its sender gave it: figures of the model.
		table: "model_calls",
		fate: { act: "redact", set: () => ({ event_id: "''" }) },
		timed: true,
		rows: (terms, scope) =>
			`event_id != '' AND (${either(ofOwnEvents(terms, scope), word("event_id", terms), word("model", terms))})`,
	},
	{ table: "judgements", fate: DELETE, rows: ownJudgements },
	{
		table: "judgements",
		rows: (terms) => either(named("evaluator", terms), word("target_id", terms), word("text", terms)),
		fate: {
			act: "redact",
			set: (terms) =>
				Object.fromEntries(
					["evaluator", "target_id", "text"].map((column) => [column, `if(${named(column, terms)}, '', ${column})`]),
				),
		},
	},
	{ table: "event_ids", fate: DELETE, rows: (terms) => word("event_id", terms) },
	{ table: "events", fate: DELETE, timed: true, rows: ownEvents, exportBy: "event, ts, id" },
	{
		table: "events",
		timed: true,
		rows: mentioningEvents,
		fate: {
			act: "redact",
			set: (terms) => ({
				account_id: `if(${named("account_id", terms)}, '', account_id)`,
				...Object.fromEntries(
					["event_id", "session_id"].map((column) => [column, `if(${word(column, terms)}, '', ${column})`]),
				),
				strings: `mapFilter((k, v) -> NOT (${tells(terms)}), strings)`,
				numbers: `mapFilter((k, v) -> NOT (${namedBy(terms)} OR ${isAnonymousId(terms)}), numbers)`,
			}),
		},
	},
	{ table: "issues", fate: DELETE, rows: ownIssues, through: "errors" },
	{
		table: "issues",
		rows: (terms) => either(...["message", "error_type", "component"].map((column) => word(column, terms))),
		fate: {
			act: "redact",
			set: (terms) =>
				Object.fromEntries(
					["message", "error_type", "component"].map((column) => [
						column,
						`if(${word(column, terms)}, '[erased]', ${column})`,
					]),
				),
		},
	},
	{ table: "errors", fate: DELETE, timed: true, rows: ownErrors, exportBy: "ts, id" },
	{
		table: "error_first_seen",
		fate: DELETE,
		rows: (terms) => either(word("error_type", terms), word("component", terms)),
	},
	{
		table: "logs",
		fate: DELETE,
		timed: true,
		rows: (terms) =>
			either(
				quoted("context", terms),
				...["message", "component", "trace_id", "span_id"].map((column) => word(column, terms)),
			),
		exportBy: "ts, id",
	},
	{ table: "log_patterns", fate: DELETE, rows: (terms) => word("template", terms) },
	{
		table: "profiles",
		fate: DELETE,
		timed: true,
		rows: (terms) =>
			either(
				`has(${terms.ids}, user_id)`,
				...["operation", "component", "trace_id"].map((column) => word(column, terms)),
				`arrayExists(v -> ${word("v", terms)}, arrayConcat(span_names, span_parents))`,
			),
		exportBy: "operation, ts, id",
	},
	{
		table: "user_days",
		fate: DELETE,
		rows: (terms, scope) =>
			`${person(terms)} AND ${leftBehind({ day: "toDate(ts, 'UTC')", person: "person" }, terms, scope)}`,
	},
	{
		table: "feature_uses_15m",
		fate: DELETE,
		rows: (terms, scope) => either(ownSums("feature_uses_15m", terms, scope), word("feature", terms)),
	},
	{ table: "session_hours", fate: DELETE, rows: (terms, scope) => ownSums("session_hours", terms, scope) },
	{
		table: "identities",
		fate: DELETE,
		rows: (terms, scope) =>
			`(has(${terms.anonymous}, anonymous) OR has(${terms.persons}, tupleElement(first, 2)))
				AND ${leftBehind({ anonymous: "anonymous" }, terms, scope)}`,
	},
	{
		table: "signals",
		fate: DELETE,
		rows: (terms) => word("name", terms),
	},
	{
		table: "quarantine",
		fate: DELETE,
		rows: (terms) => either(quoted("record", terms), quoted("reason", terms)),
		exportBy: "received, target, segment, record",
	},
	{
		table: "requests",
		fate: DELETE,
		rows: (terms) => either(word("key", terms), quoted("answer", terms)),
	},
	...alertRule("alert_transitions", ["instance", "reason", "message"], true),
	...alertRule("alert_instances", ["instance", "label_set", "standing", "recent", "message"], true),
	...alertRule("alert_deliveries", ["instance", "target", "detail"]),
	...alertRule("alert_delivery_attempts", ["detail"]),
];

/** History of alerts that were grouped by, or tell of, the person. */
function alertRule(table: string, columns: readonly string[], labelled = false): SubjectRule[] {
	return [
		{
			...{ table, fate: DELETE },
			rows: (terms) =>
				either(
					...columns.map((column) => quoted(column, terms)),
					...(labelled ? [`arrayExists((k, v) -> ${told(terms)}, mapKeys(labels), mapValues(labels))`] : []),
				),
		},
	];
}

/** Sums that a row which goes is taken out of: the same that the views of the migrations put in, taken away. */
export interface Subtraction {
	readonly table: string;
	/** Whose rows go, by its rule. */
	readonly from: string;
	/** What is read, where that is more than the table: `from` and what is joined to it. */
	readonly source?: string;
	/** Of `from`; the table has columns of these names. */
	readonly keys: Readonly<Record<string, string>>;
	/** Of the rows that go: how many, and what else is added up. */
	readonly sums: Readonly<Record<string, string>>;
	/** Extremes, which stay as they are, as what changes none. */
	readonly neutral?: Readonly<Record<string, string>>;
	readonly where?: string;
}

const QUARTER = "toStartOfFifteenMinutes(toDateTime(ts, 'UTC'))";

export const SUBTRACTIONS: readonly Subtraction[] = [
	{
		...{ table: "event_counts_15m", from: "events" },
		keys: { event: "event", bucket: QUARTER },
		sums: { n: "count()", identified: "countIf(user_id != '')" },
	},
	{
		...{ table: "feature_uses_15m", from: "events" },
		keys: { feature: "strings['feature']", bucket: QUARTER, person: "person" },
		sums: { n: "count()" },
		neutral: { first: "min(ts)" },
		where: "event = 'feature.used' AND strings['feature'] != ''",
	},
	{
		...{ table: "session_hours", from: "events" },
		keys: {
			hour: "toStartOfHour(toDateTime(ts, 'UTC'))",
			session: "sipHash64(session_id)",
			person: "person",
		},
		sums: {
			n: "count()",
			chats: "countIf(event = 'chat.message.sent')",
			inferences: "countIf(event = 'model_inference_completed')",
		},
		neutral: { first: "min(ts)", last: "max(ts)" },
		where: "session_id != ''",
	},
	{
		...{ table: "log_counts_1m", from: "logs" },
		keys: {
			level: "level",
			component: "component",
			pattern_id: "pattern_id",
			bucket: "toStartOfMinute(toDateTime(ts, 'UTC'))",
		},
		sums: { n: "count()" },
	},
	...LADDER.flatMap(({ rollup, sketch, sketch_total }) => [
		besideSketches(sketch, rollup, { component: "component" }),
		...(sketch_total ? [besideSketches(sketch_total, rollup, {})] : []),
	]),
];

/** Counts and sums beside the sketches of a tier; the sketches themselves, and what was the greatest value, stay. */
function besideSketches(table: string, rollup: string, by: Readonly<Record<string, string>>): Subtraction {
	return {
		...{ table, from: rollup, keys: { name: "name", ...by, bucket: "bucket" } },
		source: `${rollup} AS found GLOBAL INNER JOIN (
			SELECT project, name, series_id, anyLast(component) AS component, any(${FAILED}) AS bad
			FROM series GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
		) AS known USING (project, name, series_id)`,
		sums: { n: "sum(found.n)", failed: "sumIf(found.n, bad)", sum: "sum(found.sum)" },
	};
}

/** Tables with texts in them that an erasure leaves alone, and why. */
export const NOT_ABOUT_PEOPLE: Readonly<Record<string, string>> = {
	definitions: "what the project's people define: alerts, dashboards, keys; they change it themselves",
	audit_log: "append-only evidence of who changed what; it names keys, and requests by a hash of the id",
	audit_verifications: "results of checks of the audit log",
	jobs: "long work by ids; requests about people keep theirs sealed",
	erasure_subjects: "the ids that are being erased, until it is done",
	changing_calls: "requests that changed something, by their ids",
	report_files: "sums by day, model and segment, as they were handed out; kept for a while",
	report_deliveries: "to whom the project's people send its reports; they name the addresses themselves",
	schema_migrations: "names of migrations",
	event_counts_15m: "counts by event, which the rows that go are taken out of",
	log_counts_1m: "counts by level, component and pattern, which the rows that go are taken out of",
	log_pattern_first_seen: "when a pattern was first seen",
	model_hours: "figures of models",
	model_days: "figures of models",
	...Object.fromEntries(
		LADDER.flatMap(({ sketch, sketch_total }) => [sketch, ...(sketch_total ? [sketch_total] : [])]).map((table) => [
			table,
			"distributions over all series of a component; the rows that go are taken out of the counts beside them",
		]),
	),
};
