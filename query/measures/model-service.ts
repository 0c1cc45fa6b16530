/** The language model backend as it is: what answers, and how fast. */
import { at, between } from "../plan/scan.ts";
import { from, Params, type Question } from "../sql.ts";
import type { Scope } from "./scope.ts";

const DAY_MS = 86_400_000;

export interface ModelService {
	/** Of the latest successful request in a day. */
	readonly model: string | null;
	/** Mean over the last five minutes without timeouts and cancelled calls, milliseconds. */
	readonly latency_ms: number | null;
}

const RECENT_MS = 300_000;

/** The language model backend at the end of the scope. */
export function modelService(scope: Scope): Question<ModelService> {
	const params = new Params();
	return {
		name: "model_service",
		params,
		sql: `SELECT argMaxIf(model, (ts, id), outcome = 'success' AND model != '') AS latest,
	avgIf(timed_ms, ts >= ${at(params, scope.end - RECENT_MS)}) AS latency_ms
${from("model_calls", between(params, "ts", scope.end - DAY_MS, scope.end))}`,
		read: ([row]) => ({
			model: (row?.latest as string | undefined) || null,
			latency_ms: (row?.latency_ms as number | null | undefined) ?? null,
		}),
	};
}
