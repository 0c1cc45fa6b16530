import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import { USAGE_TIMEFRAMES, type UsageAnswer, usageAnswer, usageQuery } from "../../schema/wire/index.ts";
import { OF_USERS } from "../common/usage.ts";
import { type BreakdownValue, breakdown, type Dimension } from "../measures/breakdown.ts";
import { API_EVENT, eventCounts } from "../measures/counts.ts";
import { identification } from "../measures/identification.ts";
import { MODEL_EVENT } from "../measures/models.ts";
import { meanDuration_s, SESSION_METHODS, sessionTotals } from "../measures/sessions.ts";
import { signals } from "../measures/signals.ts";
import { HTTP, HTTP_NAMES, totalOf, traffic } from "../measures/traffic.ts";
import { distinctUsers, hasUsers } from "../measures/users.ts";
import { type Needs, withMeta } from "../meta.ts";
import { quotient } from "../quotient.ts";
import { decimals, largestRemainder, ratio } from "../rounding.ts";
import { type Asking, listOf, read } from "../route.ts";
import { resolveWindow } from "../time/window.ts";

const MAX_DIMENSIONS = 10;

const NEEDS: Needs = {
	total_api_calls: [`metric ${HTTP}`, `event ${API_EVENT}`],
	unique_users: OF_USERS,
	avg_session_duration: OF_USERS,
	single_event_share: OF_USERS,
};

/** `GET /v1/monitoring/usage` */
export const usageRead = read({
	path: "/v1/monitoring/usage",
	summary: "API calls, users and sessions, by any attribute",
	query: usageQuery,
	answer: usageAnswer,
	needs: NEEDS,
	ask: usage,
});

async function usage({ asker, now, reach }: Asking, query: z.infer<typeof usageQuery>): Promise<UsageAnswer> {
	const window = resolveWindow(query, { timeframes: USAGE_TIMEFRAMES, defaultTimeframe: "24h", now });
	const attributes = attributesOf(query.breakdown_by);
	const { as_of } = window;
	const [sent, known, counts] = await Promise.all([
		asker.ask(signals(as_of)),
		asker.ask(identification(as_of)),
		asker.ask(eventCounts(window, [API_EVENT, MODEL_EVENT])),
	]);
	const byHttp = sent.hasMetric(...HTTP_NAMES);
	const dimensions = attributes.map((attribute) => ({ attribute, calls: callsOf(attribute, counts) }));
	const scope = { ...window, unlinked: known.unlinked };
	const [requests, users, anybody, sessions, values] = await Promise.all([
		byHttp ? asker.ask(traffic({ start: window.start, end: window.end, now, reach })) : undefined,
		asker.ask(distinctUsers(scope)),
		asker.ask(hasUsers(as_of)),
		asker.ask(sessionTotals(scope, known.sessions)),
		dimensions.length > 0 ? asker.ask(breakdown(scope, dimensions)) : new Map<string, BreakdownValue[]>(),
	]);
	const api = sent.hasEvent(API_EVENT) ? (counts.get(API_EVENT) ?? 0) : null;
	const answer = {
		timeframe: window.timeframe,
		total_api_calls: requests ? totalOf(requests.values()).requests : api,
		unique_users: anybody ? users : null,
		avg_session_duration: decimals(meanDuration_s(sessions), 1),
		single_event_share: ratio(quotient(sessions.single, sessions.sessions)),
		...(dimensions.length === 0
			? {}
			: {
					breakdown: Object.fromEntries(
						dimensions.map((dimension) => [
							dimension.attribute,
							membersOf(dimension, values.get(dimension.attribute) ?? [], users),
						]),
					),
				}),
	};
	const { meta, ...rest } = withMeta(
		answer,
		{
			window,
			data_through: sent.dataThrough("metric", "event"),
			methods: {
				total_api_calls: byHttp ? `metric ${HTTP}` : `event ${API_EVENT}`,
				avg_session_duration: SESSION_METHODS[known.sessions],
				...Object.fromEntries(
					dimensions.map(({ attribute, calls }) => [`breakdown.${attribute}`, calls ? `event ${calls}` : "users only"]),
				),
			},
		},
		{ needs: NEEDS, sent },
	);
	return { ...rest, meta: { ...meta, missing: [...meta.missing, ...missingDimensions(dimensions, values)] } };
}

function attributesOf(text: string | undefined): string[] {
	const attributes = [...new Set(listOf(text))];
	if (attributes.length <= MAX_DIMENSIONS) return attributes;
	throw badParameter({
		parameter: "breakdown_by",
		provided: text,
		valid_options: [],
		reason: `At most ${MAX_DIMENSIONS} attributes are answered at once`,
	});
}

/** The event that is an API call in this dimension. */
function callsOf(attribute: string, counts: ReadonlyMap<string, number>): string | undefined {
	if ((counts.get(API_EVENT) ?? 0) > 0) return API_EVENT;
	return attribute === "model" && (counts.get(MODEL_EVENT) ?? 0) > 0 ? MODEL_EVENT : undefined;
}

function membersOf({ calls }: Dimension, values: readonly BreakdownValue[], users: number) {
	const byCalls = largestRemainder(
		values.map((value) => value.calls),
		1,
		4,
	);
	return values.map((value, i) => ({
		value: value.kind === "value" ? value.value : value.kind,
		api_calls: calls === undefined ? null : value.calls,
		unique_users: value.users,
		share: calls === undefined ? ratio(quotient(value.users, users)) : byCalls[i]!,
	}));
}

/** Their names may have dots in them, so they are no paths. */
function missingDimensions(dimensions: readonly Dimension[], values: ReadonlyMap<string, BreakdownValue[]>) {
	const needs = `event ${API_EVENT} or event ${MODEL_EVENT}`;
	return dimensions.flatMap(({ attribute, calls }) => {
		if (!values.has(attribute)) return [{ field: `breakdown.${attribute}`, needs: `${needs} with ${attribute}` }];
		return calls === undefined
			? [{ field: `breakdown.${attribute}[].api_calls`, needs: `event ${API_EVENT} with ${attribute}` }]
			: [];
	});
}
