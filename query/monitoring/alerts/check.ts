/** Whether a rule can be evaluated: its names are those of something, and what it asks of them can be answered. */
import { badParameter } from "../../../http/errors.ts";
import { acceptedNames, FAMILIES, recordKey } from "../../../schema/conventions/index.ts";
import type { AlertRule, Condition, Leaf } from "../../../schema/wire/index.ts";
import { LogQueryError } from "../../logs/lexer.ts";
import { parse } from "../../logs/parser.ts";
import { MEASURES } from "../../measures/alerting/catalogue.ts";
import { kpiIdOf } from "../../measures/alerting/values.ts";
import type { Signals } from "../../measures/signals.ts";
import { nearMatches } from "../../near.ts";

/** How often something happened. */
const COUNTS: readonly string[] = ["count", "sum", "rate", "per_minute"];

export interface Known {
	readonly sent: Signals;
	/** Ids of the project's KPIs. */
	readonly kpis: readonly string[];
}

type CheckedRule = Pick<AlertRule, "conditions" | "group_by" | "allow_unknown">;

/** @throws ApiError 400 that names the member */
export function checkRule(rule: CheckedRule, known: Known): void {
	for (const [path, leaf] of leavesWithPath(rule.conditions, "conditions")) checkLeaf(path, leaf, rule, known);
}

function leavesWithPath(conditions: readonly Condition[], path: string): (readonly [string, Leaf])[] {
	return conditions.flatMap((one, i) =>
		one.type === "compound"
			? leavesWithPath(one.sub_conditions, `${path}.${i}.sub_conditions`)
			: [[`${path}.${i}`, one] as const],
	);
}

function checkLeaf(path: string, leaf: Leaf, rule: CheckedRule, known: Known): void {
	const { metric } = leaf;
	if (metric === "logs") {
		checkLogQuery(`${path}.query`, leaf.query ?? "");
		checkAggregation(path, leaf, COUNTS);
		return;
	}
	if (metric === "events") {
		const names = [...known.sent.names("event"), ...CONVENTIONS.event];
		if (!rule.allow_unknown) checkName(`${path}.event`, "event", leaf.event!, names, names);
		checkAggregation(path, leaf, COUNTS);
		return;
	}
	const kpi = kpiIdOf(metric);
	if (kpi !== undefined) {
		if (!known.kpis.includes(kpi))
			throw unknownName(
				`${path}.metric`,
				"KPI",
				metric,
				known.kpis.map((id) => `kpi:${id}`),
			);
		checkAggregation(path, leaf, []);
		return;
	}
	const measure = MEASURES.get(metric);
	if (measure) {
		checkAggregation(path, leaf, measure.aggregations);
		if (leaf.type === "anomaly_detection" && measure.atMost !== undefined) {
			const usable = [...MEASURES].filter(([, { atMost }]) => atMost === undefined).map(([name]) => name);
			const reason = `${metric} is known instant by instant: weeks of it are too many to learn from`;
			throw badParameter({ parameter: `${path}.metric`, provided: metric, valid_options: usable, reason });
		}
		if (measure.members !== "any") {
			checkMembers("group_by", rule.group_by, metric, measure.members);
			checkMembers(`${path}.filter`, Object.keys(leaf.filter ?? {}), metric, measure.members);
		}
		return;
	}
	const sent = known.sent.names("metric");
	if (rule.allow_unknown) return;
	checkName(
		`${path}.metric`,
		"metric",
		metric,
		[...sent, ...CONVENTIONS.metric],
		[...MEASURES.keys(), "logs", "events", ...sent],
	);
}

/** Records with a meaning may come any time. */
const CONVENTIONS = { metric: conventional("metric"), event: conventional("event") } as const;

function conventional(signal: "metric" | "event"): string[] {
	return FAMILIES.flatMap(({ records }) => records)
		.filter((record) => record.signal === signal)
		.flatMap((record) => [record.name, ...acceptedNames(recordKey(record))]);
}

function checkLogQuery(parameter: string, query: string): void {
	try {
		parse(query);
	} catch (error) {
		if (!(error instanceof LogQueryError)) throw error;
		throw badParameter({
			parameter,
			provided: query,
			valid_options: [],
			reason: error.message,
			position: error.position,
		});
	}
}

function checkAggregation(path: string, { aggregation }: Leaf, valid_options: readonly string[]): void {
	if (aggregation === undefined || valid_options.includes(aggregation)) return;
	throw badParameter({ parameter: `${path}.aggregation`, provided: aggregation, valid_options });
}

function checkMembers(
	parameter: string,
	asked: readonly string[],
	metric: string,
	valid_options: readonly string[],
): void {
	const unknown = asked.find((name) => !valid_options.includes(name));
	if (unknown === undefined) return;
	const reason = `${metric} is not told apart by ${unknown}`;
	throw badParameter({ parameter, provided: unknown, valid_options, reason });
}

function checkName(
	parameter: string,
	kind: string,
	name: string,
	known: readonly string[],
	near: readonly string[],
): void {
	if (!known.includes(name)) throw unknownName(parameter, kind, name, near);
}

function unknownName(parameter: string, kind: string, name: string, near: readonly string[]) {
	return badParameter({
		...{ parameter, provided: name, valid_options: nearMatches(name, [...new Set(near)]) },
		message: `Unknown ${kind} ${name}`,
		reason: `No ${kind} of this name is known; valid_options are the nearest. "allow_unknown": true accepts one that is still to come`,
	});
}
