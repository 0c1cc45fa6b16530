/** What is known of jobs: rows in ClickHouse, which routes write to ask for work and workers write as they get on with it. */
import type { ClickHouse } from "./clickhouse.ts";
import { clickHouseTime } from "./definitions.ts";

export type JobStatus = "queued" | "running" | "completed" | "failed" | "cancelled";

export interface Job {
	readonly project: string;
	readonly kind: string;
	readonly job_id: string;
	/** Id of the definition that it runs, or empty. */
	readonly of: string;
	readonly status: JobStatus;
	/** 0 to 1. */
	readonly progress: number;
	/** How often it was begun. */
	readonly attempt: number;
	/** How many of the attempts ended because the program did, or because it was another job's turn. */
	readonly interruptions: number;
	readonly input: unknown;
	/** How far it got by its newest checkpoint, or what came of it. */
	readonly state: unknown;
	/** Why the last attempt failed. */
	readonly error: string | null;
	/** Somebody asked for it to be given up. */
	readonly cancelling: boolean;
	readonly created_at: Date;
	readonly started_at: Date | null;
	readonly finished_at: Date | null;
	/** When its worker was last heard of. */
	readonly alive_at: Date | null;
	/** After a failure: not before. */
	readonly retry_at: Date | null;
}

export interface NewJob {
	readonly project: string;
	readonly kind: string;
	/** What is asked for under a known id was asked for before. */
	readonly job_id: string;
	readonly of?: string;
	readonly input: unknown;
}

interface Which {
	readonly kind: string;
	readonly of?: string;
	/** A member of what is asked, and its text. */
	readonly input?: readonly [member: string, text: string];
	readonly limit?: number;
}

/** Names one job among all. */
export type JobKey = Pick<Job, "project" | "kind" | "job_id">;
export type Outcome = Extract<JobStatus, "completed" | "failed" | "cancelled">;

type Fact = "asked" | "claimed" | "alive" | "checkpoint" | "gave_up" | "cancel" | "over";

const KEY = "project = {project:String} AND kind = {kind:String} AND job_id = {job_id:String}";

export class JobStore {
	readonly #client: ClickHouse;
	readonly #now: () => number;
	#version = 0;

	constructor(client: ClickHouse, now: () => number = Date.now) {
		this.#client = client;
		this.#now = now;
	}

	/** Asks for work; of two that ask for the same id, the first. */
	async create({ project, kind, job_id, of = "", input }: NewJob): Promise<Job> {
		const key = { project, kind, job_id };
		const known = await this.get(project, kind, job_id);
		if (known) return known;
		await this.#insert(key, "asked", 0, { input }, { of, token: true });
		return (await this.get(project, kind, job_id))!;
	}

	async get(project: string, kind: string, job_id: string): Promise<Job | undefined> {
		return (await this.#select(KEY, { project, kind, job_id }))[0];
	}

	/** Newest first. */
	list(project: string, { kind, of, input: [member, text] = ["", ""], limit = 100 }: Which): Promise<Job[]> {
		const which =
			(of === undefined ? "" : "AND of = {of:String}") +
			(member === "" ? "" : " AND JSONExtractString(body, 'input', {member:String}) = {text:String}");
		return this.#select(
			`project = {project:String} AND kind = {kind:String} AND job_id IN (
				SELECT job_id FROM jobs WHERE project = {project:String} AND kind = {kind:String} AND fact = 'asked' ${which}
				ORDER BY recorded_at DESC, job_id DESC LIMIT {limit:UInt32})`,
			{ project, kind, of, limit, member, text },
		);
	}

	/** All that are not over, the oldest first. */
	async open(kinds: readonly string[]): Promise<Job[]> {
		const keys = await this.#client.answers.rows<JobKey>(
			`SELECT project, kind, job_id FROM jobs WHERE kind IN {kinds:Array(String)}
				GROUP BY project, kind, job_id HAVING countIf(fact = 'over') = 0 AND countIf(fact = 'asked') > 0`,
			{ kinds },
		);
		const ids = keys.map(({ job_id }) => job_id);
		if (ids.length === 0) return [];
		const jobs = await this.#select("kind IN {kinds:Array(String)} AND job_id IN {ids:Array(String)}", { kinds, ids });
		return jobs.filter(({ finished_at }) => finished_at === null).reverse();
	}

	/** @returns whether there was something left to give up */
	async cancel(project: string, kind: string, job_id: string): Promise<boolean> {
		const job = await this.get(project, kind, job_id);
		if (!job || job.finished_at) return false;
		await this.#insert(job, "cancel", 0, {});
		return true;
	}

	/** @returns the number of the attempt, or undefined when another worker has it */
	async claim(job: Job, holder: string): Promise<number | undefined> {
		const attempt = job.attempt + 1;
		await this.#insert(job, "claimed", attempt, { holder }, { of: job.of, token: true });
		const [row] = await this.#client.answers.rows<{ body: string }>(
			`SELECT argMin(body, version) AS body FROM jobs WHERE ${KEY} AND fact = 'claimed' AND attempt = {attempt:UInt32}`,
			{ ...keyOf(job), attempt },
		);
		return (JSON.parse(row!.body) as { holder: string }).holder === holder ? attempt : undefined;
	}

	async beat(key: JobKey, attempt: number, progress: number): Promise<void> {
		await this.#insert(key, "alive", attempt, { progress });
	}

	async checkpoint(key: JobKey, attempt: number, state: unknown): Promise<void> {
		await this.#insert(key, "checkpoint", attempt, { state });
	}

	/** The attempt is over, the job is not. @param error null when nothing went wrong but the program ends */
	async giveUp(key: JobKey, attempt: number, error: string | null, retry_at: Date): Promise<void> {
		await this.#insert(key, "gave_up", attempt, { error, retry_at });
	}

	async finish(key: JobKey, attempt: number, end: { status: Outcome; state?: unknown; error?: string }): Promise<void> {
		await this.#insert(key, "over", attempt, end);
	}

	async #insert(
		key: JobKey,
		fact: Fact,
		attempt: number,
		body: object,
		{ of = "", token = false }: { readonly of?: string; readonly token?: boolean } = {},
	): Promise<void> {
		const now = this.#now();
		this.#version = Math.max(now * 1_000, this.#version + 1);
		const row = { ...keyOf(key), fact, attempt, of, version: String(this.#version), body: JSON.stringify(body) };
		await this.#client.insert({
			table: "jobs",
			values: [{ ...row, recorded_at: clickHouseTime(new Date(now)) }],
			format: "JSONEachRow",
			clickhouse_settings: {
				insert_deduplicate: token ? 1 : 0,
				...(token
					? { insert_deduplication_token: JSON.stringify([key.project, key.kind, key.job_id, fact, attempt]) }
					: {}),
			},
		});
	}

	async #select(where: string, params: Record<string, unknown>): Promise<Job[]> {
		return (await this.#client.answers.rows<Row>(fold(where), params)).map(toJob);
	}
}

/** One row for each job; the first end is the end. */
function fold(where: string): string {
	const at = (expression: string) => `toUnixTimestamp64Milli(${expression})`;
	return `SELECT project, kind, job_id, anyIf(of, fact = 'asked') AS of_id, argMinIf(body, version, fact = 'asked') AS asked,
		${at("minIf(recorded_at, fact = 'asked')")} AS created_ms, maxIf(attempt, fact = 'claimed') AS attempts,
		${at("minIf(recorded_at, fact = 'claimed')")} AS started_ms,
		maxIf((attempt, recorded_at), fact IN ('claimed', 'alive')) AS sign, ${at("sign.2")} AS alive_ms,
		argMaxIf(body, (attempt, version), fact = 'alive') AS alive,
		argMaxIf(body, (attempt, version), fact = 'checkpoint') AS reached,
		maxIf(attempt, fact = 'gave_up') AS given_up, argMaxIf(body, (attempt, version), fact = 'gave_up') AS failure,
		countIf(fact = 'gave_up' AND simpleJSONExtractRaw(body, 'error') = 'null') AS pauses,
		countIf(fact = 'cancel') AS cancels, argMinIf(body, version, fact = 'over') AS end,
		${at("argMinIf(recorded_at, version, fact = 'over')")} AS finished_ms
	FROM jobs WHERE ${where} GROUP BY project, kind, job_id HAVING created_ms > 0 ORDER BY created_ms DESC, job_id DESC`;
}

interface Row extends JobKey {
	of_id: string;
	asked: string;
	created_ms: string;
	attempts: number;
	started_ms: string;
	alive_ms: string;
	alive: string;
	reached: string;
	given_up: number;
	failure: string;
	pauses: string;
	cancels: string;
	end: string;
	finished_ms: string;
}

function toJob(row: Row): Job {
	const parse = <T>(text: string): Partial<T> => (text === "" ? {} : (JSON.parse(text) as T));
	const end = parse<{ status: Outcome; state: unknown; error: string }>(row.end);
	const failure = parse<{ error: string | null; retry_at: string }>(row.failure);
	const begun = row.attempts > 0;
	const running = begun && row.given_up < row.attempts;
	return {
		...{ project: row.project, kind: row.kind, job_id: row.job_id, of: row.of_id, attempt: row.attempts },
		interruptions: Number(row.pauses),
		status: end.status ?? (running ? "running" : "queued"),
		progress: end.status === "completed" ? 1 : (parse<{ progress: number }>(row.alive).progress ?? 0),
		input: parse<{ input: unknown }>(row.asked).input,
		state: end.state ?? parse<{ state: unknown }>(row.reached).state,
		error: end.status ? (end.error ?? null) : (failure.error ?? null),
		cancelling: Number(row.cancels) > 0,
		created_at: new Date(Number(row.created_ms)),
		started_at: begun ? new Date(Number(row.started_ms)) : null,
		finished_at: end.status ? new Date(Number(row.finished_ms)) : null,
		alive_at: begun ? new Date(Number(row.alive_ms)) : null,
		retry_at: !running && failure.retry_at ? new Date(failure.retry_at) : null,
	};
}

function keyOf({ project, kind, job_id }: JobKey): JobKey {
	return { project, kind, job_id };
}
