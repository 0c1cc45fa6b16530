/** For those who are not workers: which locations there are, and a run there while somebody waits for it. */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { SyntheticRun } from "../../schema/wire/index.ts";
import { Producer } from "../queues.ts";
import { locationsHeard } from "./presence.ts";

export interface RemoteOptions {
	/** Fails at once when it is away. */
	readonly redis: Redis;
	readonly redisUrl: string;
	readonly logger: Logger;
	readonly now?: () => number;
}

export class SyntheticRemote {
	readonly #options: RemoteOptions;
	readonly #producers = new Map<string, Producer<"checks">>();

	constructor(options: RemoteOptions) {
		this.#options = options;
	}

	/** @throws when Redis is away */
	locations(): Promise<Set<string>> {
		return locationsHeard(this.#options.redis, (this.#options.now ?? Date.now)());
	}

	/** Runs a test at a location. @throws when no worker there answers within the limit */
	async run(project: string, id: string, location: string, limit_ms: number): Promise<SyntheticRun> {
		const { redisUrl, logger } = this.#options;
		const producer = this.#producers.get(location) ?? new Producer("checks", { redisUrl, logger, of: location });
		this.#producers.set(location, producer);
		return (await producer.ask("ask", { project, id }, limit_ms)) as SyntheticRun;
	}

	async close(): Promise<void> {
		await Promise.all([...this.#producers.values()].map((producer) => producer.close()));
	}
}
