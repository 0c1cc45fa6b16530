/** How many subscribe, what they pay a month, and how that changes. */
import { Params, type Question, type Row } from "../sql.ts";
import type { Span } from "../time/period.ts";
import { episodes, FLIPS, losses, paysAt } from "./episodes.ts";
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

/** The subscriptions of a project over spans; `money.end` is the end of the last. */
export function subscriptions(money: Money, spans: readonly Span[]): Question<Subscriptions> {
	const params = new Params();
	const ms = (value: number) => params.add("Int64", value);
	const ofCustomer: string[] = [];
	const total: string[] = [];
	for (const [i, { start, end }] of spans.entries()) {
		const [s, e] = [ms(start), ms(end)];
		const inside = `at >= ${s} AND at < ${e}`;
		for (const [name, value] of Object.entries({
			[`mrr_start_${i}`]: `sumIf(monthly, ${paysAt(s)})`,
			[`mrr_end_${i}`]: `sumIf(monthly, ${paysAt(e)})`,
			[`active_start_${i}`]: `countIf(${paysAt(s)})`,
			[`active_end_${i}`]: `countIf(${paysAt(e)})`,
			...Object.fromEntries(
				Object.entries(MOVEMENTS).flatMap(([movement, { when, amount }]) => [
					[`${movement}_mrr_${i}`, `sumIf(${amount}, ${inside} AND ${when})`],
					[`${movement}_n_${i}`, `countIf(${inside} AND ${when})`],
				]),
			),
		})) {
			ofCustomer.push(`${value} AS c_${name}`);
			total.push(`sum(c_${name}) AS ${name}`);
		}
		total.push(
			`countIf(c_active_start_${i} > 0) AS customers_start_${i}`,
			`countIf(c_active_end_${i} > 0) AS customers_end_${i}`,
			`sum(${losses(s, e)}) AS customers_lost_${i}`,
			`countIf(first_started >= ${s} AND first_started < ${e}) AS customers_new_${i}`,
		);
	}
	const last = ms(money.end);
	return {
		name: "subscriptions",
		params,
		sql: `SELECT ${total.join(",\n\t")},
	sumMap(c_by_plan) AS by_plan, sum(c_unpriced) AS unpriced, groupUniqArrayArray(10)(c_unrated) AS unrated
FROM (
	SELECT customer, ${FLIPS}, min(started) AS first_started,
	${ofCustomer.join(",\n\t")},
	sumMapIf(map(if(plan = '', 'unknown', plan), toUInt64(1)), ${paysAt(last)}) AS c_by_plan,
	countIf(${paysAt(last)} AND NOT priced) AS c_unpriced,
	groupUniqArrayIf(10)(unit, isNaN(monthly)) AS c_unrated
	FROM ${episodes(params, money)}
	GROUP BY customer
)`,
		read: ([row]) => readSubscriptions(row ?? {}, spans.length),
	};
}

function readSubscriptions(row: Row, spans: number): Subscriptions {
	const number = (name: string) => (row[name] as number | null | undefined) ?? 0;
	// NaN, which stands for "no rate", is null in JSON.
	const money = (name: string) => (row[name] === undefined ? 0 : (row[name] as number | null));
	return {
		spans: Array.from({ length: spans }, (_, i) => ({
			mrr_start: money(`mrr_start_${i}`),
			mrr_end: money(`mrr_end_${i}`),
			active_start: number(`active_start_${i}`),
			active_end: number(`active_end_${i}`),
			new_mrr: money(`new_mrr_${i}`),
			expansion_mrr: money(`expansion_mrr_${i}`),
			contraction_mrr: money(`contraction_mrr_${i}`),
			churned_mrr: money(`churned_mrr_${i}`),
			reactivation_mrr: money(`reactivation_mrr_${i}`),
			new: number(`new_n_${i}`),
			churned: number(`churned_n_${i}`),
			reactivated: number(`reactivation_n_${i}`),
			customers_start: number(`customers_start_${i}`),
			customers_end: number(`customers_end_${i}`),
			customers_lost: number(`customers_lost_${i}`),
			customers_new: number(`customers_new_${i}`),
		})),
		by_plan: (row.by_plan as Record<string, number> | undefined) ?? {},
		unpriced: number("unpriced"),
		unrated: (row.unrated as string[] | undefined) ?? [],
	};
}

/** What a change of a subscription is, and what it moves. Each is one of them, so that they add up to the change. */
const MOVEMENTS: Readonly<Record<string, { readonly when: string; readonly amount: string }>> = {
	new: { when: "paying AND NOT was_paying AND NOT returns", amount: "monthly" },
	reactivation: { when: "paying AND NOT was_paying AND returns", amount: "monthly" },
	// Not `>`: what has no rate is neither more nor less, and belongs to both, which makes both unknown.
	expansion: { when: "paying AND was_paying AND NOT monthly <= was_monthly", amount: "monthly - was_monthly" },
	contraction: { when: "paying AND was_paying AND NOT monthly >= was_monthly", amount: "was_monthly - monthly" },
	churned: { when: "NOT paying AND was_paying", amount: "was_monthly" },
};
