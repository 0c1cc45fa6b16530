/** How many subscribe, what they pay a month, and how that changes. */
import { TupleParam } from "../../schema/clickhouse.ts";
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

/** What a span's sums are, in their order; the first two of an instant, the others of what changed within. */
const SUMS = [
	...["mrr_start", "mrr_end", "active_start", "active_end"],
	...["new_mrr", "expansion_mrr", "contraction_mrr", "churned_mrr", "reactivation_mrr"],
	...["new", "churned", "reactivated"],
] as const;
const COUNTS = ["customers_start", "customers_end", "customers_lost", "customers_new"] as const;

/** What a change is: each is one, so that they add up. Without a rate it is neither more nor less, and makes both unknown. */
const MOVEMENT = `multiIf(paying AND NOT was_paying, if(returns, 'reactivation', 'new'), was_paying AND NOT paying, 'churned',
		NOT paying OR monthly = was_monthly, '', monthly > was_monthly, 'expansion', monthly < was_monthly, 'contraction', 'unknown')`;

/** The subscriptions of a project over spans; `money.end` is the end of the last. */
export function subscriptions(money: Money, spans: readonly Span[]): Question<Subscriptions> {
	const params = new Params();
	const asked = params.add(
		"Array(Tuple(Int64, Int64))",
		spans.map(({ start, end }) => new TupleParam([start, end])),
	);
	const last = params.add("Int64", money.end);
	const [atStart, atEnd] = [paysAt("span.1"), paysAt("span.2")];
	const amount = (kinds: string, value: string) => `if(movement IN (${kinds}), ${value}, 0.)`;
	const moved = [
		amount("'new'", "monthly"),
		amount("'expansion', 'unknown'", "monthly - was_monthly"),
		amount("'contraction', 'unknown'", "was_monthly - monthly"),
		amount("'churned'", "was_monthly"),
		amount("'reactivation'", "monthly"),
		...["new", "churned", "reactivation"].map((kind) => `toFloat64(movement = '${kind}')`),
	];
	const none = moved.map(() => "0.").join(", ");
	const ofSpan = `arrayConcat(
			[if(${atStart}, monthly, 0.), if(${atEnd}, monthly, 0.), toFloat64(${atStart}), toFloat64(${atEnd})],
			if(at >= span.1 AND at < span.2, [${moved.join(", ")}], [${none}]))`;
	// Positions of active_start and active_end among the sums of a span.
	const active = (i: string, position: number) => `toFloat64(sums[(${i} - 1) * ${SUMS.length} + ${position}] > 0)`;
	return {
		name: "subscriptions",
		params,
		sql: `SELECT sumForEach(sums) AS sums, sumForEach(customers) AS customers,
	sumMap(plans) AS by_plan, sum(no_price) AS unpriced, groupUniqArrayArray(10)(no_rate) AS unrated
FROM (
	SELECT sums, plans, no_price, no_rate, arrayFlatten(arrayMap((span, i) -> [
		${active("i", 3)}, ${active("i", 4)}, toFloat64(${losses("flips", "span.1", "span.2")}),
		toFloat64(first_started >= span.1 AND first_started < span.2)], ${asked}, arrayEnumerate(${asked}))) AS customers
	FROM (
		SELECT customer, ${FLIPS} AS flips, min(started) AS first_started,
			sumForEach(arrayFlatten(arrayMap(span -> ${ofSpan}, ${asked}))) AS sums,
			sumMapIf(map(if(plan = '', 'unknown', plan), toUInt64(1)), ${paysAt(last)}) AS plans,
			countIf(${paysAt(last)} AND NOT priced) AS no_price, groupUniqArrayIf(10)(unit, isNaN(monthly)) AS no_rate
		FROM (SELECT *, ${MOVEMENT} AS movement FROM ${episodes(params, money)})
		GROUP BY customer
	)
)`,
		read: ([row]) => readSubscriptions(row ?? {}, spans.length),
	};
}

function readSubscriptions(row: Row, spans: number): Subscriptions {
	// NaN, which stands for "no rate", is null in JSON. Nothing is 0.
	const listed = (name: string, at: number) => {
		const values = row[name] as (number | null)[] | undefined;
		return values === undefined || values.length === 0 ? 0 : values[at]!;
	};
	const named = (names: readonly string[], from: string, i: number) =>
		Object.fromEntries(names.map((name, k) => [name, listed(from, i * names.length + k)]));
	return {
		spans: Array.from(
			{ length: spans },
			(_, i) => ({ ...named(SUMS, "sums", i), ...named(COUNTS, "customers", i) }) as unknown as Subscribed,
		),
		by_plan: (row.by_plan as Record<string, number> | undefined) ?? {},
		unpriced: (row.unpriced as number | undefined) ?? 0,
		unrated: (row.unrated as string[] | undefined) ?? [],
	};
}
