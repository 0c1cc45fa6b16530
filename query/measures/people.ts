/**
 * Who was active when, as SQL. A person is the number that an event carries (see the migration that adds it); a user is a person
 * after resolution: an anonymous id that was linked to a user before `as_of` is that user, in the past too, also where a client sent
 * it as user_id. One that was not is nobody, 0.
 */
import { at, between } from "../plan/scan.ts";
import { from, type Params } from "../sql.ts";
import type { Span } from "../time/period.ts";

/** Who is who, before an instant. */
export interface Identity {
	/** From then on nothing is known. Milliseconds since the epoch. */
	readonly as_of: number;
	/** That the project never linked an id to a user: nothing is joined then, which is a third of such a question's work. */
	readonly unlinked?: boolean | undefined;
}

/** What a question about people is asked of: the activity in `[start, end)`. */
export interface PeopleScope extends Span, Identity {}

const DAY_MS = 86_400_000;
export const QUARTER_MS = 900_000;
const QUARTERS = DAY_MS / QUARTER_MS;
const ALL = (1n << BigInt(QUARTERS)) - 1n;
/** Hashes of anonymous ids end in 0, those of user ids in 1. */
const ANONYMOUS = "bitAnd(person, bitNot(toUInt64(1)))";

/** Events that make a person active. */
export const MAKES_ACTIVE = "person != 0 AND event != 'user.deleted'";

/** The user of a person where nothing is linked. */
const NAMED = "if(bitAnd(person, 1) = 1, person, 0)";

/** A subquery: the rows with `user` (0 for nobody) beside their columns. @param rows a subquery with `person` */
export function resolved(
	params: Params,
	rows: string,
	columns: readonly string[],
	{ as_of, unlinked }: Identity,
): string {
	if (unlinked) return `(SELECT ${[`${NAMED} AS user`, ...columns].join(", ")} FROM ${rows} AS found)`;
	const links =
		`SELECT anonymous, tupleElement(min(first) AS link, 2) AS linked ${from("identities")} ` +
		`GROUP BY anonymous HAVING tupleElement(link, 1) < ${at(params, as_of)}`;
	// The user of a link may be an anonymous id itself, that a client sent as user_id.
	const chained =
		`SELECT one.anonymous AS of, if(two.linked != 0, two.linked, one.linked) AS linked FROM (${links}) AS one ` +
		`LEFT JOIN (${links}) AS two ON bitAnd(one.linked, bitNot(toUInt64(1))) = two.anonymous`;
	const user = `if(linked != 0, linked, ${NAMED}) AS user`;
	return (
		`(SELECT ${[user, ...columns].join(", ")} FROM (SELECT *, ${ANONYMOUS} AS id FROM ${rows}) AS found ` +
		`LEFT JOIN (${chained}) AS links ON found.id = links.of)`
	);
}

/** How rows, `one`, become a column of a user. */
export interface Gathering {
	/** From the rows of a user. */
	readonly alone: string;
	/** Where persons are joined with what they are linked to: from the rows of a person … */
	readonly person: string;
	/** … and from what that made for each person of a user. */
	readonly user: string;
}

/** An aggregate that may be taken of its own results. */
export function gathered(aggregate: string, column: string): Gathering {
	const one = `${aggregate}(one.${column})`;
	return { alone: one, person: one, user: one };
}

/**
 * A subquery with a row per user: `user` and the columns.
 * @param rows a subquery with `person`
 * @param where a predicate on `user`
 */
export function perUser(
	params: Params,
	rows: string,
	columns: Readonly<Record<string, Gathering>>,
	{ where, ...identity }: Identity & { readonly where?: string | undefined },
): string {
	const select = (of: keyof Gathering) =>
		Object.entries(columns).map(([name, gathering]) => `${gathering[of]} AS ${name}`);
	const isWanted = `user != 0${where === undefined ? "" : ` AND ${where}`}`;
	// Where nothing is joined, a person is a user or nobody.
	if (identity.unlinked) {
		const all = [`${NAMED} AS user`, ...select("alone")].join(", ");
		return `(SELECT ${all} FROM ${rows} AS one GROUP BY user HAVING ${isWanted})`;
	}
	// By person first: the join with the links then has few rows.
	const people = `(SELECT ${["person", ...select("person")].join(", ")} FROM ${rows} AS one GROUP BY person)`;
	const known = resolved(params, people, Object.keys(columns), identity);
	return `(SELECT ${["user", ...select("user")].join(", ")} FROM ${known} AS one WHERE ${isWanted} GROUP BY user)`;
}

/** Whole quarters of an hour come from the state, what is left at both ends from the events. */
export function splitAtQuarters({ start, end }: Span): { state: Span | undefined; raw: readonly Span[] } {
	const first = Math.ceil(start / QUARTER_MS) * QUARTER_MS;
	const last = Math.floor(end / QUARTER_MS) * QUARTER_MS;
	if (start >= end) return { state: undefined, raw: [] };
	if (first >= last) return { state: undefined, raw: [{ start, end }] };
	const ends = [
		{ start, end: first },
		{ start: last, end },
	];
	return { state: { start: first, end: last }, raw: ends.filter((span) => span.start < span.end) };
}

/** Bits of the quarters of a UTC day from `from` on and before `to`, both counted from its midnight. */
function bits(from: number, to: number): bigint {
	return ((1n << BigInt(to)) - 1n) & ~((1n << BigInt(from)) - 1n);
}

/** The day UTC of an instant. */
function dayOf(params: Params, ms: number): string {
	return params.add("Date", new Date(ms).toISOString().slice(0, 10));
}

/** On `user_days`: rows with activity in whole quarters, and the expression of the quarters that lie in the span. */
export function quartersIn(params: Params, { start, end }: Span): { days: string; where: string; quarters: string } {
	const day = (ms: number) => dayOf(params, ms);
	const [first, last] = [Math.floor(start / DAY_MS), Math.floor((end - 1) / DAY_MS)];
	const days = `day >= ${day(first * DAY_MS)} AND day <= ${day(last * DAY_MS)}`;
	const from = (start - first * DAY_MS) / QUARTER_MS;
	const to = (end - last * DAY_MS) / QUARTER_MS;
	const masks = [
		...(from > 0 ? [mask(params, day(first * DAY_MS), bits(from, QUARTERS))] : []),
		...(to < QUARTERS ? [mask(params, day(last * DAY_MS), bits(0, to))] : []),
	];
	const quarters = masks.reduce((all, one) => `bitAnd(${all}, ${one})`, "quarters");
	return { days, where: masks.length === 0 ? days : `${days} AND ${quarters} != 0`, quarters };
}

function mask(params: Params, day: string, kept: bigint): string {
	return `if(day = ${day}, ${quartersOf(params, kept)}, ${quartersOf(params, ALL)})`;
}

function quartersOf(params: Params, kept: bigint): string {
	return params.add("UInt128", kept.toString());
}

/** A subquery with `person`, repeated: who was active in the span. */
export function activePeople(params: Params, span: Span): string {
	const { state, raw } = splitAtQuarters(span);
	const parts = [
		...(state ? [`SELECT person ${from("user_days", quartersIn(params, state).where)}`] : []),
		...raw.map(
			(edge) => `SELECT person ${from("events", `${between(params, "ts", edge.start, edge.end)} AND ${MAKES_ACTIVE}`)}`,
		),
	];
	return `(SELECT DISTINCT person FROM (${parts.length === 0 ? "SELECT toUInt64(0) AS person" : parts.join(" UNION ALL ")}))`;
}

/**
 * A condition on a row of `user_days` that holds where the person was active in a window on that day, and the stretches of the window
 * of which it does not tell. The first event of the day tells whether there was one before the end, unless the window begins on that
 * day, later than the day.
 */
function activeIn(params: Params, { start, end }: Span): { days: string | undefined; raw: readonly Span[] } {
	const first = Math.ceil(start / QUARTER_MS) * QUARTER_MS;
	if (first >= end) return { days: undefined, raw: start < end ? [{ start, end }] : [] };
	const raw = first > start ? [{ start, end: first }] : [];
	const midnight = Math.floor(first / DAY_MS) * DAY_MS;
	const day = dayOf(params, midnight);
	const before = `first < ${at(params, end)}`;
	if (midnight === first) return { days: first === 0 ? before : `day >= ${day} AND ${before}`, raw };
	if (end >= midnight + DAY_MS) {
		const later = `bitAnd(quarters, ${quartersOf(params, bits((first - midnight) / QUARTER_MS, QUARTERS))}) != 0`;
		return { days: `${before} AND if(day = ${day}, ${later}, day > ${day})`, raw };
	}
	const { state, raw: edges } = splitAtQuarters({ start: first, end });
	return { days: state && quartersIn(params, state).where, raw: [...raw, ...edges] };
}

/** In which of some windows people were active. */
export interface Presence {
	/** By the name of the column. */
	readonly windows: Readonly<Record<string, Span>>;
	/** Adds `dates`, the calendar days of this zone on which they were active in the window of that name. */
	readonly dates?: { readonly of: string; readonly timezone: string } | undefined;
	/** Columns of constants, for rows that are put beside these. */
	readonly also?: readonly string[];
}

const NO_DATES = "emptyArrayDate()";

/**
 * Selects, to be united, with `person`, 0 or 1 for each window and, where asked, `dates`. A person has several rows, and may have some
 * that are of none of the windows. One scan of the state for all.
 */
export function presence(params: Params, { windows, dates, also = [] }: Presence): string[] {
	const spans = Object.entries(windows).map(([name, window]) => {
		const { days, raw } = activeIn(params, window);
		const own = dates?.of === name ? dates.timezone : undefined;
		if (own === undefined) return { name, days, raw, dates: NO_DATES };
		if (own === "UTC")
			return { name, days, raw, dates: days === undefined ? NO_DATES : `if(${days}, [day], ${NO_DATES})` };
		// Which dates a day has is in its quarters, and one that the end divides does not tell whether it was before.
		const { state, raw: edges } = splitAtQuarters(window);
		const within = state && quartersIn(params, state);
		const local = within && `if(${within.days}, ${localDays(params, own, within.quarters)}, ${NO_DATES})`;
		return { name, days, raw: edges, dates: local ?? NO_DATES };
	});
	const select = (flagOf: (name: string) => string | number, datesAre: string) => {
		const flags = spans.map(({ name }) => `${flagOf(name)} AS ${name}`);
		return ["SELECT person", ...flags, ...(dates ? [`${datesAre} AS dates`] : []), ...also].join(", ");
	};
	const days = new Map(spans.map((span) => [span.name, span.days ?? 0]));
	const known = spans.find(({ name }) => name === dates?.of)?.dates ?? NO_DATES;
	const last = Math.max(...Object.values(windows).map(({ end }) => end));
	const parts = [`${select((name) => days.get(name)!, known)} ${from("user_days", `first < ${at(params, last)}`)}`];
	for (const { name, raw } of spans) {
		const date = name === dates?.of ? `[toDate(ts, ${params.add("String", dates.timezone)})]` : NO_DATES;
		for (const { start, end } of raw) {
			const where = `${between(params, "ts", start, end)} AND ${MAKES_ACTIVE}`;
			parts.push(`${select((other) => (other === name ? 1 : 0), date)} ${from("events", where)}`);
		}
	}
	return parts;
}

/** A subquery with `person`, `day` (UTC) and `quarters`, repeated: when people were active within the span. */
export function activeQuarters(params: Params, span: Span): string {
	const { state, raw } = splitAtQuarters(span);
	const parts = raw.map((edge) => {
		const where = `${between(params, "ts", edge.start, edge.end)} AND ${MAKES_ACTIVE}`;
		const quarter = "bitShiftLeft(toUInt128(1), intDiv(toUnixTimestamp(ts) % 86400, 900))";
		return `SELECT person, toDate(ts, 'UTC') AS day, ${quarter} AS quarters ${from("events", where)}`;
	});
	if (state) {
		const { where, quarters } = quartersIn(params, state);
		parts.push(`SELECT person, day, ${quarters} AS quarters ${from("user_days", where)}`);
	}
	const none = "SELECT toUInt64(0) AS person, toDate(0) AS day, toUInt128(0) AS quarters WHERE 0";
	return `(${parts.length === 0 ? none : parts.join(" UNION ALL ")})`;
}

/** A subquery with `person` and `day` (UTC), repeated: on which days people were active before an instant. */
export function daysUntil(params: Params, end: number): string {
	return `(SELECT person, day ${from("user_days", `first < ${at(params, end)}`)})`;
}

/** The dates in the zone of the quarters of a UTC `day`. @param quarters their bits */
export function localDays(params: Params, timezone: string, quarters = "quarters"): string {
	if (timezone === "UTC") return "[day]";
	const date = `toDate(toDateTime(toUInt32(day) * 86400 + quarter * 900, 'UTC'), ${params.add("String", timezone)})`;
	return `arrayDistinct(arrayMap(quarter -> ${date}, bitPositionsToArray(${quarters})))`;
}
