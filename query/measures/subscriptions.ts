/** How many subscribe, what they pay a month, and how that changes. */
import { Params, type Question } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { episodes, GAINED, LOST, MET } from "./episodes.ts";
import type { Money } from "./money.ts";

/** How recurring revenue got from one instant to another: `new + expansion − contraction − churned + reactivation` is the change. */
export interface Movements {
	/** Of subscriptions that pay for the first time. */
	readonly new_mrr: number | null;
	readonly expansion_mrr: number | null;
	/** Not negative, as churned. */
	readonly contraction_mrr: number | null;
	readonly churned_mrr: number | null;
	/** Of subscriptions that paid before and did not any more. */
	readonly reactivation_mrr: number | null;
}

export interface Subscribed extends Movements {
	/** A month, when the span begins and when it ends; null when an amount is in a currency without a rate. */
	readonly mrr_start: number | null;
	readonly mrr_end: number | null;
	/** Paying subscriptions. */
	readonly active_start: number;
	readonly active_end: number;
	readonly new: number;
	readonly churned: number;
	readonly reactivated: number;
	/** Paying accounts; a subscription without an account is one of its own. */
	readonly customers_start: number;
	readonly customers_end: number;
	/** Times that an account's last paying subscription ended. */
	readonly customers_lost: number;
	/** Accounts whose first `subscription.started` lies in the span. */
	readonly customers_new: number;
}

export interface Subscriptions {
	/** In the order of the spans asked for. */
	readonly spans: readonly Subscribed[];
	/** Paying subscriptions by plan at the end of the last span; `unknown` for those without one. */
	readonly by_plan: Readonly<Record<string, number>>;
	/** Paying subscriptions at the end of the last span whose amount or interval says nothing; they count as 0. */
	readonly unpriced: number;
	/** Currencies without a rate that stand in the way of an amount. */
	readonly unrated: readonly string[];
}

const STATE = ["at", "until", "paying", "monthly", "plan", "unit", "priced", "starts"] as const;
const BEFORE = ["was_paying", "was_monthly", "returns"] as const;

/** The subscriptions of a project over spans; `money.end` is the end of the last. */
export function subscriptions(money: Money, spans: readonly Span[]): Question<Subscriptions> {
	const params = new Params();
	const bounds = [...new Set([...spans.flatMap(({ start, end }) => [start, end]), money.end])].sort((a, b) => a - b);
	const passed = (instant: string) =>
		bounds.map((bound) => `(${instant} >= ${params.add("Int64", bound)})`).join(" + ");
	return {
		name: "subscriptions",
		params,
		// States that lie alike between the bounds are summed up together: spans share them, and a sum under conditions costs more.
		sql: `SELECT plan, paying, was_paying, returns, ${passed("at")} AS since, ${passed("until")} AS through,
	sign(monthly - was_monthly) AS direction, count() AS states, sum(monthly) AS amount, sum(was_monthly) AS amount_before,
	sum(monthly - was_monthly) AS difference, countIf(NOT priced) AS unpriced, groupUniqArrayIf(10)(unit, isNaN(monthly)) AS unrated,
	countIf(${GAINED}) AS gained, countIf(${LOST}) AS lost, countIf(${MET}) AS met
FROM ${episodes(params, money, [...STATE, ...BEFORE])}
GROUP BY ALL`,
		read: (rows) => {
			const groups = rows as unknown as readonly Group[];
			const place = (bound: number) => bounds.indexOf(bound);
			const ending = groups.filter((group) => paysBefore(group, place(money.end)));
			const byPlan = new Map<string, number>();
			for (const { plan, states } of ending)
				byPlan.set(plan || "unknown", (byPlan.get(plan || "unknown") ?? 0) + states);
			return {
				spans: spans.map(({ start, end }) => subscribed(groups, place(start), place(end))),
				by_plan: Object.fromEntries([...byPlan].sort(([a], [b]) => (a < b ? -1 : 1))),
				unpriced: sum(ending, ({ unpriced }) => unpriced),
				unrated: [...new Set(groups.flatMap(({ unrated }) => unrated))].slice(0, 10),
			};
		},
	};
}

/** States that differ in nothing that is asked. An amount is null when one of theirs is in a currency without a rate. */
interface Group {
	readonly plan: string;
	readonly paying: 0 | 1;
	readonly was_paying: 0 | 1;
	readonly returns: 0 | 1;
	/** How many of the bounds they begin, and end, at or after. */
	readonly since: number;
	readonly through: number;
	/** Whether it is more or less than before; 0 is neither, or unknown. */
	readonly direction: -1 | 0 | 1 | null;
	readonly states: number;
	readonly amount: number | null;
	readonly amount_before: number | null;
	readonly difference: number | null;
	readonly unpriced: number;
	readonly unrated: readonly string[];
	readonly gained: number;
	readonly lost: number;
	readonly met: number;
}

/** Whether they are the ones just before a bound, and pay. */
function paysBefore({ paying, since, through }: Group, bound: number): boolean {
	return paying === 1 && since <= bound && through > bound;
}

/** What a change is: each is one, so that they add up. */
function movementOf({ paying, was_paying, returns, direction }: Group) {
	if (paying && !was_paying) return returns ? "reactivation" : "new";
	if (was_paying && !paying) return "churned";
	if (!paying) return "none";
	// Without a rate it is neither more nor less, and makes both unknown.
	return direction === 1 ? "expansion" : direction === -1 ? "contraction" : "either";
}

/** @param start position of the bound that the span begins at */
function subscribed(groups: readonly Group[], start: number, end: number): Subscribed {
	const [first, last] = [start, end].map((bound) => groups.filter((group) => paysBefore(group, bound)));
	const changed = groups.filter(({ since }) => since > start && since <= end);
	const moved = (...kinds: readonly ReturnType<typeof movementOf>[]) =>
		changed.filter((group) => kinds.includes(movementOf(group)));
	const customersBefore = (bound: number) =>
		sum(groups, ({ since, gained, lost }) => (since <= bound ? gained - lost : 0));
	const customers_start = customersBefore(start);
	const states = ({ states }: Group) => states;
	return {
		mrr_start: amount(first!, (group) => group.amount),
		mrr_end: amount(last!, (group) => group.amount),
		active_start: sum(first!, states),
		active_end: sum(last!, states),
		new_mrr: amount(moved("new"), (group) => group.amount),
		expansion_mrr: amount(moved("expansion", "either"), (group) => group.difference),
		contraction_mrr: amount(moved("contraction", "either"), ({ difference }) => difference && -difference),
		churned_mrr: amount(moved("churned"), (group) => group.amount_before),
		reactivation_mrr: amount(moved("reactivation"), (group) => group.amount),
		new: sum(moved("new"), states),
		churned: sum(moved("churned"), states),
		reactivated: sum(moved("reactivation"), states),
		customers_start,
		customers_end: customersBefore(end),
		customers_lost: sum(changed, ({ lost }) => lost),
		customers_new: sum(changed, ({ met }) => met),
	};
}

function sum(groups: readonly Group[], of: (group: Group) => number): number {
	return groups.reduce((total, group) => total + of(group), 0);
}

/** Null when one is. */
function amount(groups: readonly Group[], of: (group: Group) => number | null): number | null {
	return groups.reduce<number | null>((total, group) => {
		const value = of(group);
		return total === null || value === null ? null : total + value;
	}, 0);
}
