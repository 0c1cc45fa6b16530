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
const QUARTER_MS = 900_000;
const QUARTERS = DAY_MS / QUARTER_MS;
const ALL = (1n << BigInt(QUARTERS)) - 1n;
/** Hashes of anonymous ids end in 0, those of user ids in 1. */
const ANONYMOUS = "bitAnd(person, bitNot(toUInt64(1)))";

/** Events that make a person active. */
export const MAKES_ACTIVE = "person != 0 AND event != 'user.deleted'";

/** A subquery: the rows with `user` (0 for nobody) beside their columns. @param rows a subquery with `person` */
export function resolved(
	params: Params,
	rows: string,
	columns: readonly string[],
	{ as_of, unlinked }: Identity,
): string {
	const named = "if(bitAnd(person, 1) = 1, person, toUInt64(0)) AS user";
	if (unlinked) return `(SELECT ${[named, ...columns].join(", ")} FROM ${rows} AS found)`;
	const links =
		`SELECT anonymous, tupleElement(min(first) AS link, 2) AS linked ${from("identities")} ` +
		`GROUP BY anonymous HAVING tupleElement(link, 1) < ${at(params, as_of)}`;
	// The user of a link may be an anonymous id itself, that a client sent as user_id.
	const chained =
		`SELECT one.anonymous AS of, if(two.linked != 0, two.linked, one.linked) AS linked FROM (${links}) AS one ` +
		`LEFT JOIN (${links}) AS two ON bitAnd(one.linked, bitNot(toUInt64(1))) = two.anonymous`;
	const user = "multiIf(linked != 0, linked, bitAnd(person, 1) = 1, person, toUInt64(0)) AS user";
	return (
		`(SELECT ${[user, ...columns].join(", ")} FROM (SELECT *, ${ANONYMOUS} AS id FROM ${rows}) AS found ` +
		`LEFT JOIN (${chained}) AS links ON found.id = links.of)`
	);
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

/** On `user_days`: rows with activity in whole quarters, and the expression of the quarters that lie in the span. */
export function quartersIn(params: Params, { start, end }: Span): { days: string; where: string; quarters: string } {
	const day = (ms: number) => params.add("Date", new Date(ms).toISOString().slice(0, 10));
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
	const number = (value: bigint) => params.add("UInt128", value.toString());
	return `if(day = ${day}, ${number(kept)}, ${number(ALL)})`;
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

/** In which of some windows people were active: bit i of `w` stands for the window i. */
export interface Presence {
	readonly windows: readonly Span[];
	/** Adds `dates`, the calendar days of this zone on which they were active in the first window. */
	readonly datesIn?: string | undefined;
}

/** A subquery with a row per person who was active in any of the windows: `person`, `w` and, where asked, `dates`. One scan for all. */
export function presence(params: Params, { windows, datesIn }: Presence): string {
	const parts: string[] = [];
	const columns = (bits: string, dates: string) =>
		`SELECT person, toUInt16(${bits}) AS w${datesIn === undefined ? "" : `, ${dates} AS dates`}`;
	const spans = windows.map((window) => splitAtQuarters(window));
	const states = spans.flatMap(({ state }, i) => (state ? [{ ...quartersIn(params, state), bit: 2 ** i }] : []));
	if (states.length > 0) {
		const bits = states.map(({ days, quarters, bit }) => `if(${days} AND ${quarters} != 0, ${bit}, 0)`).join(" + ");
		const own = states.find(({ bit }) => bit === 1);
		const none = "emptyArrayDate()";
		const dates =
			own && datesIn !== undefined ? `if(${own.days}, ${localDays(params, datesIn, own.quarters)}, ${none})` : none;
		const anyDay = states.map(({ days }) => `(${days})`).join(" OR ");
		parts.push(`${columns(bits, dates)} ${from("user_days", anyDay)}`);
	}
	for (const [i, { raw }] of spans.entries()) {
		const dates =
			i === 0 && datesIn !== undefined ? `[toDate(ts, ${params.add("String", datesIn)})]` : "emptyArrayDate()";
		for (const { start, end } of raw) {
			parts.push(
				`${columns(String(2 ** i), dates)} ${from("events", `${between(params, "ts", start, end)} AND ${MAKES_ACTIVE}`)}`,
			);
		}
	}
	if (parts.length === 0) parts.push(`SELECT toUInt64(0) AS person, toUInt16(0) AS w, emptyArrayDate() AS dates`);
	const all = datesIn === undefined ? "" : ", groupUniqArrayArray(one.dates) AS dates";
	return `(SELECT person, groupBitOr(one.w) AS w${all} FROM (${parts.join(" UNION ALL ")}) AS one WHERE one.w != 0 GROUP BY person)`;
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

/** The dates in the zone of the quarters of a UTC `day`. @param quarters their bits */
export function localDays(params: Params, timezone: string, quarters = "quarters"): string {
	if (timezone === "UTC") return "[day]";
	const date = `toDate(toDateTime(toUInt32(day) * 86400 + quarter * 900, 'UTC'), ${params.add("String", timezone)})`;
	return `arrayDistinct(arrayMap(quarter -> ${date}, bitPositionsToArray(${quarters})))`;
}
