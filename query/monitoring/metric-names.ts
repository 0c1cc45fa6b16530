import { badParameter } from "../../http/errors.ts";
import { BUILT_IN_METRICS, type BuiltInMetric } from "../../schema/wire/index.ts";
import { AGGREGATIONS, type Aggregation } from "../measures/custom.ts";
import type { Signals } from "../measures/signals.ts";
import { nearMatches } from "../near.ts";

/** Every ingested metric is a question of its own. */
const MAX_METRICS = 50;

/** A metric of a request that is not one of the document's. */
export interface CustomRequest {
	/** As asked for; the member of the answer. */
	readonly asked: string;
	readonly metric: string;
	/** Absent: the usual one of its kind. */
	readonly aggregation: Aggregation | undefined;
}

export interface RequestedMetrics {
	readonly builtIn: ReadonlySet<BuiltInMetric>;
	readonly custom: readonly CustomRequest[];
}

/**
 * Sorts the names of a request into the document's and ingested ones. None means all of the document's.
 * @throws ApiError 400 with names that are near an unknown one
 */
export function requestedMetrics(names: readonly string[], signals: Signals): RequestedMetrics {
	if (names.length > MAX_METRICS) {
		throw badParameter({
			parameter: "metrics",
			provided: `${names.length} names`,
			valid_options: [`at most ${MAX_METRICS} names`],
		});
	}
	const builtIn = new Set<BuiltInMetric>(names.length === 0 ? BUILT_IN_METRICS : []);
	const custom: CustomRequest[] = [];
	for (const asked of new Set(names)) {
		const known = BUILT_IN_METRICS.find((name) => name === asked);
		if (known !== undefined) builtIn.add(known);
		else custom.push(customRequest(asked, signals));
	}
	return { builtIn, custom };
}

function customRequest(asked: string, signals: Signals): CustomRequest {
	if (signals.hasMetric(asked)) return { asked, metric: asked, aggregation: undefined };
	const colon = asked.lastIndexOf(":");
	const metric = asked.slice(0, colon);
	if (colon > 0 && signals.hasMetric(metric)) {
		const suffix = asked.slice(colon + 1);
		const aggregation = AGGREGATIONS.find((name) => name === suffix);
		if (aggregation !== undefined) return { asked, metric, aggregation };
		throw badParameter({
			parameter: "metrics",
			provided: asked,
			valid_options: AGGREGATIONS.map((name) => `${metric}:${name}`),
			message: `Unknown aggregation ${suffix} of metric ${metric}`,
		});
	}
	const name = colon > 0 && AGGREGATIONS.some((suffix) => suffix === asked.slice(colon + 1)) ? metric : asked;
	const known = [...BUILT_IN_METRICS, ...signals.names("metric")];
	throw badParameter({
		parameter: "metrics",
		provided: asked,
		valid_options: nearMatches(name, known),
		message: `Unknown metric ${name}`,
		reason: "No metric of this name was ever sent; valid_options are the nearest that were",
	});
}
