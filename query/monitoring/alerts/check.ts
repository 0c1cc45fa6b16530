/** Whether a rule can be evaluated: its names are those of something, and what it asks of them can be answered. */
import { badParameter } from "../../../http/errors.ts";
import { acceptedNames, FAMILIES, recordKey } from "../../../schema/conventions/index.ts";
import type { AlertRule, Condition, Leaf } from "../../../schema/wire/index.ts";
import { LogQueryError } from "../../logs/lexer.ts";
import { parse } from "../../logs/parser.ts";
import { MEASURES } from "../../measures/alerting/catalogue.ts";
import { kpiIdOf, type Measured } from "../../measures/alerting/values.ts";
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
	checkMeasured(
		path,
		leaf,
		{ groupBy: rule.group_by, groupPath: "group_by", allow_unknown: rule.allow_unknown },
		known,
	);
	if (leaf.type !== "anomaly_detection" || MEASURES.get(leaf.metric)?.atMost === undefined) return;
	const usable = [...MEASURES].filter(([, { atMost }]) => atMost === undefined).map(([name]) => name);
	const reason = `${leaf.metric} is known instant by instant: weeks of it are too many to learn from`;
	throw badParameter({ parameter: `${path}.metric`, provided: leaf.metric, valid_options: usable, reason });
}

/** What surrounds something measured: what tells it apart, and whether its name must be known. */
export interface Around {
	readonly groupBy: readonly string[];
	/** Where `groupBy` stands. */
	readonly groupPath: string;
	readonly allow_unknown: boolean;
}

/** Whether something that is measured has a name and can be asked what is asked of it. @throws ApiError 400 that names the member */
export function checkMeasured(path: string, measured: Measured, around: Around, known: Known): void {
	const { metric } = measured;
	const at = (member: string) => (path === "" ? member : `${path}.${member}`);
	if (metric === "logs") {
		checkLogQuery(at("query"), measured.query ?? "");
		checkAggregation(at("aggregation"), measured, COUNTS);
		return;
	}
	if (metric === "events") {
		const names = [...known.sent.names("event"), ...CONVENTIONS.event];
		if (!around.allow_unknown) checkName(at("event"), "event", measured.event!, names, names);
		checkAggregation(at("aggregation"), measured, COUNTS);
		return;
	}
	const kpi = kpiIdOf(metric);
	if (kpi !== undefined) {
		const ids = known.kpis.map((id) => `kpi:${id}`);
		if (!known.kpis.includes(kpi)) throw unknownName(at("metric"), "KPI", metric, ids);
		checkAggregation(at("aggregation"), measured, []);
		return;
	}
	const measure = MEASURES.get(metric);
	if (measure) {
		checkAggregation(at("aggregation"), measured, measure.aggregations);
		if (measure.members !== "any") {
			checkMembers(around.groupPath, around.groupBy, metric, measure.members);
			checkMembers(at("filter"), Object.keys(measured.filter ?? {}), metric, measure.members);
		}
		return;
	}
	const sent = known.sent.names("metric");
	if (around.allow_unknown) return;
	const near = [...MEASURES.keys(), "logs", "events", ...sent];
	checkName(at("metric"), "metric", metric, [...sent, ...CONVENTIONS.metric], near);
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

function checkAggregation(parameter: string, { aggregation }: Measured, valid_options: readonly string[]): void {
	if (aggregation === undefined || valid_options.includes(aggregation)) return;
	throw badParameter({ parameter, provided: aggregation, valid_options });
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
