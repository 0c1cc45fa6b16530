import type { Readable } from "node:stream";
import { isDeepStrictEqual, toUSVString } from "node:util";
import { ApiError, unavailable } from "../http/errors.ts";
import { type ClickHouse, ClickHouseError, SettingsMap } from "../schema/clickhouse.ts";
import { DefinitionError } from "../schema/definitions.ts";
import { Signals } from "./measures/signals.ts";
import { assertScoped, type Question, type Row, TENANT_TABLES } from "./sql.ts";

/** What `?explain=true` shows of one query. */
export interface Explained {
	readonly name: string;
	readonly sql: string;
	readonly params: Readonly<Record<string, unknown>>;
	readonly rows_read: number;
	readonly bytes_read: number;
	readonly elapsed_ms: number;
}

/** What came of a question. */
export interface Ran {
	readonly rows: Row[];
	readonly explained: Explained;
}

export type Run = (question: Question<unknown>) => Promise<Ran>;

export interface Limits {
	readonly max_execution_seconds: number;
	readonly max_memory_bytes: number;
	readonly max_result_rows: number;
	readonly max_rows_to_read: number;
}

export const DEFAULT_LIMITS: Limits = {
	max_execution_seconds: 30,
	max_memory_bytes: 1024 ** 3,
	max_result_rows: 500_000,
	max_rows_to_read: 5_000_000_000,
};

export interface StreamOptions {
	/** Name of the format. */
	readonly format: string;
	/** Of ClickHouse, beside those that all streams have. */
	readonly settings?: Readonly<Record<string, string | number>>;
	readonly max_memory_bytes: number;
	readonly signal: AbortSignal;
}

const STALLED_SECONDS = 1_800;

export interface QueriesOptions {
	readonly client: ClickHouse;
	readonly limits?: Limits;
	/**
	 * Has ClickHouse filter each tenant's table by the project too, so that a hole in the guard opens nothing. Off only in tests that
	 * prove the predicate in the SQL by itself.
	 */
	readonly secondLock?: boolean;
}

/**
 * The one place that runs queries on tenants' tables. The project is the first predicate of each, read-only, within limits of time,
 * memory and rows.
 */
export class Queries {
	readonly #client: ClickHouse;
	/** Of every question, as they stand in a URL. */
	readonly #settings: string;
	readonly #secondLock: boolean;
	/** Facts of projects as they were when last asked for. */
	readonly #presumptions = new Presumptions();

	constructor(options: QueriesOptions) {
		this.#client = options.client;
		this.#settings = new URLSearchParams(settingsOf(options.limits ?? DEFAULT_LIMITS)).toString();
		this.#secondLock = options.secondLock ?? true;
	}

	/**
	 * Questions of one request, all about one project; the signal ends those that still run.
	 * @param through what each goes through on its way to the database
	 */
	of(project: string, signal?: AbortSignal, through: (run: Run) => Run = (run) => run): Asker {
		const run = through((question) => this.#run(project, question, signal));
		return new Asker(run, this.#presumptions, project);
	}

	/**
	 * The answer as the bytes of a ClickHouse format, as long as it is: no limit of rows or time, and of memory the one given. A query
	 * that fails after its first bytes ends the stream with an error.
	 */
	async stream(
		project: string,
		{ name, sql, params }: Pick<Question<unknown>, "name" | "sql" | "params">,
		{ format, settings = {}, max_memory_bytes, signal }: StreamOptions,
	): Promise<Readable> {
		assertScoped(sql);
		if ("project" in params.values) throw new TypeError(`${name} sets the project itself`);
		try {
			const { stream } = await this.#client.exec({
				query: `${sql}\nFORMAT ${format}`,
				query_params: { ...params.values, project },
				abort_signal: signal,
				clickhouse_settings: {
					readonly: "2",
					distributed_product_mode: "global",
					log_comment: name,
					max_execution_time: 0,
					max_memory_usage: String(max_memory_bytes),
					// What is slow to take the answer must not be cut off: who waits for it has a limit.
					http_send_timeout: STALLED_SECONDS,
					send_timeout: STALLED_SECONDS,
					...settings,
					...(this.#secondLock ? { additional_table_filters: tableFilters(project) } : {}),
				},
			});
			return stream;
		} catch (error) {
			throw clickHouseError(error, name);
		}
	}

	async #run(project: string, question: Question<unknown>, signal: AbortSignal | undefined): Promise<Ran> {
		assertScoped(question.sql);
		if ("project" in question.params.values) throw new TypeError(`${question.name} sets the project itself`);
		const started = performance.now();
		try {
			const lock = this.#secondLock ? `&additional_table_filters=${filtersInUrl(project)}` : "";
			const text = await this.#client.answers.get({
				sql: `${question.sql}\nFORMAT JSON`,
				params: { ...question.params.values, project },
				settings: `${this.#settings}&log_comment=${encodeURIComponent(question.name)}${lock}`,
				signal,
			});
			const answer = JSON.parse(text) as { data: Row[]; statistics?: { rows_read: number; bytes_read: number } };
			return {
				rows: answer.data,
				explained: {
					name: question.name,
					sql: question.sql,
					params: { ...question.params.values, project },
					rows_read: Number(answer.statistics?.rows_read ?? 0),
					bytes_read: Number(answer.statistics?.bytes_read ?? 0),
					elapsed_ms: Math.round((performance.now() - started) * 10) / 10,
				},
			};
		} catch (error) {
			throw clickHouseError(error, question.name);
		}
	}
}

/** Asks questions about one project and remembers what it ran. */
export class Asker {
	readonly explained: Explained[] = [];
	/** Since when nothing is gone that the project sent, milliseconds since the epoch, where that is later than the server says. */
	keptFrom: number | undefined;
	/** Whether the same question is put once: for who asks much about one time at once, as routes and reports do. */
	remembers = false;
	readonly #found = new Map<string, Promise<Row[]>>();
	readonly #run: Run;
	readonly #presumptions: Presumptions;
	readonly #project: string;

	constructor(run: Run, presumptions: Presumptions, project: string) {
		this.#run = run;
		this.#presumptions = presumptions;
		this.#project = project;
	}

	/**
	 * What `ask` makes of some facts about the project, which are being asked for. Facts such as "it links ids" hardly ever change, so
	 * `ask` is begun with those of the last time, and begun again with the right ones where they have: the answer is always of these.
	 * @param name of the facts, the same wherever they are the same
	 * @param facts plain data
	 */
	async presuming<F, T>(name: string, facts: Promise<F>, ask: (facts: F) => Promise<T>): Promise<T> {
		const key = JSON.stringify([this.#project, name]);
		const presumed = this.#presumptions.get(key) as F | undefined;
		const early = presumed === undefined ? undefined : ask(presumed);
		// What was asked in vain may fail in vain.
		early?.catch(() => undefined);
		const known = await facts;
		this.#presumptions.set(key, known);
		return await (early !== undefined && isDeepStrictEqual(known, presumed) ? early : ask(known));
	}

	/**
	 * What was found about the project as of the same version, at most a minute ago; else what `ask` finds now. The version must have been
	 * read before.
	 * @param name of what is found, the same wherever it is the same
	 */
	async found<T>(name: string, version: string, ask: () => Promise<T>): Promise<T> {
		const key = JSON.stringify([this.#project, name]);
		const last = this.#presumptions.get(key) as { version: string; at: number; value: T } | undefined;
		if (last?.version === version && performance.now() - last.at < FOUND_MS) return last.value;
		const at = performance.now();
		const value = await ask();
		this.#presumptions.set(key, { version, at, value });
		return value;
	}

	/** @throws ApiError 422 over a limit, 503 when ClickHouse is away */
	ask<T>(question: Question<T>): Promise<T> {
		const answer = this.#answerTo(question);
		// One of several questions that was never put leaves the others without anybody who waits: that must not end the process.
		answer.catch(() => undefined);
		return answer;
	}

	async #answerTo<T>(question: Question<T>): Promise<T> {
		const value = question.read(await this.#rowsOf(question));
		return value instanceof Signals && this.keptFrom !== undefined ? (value.from(this.keptFrom) as T) : value;
	}

	#rowsOf(question: Question<unknown>): Promise<Row[]> {
		if (!this.remembers) return this.#put(question);
		const key = `${question.sql}\0${JSON.stringify(question.params.values)}`;
		const found = this.#found.get(key) ?? this.#put(question);
		this.#found.set(key, found);
		return found;
	}

	async #put(question: Question<unknown>): Promise<Row[]> {
		const { rows, explained } = await this.#run(question);
		this.explained.push(explained);
		return rows;
	}
}

const FOUND_MS = 60_000;
const MAX_PRESUMPTIONS = 10_000;

/** Facts by key; the oldest are forgotten. */
class Presumptions {
	readonly #facts = new Map<string, unknown>();

	get(key: string): unknown {
		return this.#facts.get(key);
	}

	set(key: string, facts: unknown): void {
		this.#facts.delete(key);
		this.#facts.set(key, facts);
		if (this.#facts.size > MAX_PRESUMPTIONS) this.#facts.delete(this.#facts.keys().next().value!);
	}
}

/** What every question is asked with. */
function settingsOf(limits: Limits): Record<string, string> {
	return {
		readonly: "2",
		// The predicates on log messages rely on it (query/logs/sql.ts).
		use_skip_indexes: "1",
		// Looks for comparisons that follow from others, for as long as the rest of the analysis takes, and finds none here.
		optimize_and_compare_chain: "0",
		// Looking for one takes a twentieth of a small question; what has one says so (measures/revenue.ts).
		optimize_use_projections: "0",
		// Read from disk for each part that is younger than minutes, to order joins that are in order.
		use_statistics: "0",
		// Answers are small: threads that format them, and that read files, are woken for longer than they work.
		output_format_parallel_formatting: "0",
		local_filesystem_read_method: "pread",
		// On a cluster a series of one shard may name the host of another's.
		distributed_product_mode: "global",
		max_execution_time: String(limits.max_execution_seconds),
		max_memory_usage: String(limits.max_memory_bytes),
		max_result_rows: String(limits.max_result_rows),
		result_overflow_mode: "throw",
		max_rows_to_read: String(limits.max_rows_to_read),
		date_time_output_format: "iso",
		output_format_json_quote_64bit_integers: "0",
		output_format_json_quote_denormals: "0",
	};
}

/** Neither the client nor a URL escapes what stands in the map, so the filter is escaped here, and the literal within it. */
function filterOf(project: string): string {
	const quoted = (text: string) => text.replace(/['\\]/g, "\\$&");
	return quoted(`project = '${quoted(project)}'`);
}

function tableFilters(project: string): SettingsMap {
	const filter = filterOf(project);
	return SettingsMap.from(Object.fromEntries(TENANT_TABLES.map((table) => [table, filter])));
}

/** What stands around the filters of the tables in {@link tableFilters}, as in a URL. */
const BETWEEN_FILTERS = String(SettingsMap.from(Object.fromEntries(TENANT_TABLES.map((table) => [table, "\0"]))))
	.split("\0")
	.map(encodeURIComponent);

/** {@link tableFilters} in a URL, put together from parts: every question carries it. */
function filtersInUrl(project: string): string {
	return BETWEEN_FILTERS.join(encodeURIComponent(toUSVString(filterOf(project))));
}

/** Codes of ClickHouse that mean a limit of this query, with the name of the limit. */
const OVER_LIMIT: Readonly<Record<string, string>> = {
	"158": "rows to read",
	"159": "time",
	"160": "time",
	"241": "memory",
	"307": "bytes to read",
	"396": "rows in the answer",
};
/** All queries together, a server that starts or stops: worth another try. */
const BUSY = new Set(["202", "203", "209", "210", "225", "236", "242", "252", "394", "425"]);

/** What the client is told of a failed query; anything that is our mistake stays as it is, and becomes a 500. */
export function clickHouseError(error: unknown, query: string): unknown {
	if (error instanceof ClickHouseError) {
		// The memory of the whole server is not the query's own: it may go through in a moment.
		const total = error.code === "241" && /\(total\)/.test(error.message);
		const limit = total ? undefined : OVER_LIMIT[error.code];
		if (limit !== undefined) {
			return new ApiError(
				422,
				`The question is too big: ${query} is over its limit of ${limit}. Ask for a shorter window`,
				{
					extra: { query, limit },
					cause: error,
				},
			);
		}
		if (total || BUSY.has(error.code)) return unavailable("clickhouse", "ClickHouse is overloaded", error);
		return error;
	}
	if (isNetworkError(error)) return unavailable("clickhouse", "ClickHouse does not answer", error);
	// Replacing it or deleting it resolves the conflict.
	if (error instanceof DefinitionError) return new ApiError(409, error.message, { cause: error });
	return error;
}

function isNetworkError(error: unknown): boolean {
	if (!(error instanceof Error)) return false;
	const code = (error as NodeJS.ErrnoException).code ?? "";
	return /^E[A-Z_]+$/.test(code) || /socket hang up|timeout|aborted|network/i.test(error.message);
}
