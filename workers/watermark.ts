/** How the watermarks of all ingest processes come to those who evaluate: through Redis, each saying its own every second. */
import type { Redis } from "ioredis";

const KEY = "tidemark:watermarks";
const INTERVAL_MS = 1_000;
/** A process that has said nothing for so long is gone. One that lives and does not get on says so, and is waited for. */
export const GONE_MS = 60_000;

interface Said {
	/** Milliseconds since the epoch: everything acknowledged before is stored. */
	readonly through: number;
	/** When it was said. */
	readonly at: number;
}

/** Says the watermark of this process. @returns ends it */
export function sayWatermark(
	redis: Redis,
	{ source, storedThrough, now }: { source: string; storedThrough: () => number; now: () => number },
): () => Promise<void> {
	const say = () => {
		const said: Said = { through: storedThrough(), at: now() };
		// Redis is away: nobody evaluates meanwhile.
		redis.hset(KEY, source, JSON.stringify(said)).catch(() => undefined);
	};
	say();
	const timer = setInterval(say, INTERVAL_MS);
	return async () => {
		clearInterval(timer);
		await redis.hdel(KEY, source).catch(() => undefined);
	};
}

/** Asks Redis for what all ingest processes said. @throws when it is away */
export async function watermark(redis: Redis, now: number, since: number): Promise<number> {
	const said = Object.entries(await redis.hgetall(KEY)).map(([source, text]) => ({
		source,
		...(JSON.parse(text) as Said),
	}));
	const gone = said.filter(({ at }) => now - at > GONE_MS).map(({ source }) => source);
	if (gone.length > 0) await redis.hdel(KEY, ...gone);
	return watermarkOf(
		said.filter(({ source }) => !gone.includes(source)),
		now,
		since,
	);
}

/**
 * Everything received before is stored, by every process that takes records.
 * @param since when this process began to listen: before it has heard for long enough, silence proves nothing
 */
export function watermarkOf(said: readonly Pick<Said, "through">[], now: number, since: number): number {
	if (said.length > 0) return Math.min(...said.map(({ through }) => through));
	return now - since > GONE_MS ? now : 0;
}
