import type { z } from "zod";
import {
	type AiPerformanceAnswer,
	aiPerformanceAnswer,
	aiPerformanceQuery,
	PERFORMANCE_TIMEFRAMES,
} from "../../schema/wire/index.ts";
import { type ModelGauges, modelGauges, PROCESS_CPU, PROCESS_MEMORY } from "../common/model-gauges.ts";
import {
	MODEL_EVENT,
	type Model,
	type ModelCalls,
	type ModelScope,
	modelCalls,
	modelSource,
} from "../measures/models.ts";
import { FEEDBACK_EVENT, MIN_RATINGS } from "../measures/ratings.ts";
import { signals } from "../measures/signals.ts";
import {
	believed,
	CRITERIA,
	EVALUATION_EVENT,
	mergedVerdicts,
	VERDICT_EVENTS,
	type Verdict,
	type VerdictEvent,
	verdicts,
	verdictsOnCalls,
} from "../measures/verdicts.ts";
import { type NeededRecords, type Needs, withMeta } from "../meta.ts";
import { framesOf, lowSample } from "../points.ts";
import { quotient } from "../quotient.ts";
import { decimals, largestRemainder, milliseconds, whole } from "../rounding.ts";
import { type Asking, read } from "../route.ts";
import type { Asker } from "../run.ts";
import { bucketsOver } from "../time/buckets.ts";
import { type Grid, resolveWindow } from "../time/window.ts";

const carrying = (attribute: string): NeededRecords => ({ any: [`event ${MODEL_EVENT}`], with: attribute });
const judged = (criterion: string): NeededRecords => ({
	any: [`event ${EVALUATION_EVENT}`],
	with: `name ${criterion} and a model`,
});

const NEEDS: Needs = {
	models: `event ${MODEL_EVENT}`,
	"models[].avg_response_time": carrying("latency_ms"),
	"models[].p95_response_time": carrying("latency_ms"),
	"models[].p99_response_time": carrying("latency_ms"),
	"models[].quality_metrics.avg_response_length": carrying("response_chars"),
	"models[].quality_metrics.coherence_score": judged("coherence"),
	"models[].quality_metrics.relevance_score": judged("relevance"),
	"models[].quality_metrics.user_satisfaction": {
		any: [`event ${FEEDBACK_EVENT}`],
		with: `a model or the event_id of its call as target_id, ${MIN_RATINGS} at least`,
	},
	"models[].resource_usage.avg_tokens_per_request": carrying("input_tokens and output_tokens, or tokens"),
	"models[].resource_usage.total_tokens_processed": carrying("input_tokens and output_tokens, or tokens"),
	"models[].resource_usage.avg_memory_mb": {
		any: [`event ${MODEL_EVENT}`, `metric ${PROCESS_MEMORY}`],
		with: "memory_mb, or the tag model",
	},
	"models[].resource_usage.avg_cpu_percent": {
		any: [`event ${MODEL_EVENT}`, `metric ${PROCESS_CPU}`],
		with: "cpu_percent, or the tag model",
	},
	"trends.request_volume": `event ${MODEL_EVENT}`,
	"trends.response_times": `event ${MODEL_EVENT}`,
};

/** `GET /analytics/ai/performance` */
export const aiPerformanceRead = read({
	path: "/analytics/ai/performance",
	summary: "Language models: how often, how well and how fast they answer, and what they use",
	description:
		"Costs are not part of it: no prices are kept, so none could be right. Default: the 30 days before as_of. Days of the trends begin in the zone of the request.",
	query: aiPerformanceQuery,
	answer: aiPerformanceAnswer,
	needs: NEEDS,
	ask: aiPerformance,
});

async function aiPerformance(asking: Asking, query: z.infer<typeof aiPerformanceQuery>): Promise<AiPerformanceAnswer> {
	const { asker, now, reach } = asking;
	const window = resolveWindow(query, { timeframes: PERFORMANCE_TIMEFRAMES, defaultTimeframe: "30d", now });
	const grid: Grid = { ...window, buckets: bucketsOver(window.start, window.end, "1d", window.timezone) };
	const scope: ModelScope = { ...grid, model: query.model, now, reach };
	const asked = asker.ask(signals(window.as_of));
	const facts = asked.then((sent) => VERDICT_EVENTS.filter((event) => sent.hasEvent(event)));
	const [sent, models, found] = await Promise.all([
		asked,
		asker.ask(modelCalls(scope, "rollups")),
		asker.presuming("verdicts", facts, (events) => verdictsOf(asker, scope, events)),
	]);
	const gauges = await modelGauges(asker, scope, sent, models);
	const answer = {
		timeframe: window.timeframe,
		models: models.map((model) => toAnswer(model, found, gauges.get(model.name))),
		trends: sent.hasEvent(MODEL_EVENT) ? trendsOf(models, grid) : { request_volume: [], response_times: [] },
	};
	const parts = {
		window,
		data_through: sent.dataThrough("event"),
		methods: METHODS,
		sketched: ["models[].p95_response_time", "models[].p99_response_time"],
		source: modelSource(grid),
	};
	return withMeta(answer, parts, { needs: NEEDS, sent });
}

const METHODS = {
	"models[].success_rate": "of the requests that were not cancelled",
	"models[].avg_response_time": "without timeouts and cancelled requests",
	"models[].p95_response_time": "quantilesDD, merged; without timeouts and cancelled requests",
	"models[].quality_metrics.coherence_score":
		"one source at a time: human, else llm_judge, code, imported; mapped linearly from the scale of each, 1 to 5 where none is named",
	"models[].quality_metrics.user_satisfaction": "other scales mapped linearly to 1 to 5, thumbs to 5 and 1",
	"models[].resource_usage.avg_memory_mb": `memory_mb of the requests, else the gauge ${PROCESS_MEMORY} tagged model`,
	"models[].resource_usage.avg_cpu_percent": `cpu_percent of the requests, else the gauge ${PROCESS_CPU} tagged model`,
};

/** Verdicts on the models that they name, and on those whose calls they name. */
async function verdictsOf(asker: Asker, scope: ModelScope, events: readonly VerdictEvent[]): Promise<Verdict[]> {
	const found = await Promise.all(
		events.map(async (event) => {
			const named = await asker.ask(verdicts(scope, event));
			const unnamed = named.some(({ model }) => model === "");
			return [...named, ...(unnamed ? await asker.ask(verdictsOnCalls(scope, event)) : [])];
		}),
	);
	return mergedVerdicts(found.flat());
}

function toAnswer(
	model: Model,
	found: readonly Verdict[],
	gauges: ModelGauges | undefined,
): AiPerformanceAnswer["models"][number] {
	const { coherence, relevance } = Object.fromEntries(
		CRITERIA.map((criterion) => [criterion, believed(found, model.name, criterion)]),
	);
	const ratings = believed(found, model.name, "satisfaction");
	return {
		name: model.name,
		requests: model.requests,
		cancelled: model.cancelled,
		...ratesOf(model),
		avg_response_time: milliseconds(meanLatency_ms(model)),
		p95_response_time: milliseconds(model.p95_ms),
		p99_response_time: milliseconds(model.p99_ms),
		...lowSample([
			{ field: "p95_response_time", level: 0.95, n: model.timed },
			{ field: "p99_response_time", level: 0.99, n: model.timed },
		]),
		quality_metrics: {
			avg_response_length: decimals(quotient(model.response_chars, model.measured), 1),
			coherence_score: scoreOf(coherence),
			relevance_score: scoreOf(relevance),
			user_satisfaction: ratings !== undefined && ratings.n >= MIN_RATINGS ? scoreOf(ratings) : null,
			evaluations: Object.fromEntries(
				[coherence, relevance].flatMap((verdict) =>
					verdict === undefined
						? []
						: [[verdict.criterion, { n: verdict.n, source: verdict.source, evaluators: [...verdict.evaluators] }]],
				),
			),
			ratings: { n: ratings?.n ?? 0, binary: ratings?.binary ?? false },
		},
		resource_usage: {
			avg_tokens_per_request: decimals(quotient(model.tokens, model.metered), 1),
			total_tokens_processed: model.metered > 0 ? whole(model.tokens) : null,
			avg_memory_mb: decimals(quotient(model.memory_mb, model.memory_samples) ?? gauges?.memory_mb, 1),
			avg_cpu_percent: decimals(quotient(model.cpu_percent, model.cpu_samples) ?? gauges?.cpu_percent, 1),
		},
	};
}

/** Success, timeout and error are everything that was not cancelled: rounded, they still add up to 1. */
function ratesOf({ requests, cancelled, timeouts, failed }: ModelCalls) {
	const ended = requests - cancelled;
	if (ended === 0) return { success_rate: null, timeout_rate: null, error_rate: null };
	const [success_rate, timeout_rate, error_rate] = largestRemainder(
		[ended - timeouts - failed, timeouts, failed],
		1,
		4,
	);
	return { success_rate: success_rate!, timeout_rate: timeout_rate!, error_rate: error_rate! };
}

function meanLatency_ms({ latency_ms, timed }: Pick<ModelCalls, "latency_ms" | "timed">): number | null {
	return quotient(latency_ms, timed);
}

function scoreOf(verdict: Verdict | undefined): number | null {
	return verdict === undefined ? null : decimals(quotient(verdict.total, verdict.n), 2);
}

/** Every day of the window, those without a request too. */
function trendsOf(models: readonly Model[], grid: Grid): AiPerformanceAnswer["trends"] {
	const date = new Intl.DateTimeFormat("en-CA", {
		timeZone: grid.timezone,
		year: "numeric",
		month: "2-digit",
		day: "2-digit",
	});
	const days = framesOf(grid).map(({ t, partial }) => {
		const calls = models.flatMap(({ buckets }) => buckets.get(t) ?? []);
		const sum = (of: "requests" | "timed" | "latency_ms") => calls.reduce((total, one) => total + one[of], 0);
		return {
			date: date.format(t * 1_000),
			count: sum("requests"),
			avg_ms: milliseconds(meanLatency_ms({ latency_ms: sum("latency_ms"), timed: sum("timed") })),
			...(partial ? { partial: true as const } : {}),
		};
	});
	return {
		request_volume: days.map(({ avg_ms: _, ...day }) => day),
		response_times: days.map(({ count: _, ...day }) => day),
	};
}
