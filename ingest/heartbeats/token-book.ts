/** Whose heartbeat a token is: all tests in memory, so that a call asks ClickHouse nothing and goes on without it. */
import { createHash } from "node:crypto";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { type Definition, Definitions } from "../../schema/definitions.ts";
import { type HeartbeatTest, type SyntheticTest, syntheticTest } from "../../schema/wire/index.ts";

export type Heartbeat = Definition<HeartbeatTest>;

/** A test that another process made or deleted counts after this time. */
const REFRESH_MS = 5_000;
/** Unknown tokens make at most one query in this time, however many of them come. */
const UNKNOWN_PAUSE_MS = 1_000;
const MAX_TOKEN = 100;

export class TokenBook {
	readonly #tests: Definitions<SyntheticTest>;
	readonly #now: () => number;
	#byHash: ReadonlyMap<string, Heartbeat> | undefined;
	#read_at = Number.NEGATIVE_INFINITY;
	#reading: Promise<void> | undefined;

	constructor(client: ClickHouse, now: () => number = Date.now) {
		this.#tests = new Definitions(client, "synthetic_test", syntheticTest, now);
		this.#now = now;
	}

	/** @throws when the tests could never be read */
	async find(token: string): Promise<Heartbeat | undefined> {
		if (token.length > MAX_TOKEN) return undefined;
		const hash = createHash("sha256").update(token).digest("hex");
		const age = this.#now() - this.#read_at;
		if (this.#byHash?.has(hash)) {
			// The old list serves meanwhile, and for as long as ClickHouse is away.
			if (age > REFRESH_MS) this.#refresh().catch(() => undefined);
		} else if (!this.#byHash || age > UNKNOWN_PAUSE_MS) {
			await this.#refresh().catch((error: unknown) => {
				if (!this.#byHash) throw error;
			});
		}
		return this.#byHash?.get(hash);
	}

	#refresh(): Promise<void> {
		this.#reading ??= this.#read().finally(() => {
			this.#reading = undefined;
		});
		return this.#reading;
	}

	async #read(): Promise<void> {
		const all = await this.#tests.list();
		const heartbeats = all.filter((test): test is Heartbeat => test.body.type === "heartbeat");
		this.#byHash = new Map(heartbeats.map((test) => [test.body.token_hash, test]));
		this.#read_at = this.#now();
	}
}
