/** Whether people were erased: then rows are gone that ingest believes it has sent. */
import type { ClickHouse } from "../schema/clickhouse.ts";
import { JOB_KIND_OF } from "../schema/data-requests.ts";

export class Erasures {
	readonly #client: ClickHouse;
	#known: string | undefined;

	constructor(client: ClickHouse) {
		this.#client = client;
	}

	/**
	 * Whether one got on since the last time. What it says of itself it says when a table is done, so the rows are gone by then; that it
	 * is alive is nothing new. Not the newest time: clocks of workers differ.
	 */
	async isNew(): Promise<boolean> {
		const [row] = await this.#client.answers.rows<{ mark: string }>(
			`SELECT toString(groupBitXor(sipHash64(project, job_id, fact, attempt, version))) AS mark
				FROM jobs FINAL WHERE kind = {kind:String} AND fact NOT IN ('asked', 'alive')`,
			{ kind: JOB_KIND_OF.erase },
		);
		const mark = row!.mark;
		const before = this.#known;
		this.#known = mark;
		return before !== undefined && before !== mark;
	}

	/** @param onErasure called soon after, as often as an erasure got on. @returns ends it */
	follow(onErasure: () => void, every_ms: number): () => Promise<void> {
		let looking: Promise<void> | undefined;
		const look = async () => {
			// ClickHouse is away: what it was not asked for it says the next time.
			if (await this.isNew().catch(() => false)) onErasure();
			looking = undefined;
		};
		const timer = setInterval(() => {
			looking ??= look();
		}, every_ms);
		timer.unref();
		return async () => {
			clearInterval(timer);
			await looking;
		};
	}
}
