/**
 * Idempotency keys: what was answered to whom. The latest answers are in memory; of older ones only a 64-bit mark is, and a
 * marked key is looked up in ClickHouse. A key that is not marked was never seen, so new keys cost no query.
 */
import { hash } from "node:crypto";
import { unavailable } from "../http/errors.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";
import type { IngestAnswer } from "../schema/wire/ingest.ts";
import { IdSet } from "./series.ts";

const LOOK_UP_MS = 10_000;

export interface BodyHash {
	readonly high: number;
	readonly low: number;
}

/** The first answer to a key, and what it answered to. */
export interface RememberedRequest {
	readonly bodyHash: string;
	readonly answer: IngestAnswer;
	/** Journal segment that the answer is in; undefined when it is in ClickHouse, or in memory alone. */
	readonly segment?: number | undefined;
}

export interface RequestMemoryOptions {
	/** Undefined in tests of the memory alone. */
	readonly clickhouse: ClickHouse | undefined;
	/** Whether ClickHouse has what is in this segment. Until then an answer is held in memory, however many those are. */
	readonly isStored?: (segment: number) => boolean;
	/** Answers held in memory, and marks held per generation (two are kept). */
	readonly answers?: number;
	readonly marks?: number;
}

/** Hash of a request's body and of the route it was sent to. */
export function bodyHash(route: string, body: Uint8Array): BodyHash {
	const digest = hash("sha256", Buffer.concat([Buffer.from(`${route}\n`), body]), "buffer");
	return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
}

export function hashText({ high, low }: BodyHash): string {
	return ((BigInt(high) << 32n) | BigInt(low)).toString();
}

export class RequestMemory {
	readonly #options: Required<RequestMemoryOptions>;
	readonly #answers = new Map<string, RememberedRequest | Promise<RememberedRequest>>();
	#young = new IdSet();
	#old = new IdSet();

	constructor(options: RequestMemoryOptions) {
		this.#options = { isStored: () => true, answers: 50_000, marks: 1_000_000, ...options };
	}

	/** Marks the keys of the last day that are stored. Call once before requests are served. */
	async load(): Promise<void> {
		const result = await this.#options.clickhouse?.query({
			query:
				"SELECT project, key FROM requests WHERE received > now() - INTERVAL 1 DAY ORDER BY received DESC LIMIT {limit:UInt32}",
			query_params: { limit: this.#options.marks },
			format: "JSONCompactEachRow",
		});
		if (!result) return;
		for await (const rows of result.stream<[string, string]>()) {
			for (const row of rows) this.#mark(memoryKey(...row.json()));
		}
	}

	/**
	 * Answers with what the key was answered first, or runs the request under the key. `run` starts in the same turn in which
	 * the key is found free, so of two requests at once one runs. A run that fails frees the key.
	 * @throws ApiError 503 when the answer is in ClickHouse and that is away; what `run` threw
	 */
	async claim(
		project: string,
		key: string,
		run: () => Promise<RememberedRequest>,
	): Promise<{ readonly request: RememberedRequest; readonly repeated: boolean }> {
		const id = memoryKey(project, key);
		if (!this.#answers.has(id) && this.#isMarked(id)) {
			const stored = await this.#lookUp(project, key);
			if (stored) return { request: stored, repeated: true };
		}
		for (let held = this.#answers.get(id); held; held = this.#answers.get(id)) {
			const request = await Promise.resolve(held).catch(() => undefined);
			if (request) return { request, repeated: true };
		}
		const running = run();
		this.#answers.set(id, running);
		try {
			const request = await running;
			this.remember(project, key, request);
			return { request, repeated: false };
		} catch (error) {
			this.#answers.delete(id);
			throw error;
		}
	}

	/** Remembers a request that is durable. */
	remember(project: string, key: string, request: RememberedRequest): void {
		const id = memoryKey(project, key);
		this.#answers.set(id, request);
		this.#mark(id);
		for (const [oldest, held] of this.#answers) {
			if (this.#answers.size <= this.#options.answers || !this.#canBeLookedUp(held)) break;
			this.#answers.delete(oldest);
		}
	}

	#canBeLookedUp(held: RememberedRequest | Promise<RememberedRequest>): boolean {
		if (held instanceof Promise) return false;
		return held.segment === undefined || this.#options.isStored(held.segment);
	}

	#isMarked(id: string): boolean {
		const { high, low } = markOf(id);
		return this.#young.has(high, low) || this.#old.has(high, low);
	}

	#mark(id: string): void {
		const { high, low } = markOf(id);
		this.#young.add(high, low);
		if (this.#young.size >= this.#options.marks) {
			this.#old = this.#young;
			this.#young = new IdSet();
		}
	}

	async #lookUp(project: string, key: string): Promise<RememberedRequest | undefined> {
		const rows = await this.#options.clickhouse?.answers
			.rows<{ bodyHash: string; answer: string }>(
				"SELECT toString(body_hash) AS bodyHash, answer FROM requests WHERE project = {project:String} AND key = {key:String} LIMIT 1",
				{ project, key },
				AbortSignal.timeout(LOOK_UP_MS),
			)
			.catch((cause: unknown) => {
				throw unavailable("clickhouse", "What was answered to this Idempotency-Key cannot be looked up now", cause);
			});
		const row = rows?.[0];
		return row && { bodyHash: row.bodyHash, answer: JSON.parse(row.answer) };
	}
}

function memoryKey(project: string, key: string): string {
	return `${project}\0${key}`;
}

function markOf(id: string): BodyHash {
	const digest = hash("sha256", id, "buffer");
	return { high: digest.readUInt32BE(0), low: digest.readUInt32BE(4) };
}
