/** Support tickets. */
import { between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { RATING } from "./ratings.ts";

export const TICKET_OPENED = "ticket.opened";
export const TICKET_FIRST_RESPONSE = "ticket.first_response";
export const TICKET_ESCALATED = "ticket.escalated";
export const TICKET_RESOLVED = "ticket.resolved";
const TICKET_REOPENED = "ticket.reopened";
export const TICKET_RATED = "ticket.rated";

/** Which ticket an event is about; one that does not say so is about a ticket of its own. */
const TICKET = `multiIf(strings['ticket_id'] != '', strings['ticket_id'],
	mapContains(numbers, 'ticket_id'), toString(numbers['ticket_id']), concat(char(0), toString(id)))`;
const all = (...names: readonly string[]) => `event IN (${names.map((name) => `'${name}'`).join(", ")})`;
/** The latest word on a ticket counts: reopened, it is not resolved until it is again. */
const RESOLVED = `maxIf(ts, event = '${TICKET_RESOLVED}') > maxIf(ts, event = '${TICKET_REOPENED}')`;

/** Tickets opened in each span. */
export function ticketsOpened(spans: readonly Span[]): Question<number[]> {
	const params = new Params();
	const inside = spans.map(({ start, end }) => between(params, "ts", start, end));
	return {
		name: "tickets_opened",
		params,
		sql: `SELECT ${inside.map((predicate, i) => `uniqExactIf(${TICKET}, ${predicate}) AS opened_${i}`).join(", ")}
${from("events", `event = '${TICKET_OPENED}' AND (${inside.map((predicate) => `(${predicate})`).join(" OR ")})`)}`,
		read: ([row]) => spans.map((_, i) => (row?.[`opened_${i}`] as number | undefined) ?? 0),
	};
}

export interface Support {
	readonly opened: number;
	/** From opening to the first response, of the tickets that have one. */
	readonly response_hours: number | null;
	/** Of the tickets opened. */
	readonly resolved: number;
	readonly escalated: number;
	/** Mean, 1 to 5, of the ratings given in the span. */
	readonly satisfaction: number | null;
}

/** The tickets that were opened in a span, by what was known of them at its end. */
export function support(span: Span): Question<Support> {
	const params = new Params();
	const known = between(params, "ts", 0, span.end);
	const events = all(TICKET_OPENED, TICKET_FIRST_RESPONSE, TICKET_ESCALATED, TICKET_RESOLVED, TICKET_REOPENED);
	return {
		name: "support",
		params,
		sql: `SELECT count() AS opened, avgIf(greatest(answered - opened_at, 0), answered > 0) / 3600000 AS response_hours,
	countIf(is_resolved) AS resolved, countIf(is_escalated) AS escalated,
	(SELECT avg(${RATING}) ${from("events", `event = '${TICKET_RATED}' AND ${between(params, "ts", span.start, span.end)}`)}) AS satisfaction
FROM (
	SELECT ${TICKET} AS ticket, minIf(ts, event = '${TICKET_OPENED}') AS first_opened,
		toUnixTimestamp64Milli(first_opened) AS opened_at,
		toUnixTimestamp64Milli(minIf(ts, event = '${TICKET_FIRST_RESPONSE}')) AS answered,
		${RESOLVED} AS is_resolved, countIf(event = '${TICKET_ESCALATED}') > 0 AS is_escalated
	${from("events", `${events} AND ${known}`)}
	GROUP BY ticket
	HAVING countIf(event = '${TICKET_OPENED}') > 0 AND ${between(params, "first_opened", span.start, span.end)}
)`,
		read: ([row]) => ({
			opened: (row?.opened as number | undefined) ?? 0,
			response_hours: (row?.response_hours as number | null | undefined) ?? null,
			resolved: (row?.resolved as number | undefined) ?? 0,
			escalated: (row?.escalated as number | undefined) ?? 0,
			satisfaction: (row?.satisfaction as number | null | undefined) ?? null,
		}),
	};
}

/** Accounts with a ticket that was escalated and is not resolved at an instant. @param end milliseconds since the epoch */
export function openEscalations(end: number): Question<Set<string>> {
	const params = new Params();
	return {
		name: "open_escalations",
		params,
		sql: `SELECT DISTINCT account FROM (
	SELECT ${TICKET} AS ticket, argMaxIf(account_id, ts, account_id != '') AS account
	${from("events", `${all(TICKET_ESCALATED, TICKET_RESOLVED, TICKET_REOPENED)} AND ${between(params, "ts", 0, end)}`)}
	GROUP BY ticket
	HAVING countIf(event = '${TICKET_ESCALATED}') > 0 AND NOT (${RESOLVED}) AND account != ''
)`,
		read: (rows) => new Set(rows.map((row) => row.account as string)),
	};
}
