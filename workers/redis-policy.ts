import type { Redis } from "ioredis";
import type { Logger } from "pino";

const WANTED = "noeviction";

/**
 * Says aloud when a Redis of the settings may drop what nobody asked it to: queues, limits and watermarks are kept there. Asked with
 * INFO, which managed servers answer where they forbid CONFIG; and at every connection, since another server may have taken over.
 */
export function watchEviction(redis: Redis, logger: Logger): void {
	let said = WANTED;
	const look = async () => {
		const policy = /^maxmemory_policy:(\S+)/m.exec(await redis.info("memory"))?.[1] ?? "unknown";
		if (policy === said) return;
		said = policy;
		if (policy === WANTED) return logger.info({ policy }, "Redis evicts nothing any more");
		logger.error(
			{ policy },
			`Redis may evict queues and schedules when its memory is full: set its maxmemory-policy to ${WANTED}. No record is lost, but alerts, reports and jobs may come late`,
		);
	};
	const lookOrSay = () =>
		void look().catch((err) => logger.warn({ err }, `whether Redis has the policy ${WANTED} could not be asked`));
	redis.on("ready", lookOrSay);
	if (redis.status === "ready") lookOrSay();
}
