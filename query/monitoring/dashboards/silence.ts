/** What a window without a value stands for: 0 where something would have been heard, else unknown. The rules of the routes. */

import { MEASURES } from "../../measures/alerting/catalogue.ts";
import type { MeasuredPoints } from "../../measures/alerting/values.ts";
import { ALL, type Filter } from "../../measures/among.ts";
import { CPU, utilizationAmong } from "../../measures/hosts.ts";
import { MODEL_EVENT } from "../../measures/models.ts";
import type { Scope } from "../../measures/scope.ts";
import { HTTP_NAMES, traffic } from "../../measures/traffic.ts";
import { hasUsers } from "../../measures/users.ts";
import { type Frame, requestCount } from "../../points.ts";
import type { BoardAsking, BoundQuery } from "./values.ts";

type Silence = (frame: Pick<Frame, "t" | "end_ms" | "over">) => number | null;

const UNKNOWN: Silence = () => null;

/** @param frames absent: the scope is one window */
export async function silenceOf(
	asking: BoardAsking,
	query: BoundQuery,
	groupBy: readonly string[],
	scope: Scope,
	{ points, missing }: MeasuredPoints,
	frames?: readonly Frame[],
): Promise<Silence> {
	if (missing) return ({ end_ms }) => missing(end_ms / 1_000);
	const { sent } = asking;
	switch (MEASURES.get(query.metric)?.silence) {
		case "requests":
			return requestsUnheard(asking, isPart(groupBy, query.filter), scope, points, frames);
		case "users": {
			if (!frames) return (await asking.ask(hasUsers(scope.as_of ?? scope.end))) ? () => 0 : UNKNOWN;
			return points.length > 0 ? ({ over }) => (over ? 0 : null) : UNKNOWN;
		}
		case "events": {
			const first = sent.get("event", MODEL_EVENT)?.first_seen ?? Number.POSITIVE_INFINITY;
			return ({ end_ms }) => (first < end_ms ? 0 : null);
		}
		default:
			return UNKNOWN;
	}
}

function isPart(groupBy: readonly string[], filter: Filter | undefined): boolean {
	return groupBy.length > 0 || Object.keys(filter ?? {}).length > 0;
}

/** A part of the requests had none wherever all of them are known. */
async function requestsUnheard(
	asking: BoardAsking,
	isPartOfAll: boolean,
	scope: Scope,
	points: MeasuredPoints["points"],
	frames: readonly Frame[] | undefined,
): Promise<Silence> {
	const { sent } = asking;
	if (!frames) return sent.hasMetric(...HTTP_NAMES) ? () => 0 : UNKNOWN;
	const all = isPartOfAll
		? await asking.ask(traffic(scope))
		: new Map(points.map(({ t, value }) => [t, { requests: value ?? 0 }]));
	const isQuiet = frames.some(({ t }) => !all.has(t));
	const hosts = isQuiet ? (await asking.ask(utilizationAmong(scope, ALL)))[CPU] : undefined;
	const heard = hosts && new Map(hosts.map((one) => [one.t, one]));
	const byTime = new Map(frames.map((frame) => [frame.t, frame]));
	return ({ t }) => (requestCount(byTime.get(t)!, all, sent, heard) === null ? null : 0);
}
