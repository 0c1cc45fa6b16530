/** What a whole dashboard shows: its widgets side by side, each with its own evidence, its own age or its own error. */

import { ApiError, toApiError } from "../../../http/errors.ts";
import type { Definition, Definitions } from "../../../schema/definitions.ts";
import type { Dashboard, DashboardDataAnswer, Kpi, Meta, Widget, WidgetData } from "../../../schema/wire/index.ts";
import { ConditionError } from "../../measures/alerting/asking.ts";
import { MEASURES } from "../../measures/alerting/catalogue.ts";
import type { Signals } from "../../measures/signals.ts";
import { signals } from "../../measures/signals.ts";
import { tagValues } from "../../measures/tag-values.ts";
import { missingOf, type NeededRecords, partsOf } from "../../meta.ts";
import { RetentionError } from "../../plan/plan.ts";
import { askerOf, type QueryDeps } from "../../route.ts";
import type { Explained } from "../../run.ts";
import { together } from "../../together.ts";
import { alertAsking } from "../alerts/asking.ts";
import { Recent } from "./recent.ts";
import { needOf } from "./values.ts";
import { ALL_VALUES, type Chosen, choose, needsOptions, referencesIn } from "./variables.ts";
import { boundQueries, type Shown, type WidgetAsking, widgetShown } from "./widget-data.ts";
import { type AskedWindow, widgetWindow } from "./windows.ts";

/** Queries of one request that run at a time; the others wait. */
const AT_ONCE = 4;
const MAX_OPTIONS = 1_000;
/** Where ClickHouse does not answer, what is older than this is shown no more. */
const KEEP_MS = 3_600_000;
const MAX_BYTES = 64 * 1_048_576;
/** Records are stored within seconds; more than this is behind. */
const USUAL_LAG_MS = 10_000;

export interface BoardDeps extends QueryDeps {
	readonly kpis: Definitions<Kpi>;
	/** Everything received before is stored, milliseconds since the epoch; undefined where nobody knows. */
	readonly storedThrough?: () => Promise<number | undefined>;
	/** Hears of errors that are our fault: the answer only has "Internal error". */
	readonly report?: (error: unknown) => void;
}

/** What of a widget is remembered. */
interface Computed {
	readonly window: WidgetData["window"];
	readonly end: number;
	/** Everything received before was stored when it was computed; milliseconds since the epoch. */
	readonly stored_through?: number;
	readonly timeframe: string;
	readonly granularity?: string;
	readonly data: Shown["data"] | null;
	readonly data_through: number | null;
	readonly missing: Meta["missing"];
}

export interface BoardRequest {
	/** Seconds. */
	readonly refresh_interval: number;
	readonly asked: Omit<AskedWindow, "timezone"> & { readonly timezone?: string | undefined };
	/** Values of variables, by name, as they were given. */
	readonly given: ReadonlyMap<string, readonly string[]>;
	readonly signal?: AbortSignal | undefined;
}

export class Boards {
	readonly #deps: BoardDeps;
	readonly #now: () => number;
	readonly #recent: Recent<Computed>;
	readonly #options: Recent<readonly (readonly [string, readonly string[]])[]>;

	constructor(deps: BoardDeps) {
		this.#deps = deps;
		this.#now = deps.now ?? Date.now;
		this.#recent = new Recent({ now: this.#now, maxBytes: MAX_BYTES, keep_ms: KEEP_MS });
		this.#options = new Recent({ now: this.#now, maxBytes: MAX_BYTES / 8, keep_ms: KEEP_MS });
	}

	/** @throws ApiError 400 of the request itself, 503 where nothing can be shown at all */
	async show(
		project: string,
		{ id, body: board }: Pick<Definition<Dashboard>, "id" | "body">,
		{ refresh_interval, asked, given, signal }: BoardRequest,
	): Promise<{ readonly answer: DashboardDataAnswer; readonly explained: readonly Explained[] }> {
		const now = this.#now();
		const timezone = asked.timezone ?? board.timezone;
		const maxAge_ms = refresh_interval * 1_000;
		// What others may be answered with is not ended because one goes away.
		const ended = refresh_interval === 0 ? signal : undefined;
		const { asker } = askerOf(this.#deps, project, ended, (run) => together(run, AT_ONCE));
		const queries = { of: () => asker };
		const base = alertAsking({ ...this.#deps, queries, now: () => now }, project);
		const whole = widgetWindow(
			{ timeframe: asked.start === undefined ? board.timeframe : undefined, ...asked, timezone },
			now,
		);
		const remember = <T>(recent: Recent<T>, key: unknown, compute: () => Promise<T>) =>
			recent.get(JSON.stringify([project, key]), maxAge_ms, compute, isAway);

		const options = await remember(this.#options, [board.variables, asked.as_of], async () =>
			Promise.all(
				board.variables.flatMap((variable) =>
					variable.type !== "tag"
						? []
						: [
								asker
									.ask(
										tagValues(variable.tag, {
											metrics: metricsOf(variable.metric),
											as_of: whole.as_of,
											limit: MAX_OPTIONS,
										}),
									)
									.then((values) => [variable.name, values] as const),
							],
				),
			),
		).then(
			({ value }) => new Map(value),
			(error: unknown) => {
				if (!isAway(error) || needsOptions(board.variables, given)) throw error;
				return new Map<string, readonly string[]>();
			},
		);
		const chosen = choose(board.variables, given, options);
		const through = await this.#deps.storedThrough?.().catch(() => undefined);
		const isBehind = ({ stored_through, end }: Computed, at: number) =>
			stored_through !== undefined && at - stored_through > Math.max(USUAL_LAG_MS, maxAge_ms) && end > stored_through;

		const errors: unknown[] = [];
		const widgets = await Promise.all(
			board.widgets.map(async (widget, i): Promise<WidgetData> => {
				const head = {
					...{ widget_id: widget.widget_id ?? `widget_${i + 1}`, title: widget.title, type: widget.type },
					timeframe: widget.timeframe ?? board.timeframe,
				};
				const own = windowOf(widget, board, asked, timezone);
				try {
					const key = [withoutLooks(widget), own, used(widget, chosen)];
					const found = await remember(this.#recent, key, async () => {
						const sent = await asker.ask(signals(whole.as_of));
						const fresh = await computed({ ...base, asker, sent, chosen, asked: own }, widget);
						return through === undefined ? fresh : { ...fresh, stored_through: through };
					});
					const { end: _end, stored_through: _through, ...shown } = found.value;
					const behind = isBehind(found.value, found.at);
					return {
						...head,
						...shown,
						status: isKnown(shown.data) ? "ok" : "no_data",
						generated_at: iso(found.at),
						data_through: shown.data_through === null ? null : iso(shown.data_through),
						stale: found.isFallback || behind,
						...(found.isFallback ? { stale_reason: "unreachable" } : behind ? { stale_reason: "behind" } : {}),
					} as WidgetData;
				} catch (error) {
					errors.push(error);
					const told = inWords(error);
					if (told.status === 500) this.#deps.report?.(error);
					return {
						...head,
						...{ status: "error", generated_at: iso(now), data_through: null, stale: false, missing: [], data: null },
						error: { code: told.status, message: told.message, ...told.extra },
					} as WidgetData;
				}
			}),
		);
		const away = errors.find(isAway);
		if (away !== undefined && errors.length === widgets.length) throw away;

		const newest =
			widgets
				.flatMap(({ data_through }) => (data_through === null ? [] : [data_through]))
				.sort()
				.at(-1) ?? null;
		const missing = new Map(
			widgets.flatMap((widget) =>
				widget.missing.map(
					({ field, needs }) => [`${field} ${needs}`, { field: `widgets[].${field}`, needs }] as const,
				),
			),
		);
		const answer: DashboardDataAnswer = {
			...{ dashboard_id: id, name: board.name, generated_at: iso(now), refresh_interval },
			stale: widgets.some(({ stale }) => stale),
			data_through: newest,
			variables: board.variables.map((variable) => {
				const known = variable.type === "values" ? variable.values : options.get(variable.name);
				return {
					...{ name: variable.name, type: variable.type, values: [...(chosen.get(variable.name) ?? [ALL_VALUES])] },
					...(known ? { options: [...known] } : {}),
				};
			}),
			widgets,
			meta: {
				window: { start: iso(whole.start), end: iso(whole.end), timezone },
				...{
					data_through: newest,
					coverage: null,
					missing: [...missing.values()],
					methods: {},
					approximations: {},
					tier: null,
				},
			},
		};
		return { answer, explained: [...new Set(asker.explained)] };
	}
}

const iso = (ms: number) => new Date(ms).toISOString();

/** Whether the source does not answer, rather than refuse the question. */
function isAway(error: unknown): boolean {
	return error instanceof ApiError && error.status === 503;
}

/** What the client is told of a widget that failed. */
function inWords(error: unknown): ApiError {
	if (error instanceof RetentionError)
		return new ApiError(400, "The window reaches further back than the data that could answer it is kept", {
			extra: { details: { reason: error.message, valid_options: [`a window from ${iso(error.oldest)} on`] } },
		});
	if (error instanceof ConditionError) return new ApiError(422, error.message);
	return toApiError(error);
}

/** A request's window takes the place of that of the widget, but for one that keeps its own. */
function windowOf(widget: Widget, board: Dashboard, asked: BoardRequest["asked"], timezone: string): AskedWindow {
	const { start, end, as_of } = asked;
	const timeframe = widget.timeframe ?? board.timeframe;
	if (widget.keep_timeframe) return { timeframe, as_of, timezone };
	return start === undefined
		? { timeframe: asked.timeframe ?? timeframe, end, as_of, timezone }
		: { start, end, as_of, timezone };
}

/** Of a widget what decides its data. */
function withoutLooks(widget: Widget): object {
	const { widget_id: _id, title: _title, description: _description, layout: _layout, ...rest } = widget;
	return rest;
}

/** The chosen values that a widget depends on. */
function used(widget: Widget, chosen: Chosen): unknown {
	const queries =
		"queries" in widget && widget.queries ? widget.queries : [widget as Parameters<typeof referencesIn>[0]];
	const names = [...new Set(queries.flatMap(referencesIn))].sort();
	return names.map((name) => [name, chosen.get(name) ?? null]);
}

/** Ingested metrics of a name, or those that a measure is made of. */
function metricsOf(name: string | undefined): string[] {
	if (name === undefined) return [];
	const sources = MEASURES.get(name)?.sources ?? [`metric ${name}`];
	return sources.filter((source) => source.startsWith("metric ")).map((source) => source.slice("metric ".length));
}

async function computed(asking: WidgetAsking, widget: Widget): Promise<Computed> {
	const queries = widget.type === "log_list" ? [] : boundQueries(asking, widget);
	const needs = widget.type === "log_list" ? ["log"] : await Promise.all(queries.map((query) => needOf(asking, query)));
	const { sent } = asking;
	const unsent = needs.flatMap((need) => missingOf({ data: null }, { data: need }, sent));
	const data_through = throughOf(needs, sent, asking.asked, asking.now);
	if (unsent.length === needs.length && needs.every((need) => isUnsent(need, sent))) {
		const window = widgetWindow(asking.asked, asking.now);
		return {
			...{ window: shownWindow(window), end: window.end, timeframe: window.timeframe, data: null, data_through },
			missing: [
				...unsent,
				...(data_through === null ? unsent.map(({ needs }) => ({ field: "data_through", needs })) : []),
			],
		};
	}
	const { window, granularity, data } = await widgetShown(asking, widget);
	return {
		...{ window: shownWindow(window), end: window.end, timeframe: window.timeframe },
		...(granularity === undefined ? {} : { granularity }),
		...{ data, data_through },
		missing: needs.flatMap((need) =>
			missingOf({ data }, Object.fromEntries(FIELDS.map((field) => [field, need])), sent),
		),
	};
}

/** Members that are null or empty for want of records. */
const FIELDS = [
	...[
		"data.series",
		"data.series[].points[].value",
		"data.bars",
		"data.value",
		"data.previous",
		"data.change_percentage",
	],
	...["data.rows", "data.rows[].values[]", "data.logs"],
];

function shownWindow({ start, end, timezone }: { start: number; end: number; timezone: string }) {
	return { start: iso(start), end: iso(end), timezone };
}

/** Whether none of the records that a need names was ever sent. */
function isUnsent(need: NeededRecords, sent: Signals): boolean {
	return partsOf(need).some(({ records }) => records.every((record) => sent.of(record).length === 0));
}

/** Event time of the newest record that any need names, before `as_of`. */
function throughOf(needs: readonly NeededRecords[], sent: Signals, asked: AskedWindow, now: number): number | null {
	const times = needs
		.flatMap(partsOf)
		.flatMap(({ records }) => records)
		.flatMap((record) => sent.of(record))
		.map(({ last_seen }) => last_seen);
	if (times.length === 0) return null;
	return Math.min(
		widgetWindow(asked, now).as_of,
		times.reduce((a, b) => Math.max(a, b)),
	);
}

/** Whether any number or line is shown. */
function isKnown(value: unknown): boolean {
	if (typeof value !== "object" || value === null) return false;
	const data = value as Record<string, unknown>;
	if ("value" in data) return data.value !== null;
	if (Array.isArray(data.logs)) return data.logs.length > 0;
	if (Array.isArray(data.series))
		return data.series.some(({ points }) => points.some((point: { value: unknown }) => point.value !== null));
	if (Array.isArray(data.bars)) return data.bars.some((bar) => bar.value !== null);
	const rows = (data.rows ?? []) as readonly (readonly unknown[] | { readonly values: readonly unknown[] })[];
	return rows.some((row) =>
		("values" in row && Array.isArray(row.values) ? row.values : (row as unknown[])).some(
			(cell) => typeof cell === "number",
		),
	);
}
