/** What is looked after by itself: asks for the day's runs, and forgets whom requests were about that are over. */
import type { Logger } from "pino";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { dataRequests } from "../../schema/data-requests.ts";
import { JobStore } from "../../schema/jobs.ts";
import type { RetentionBook } from "../../schema/project-retention.ts";
import { askForRetention } from "./retention.ts";

export interface UpkeepOptions {
	readonly clickhouse: ClickHouse;
	readonly book: RetentionBook;
	readonly logger: Logger;
	readonly now?: () => number;
}

const INTERVAL_MS = 600_000;

/** @returns ends it */
export function startUpkeep(options: UpkeepOptions): () => Promise<void> {
	const { logger } = options;
	const look = () => lookAfter(options).catch((err) => logger.warn({ err }, "upkeep is tried again in a while"));
	void look();
	const timer = setInterval(() => void look(), INTERVAL_MS);
	timer.unref();
	return async () => clearInterval(timer);
}

/** Once. */
export async function lookAfter({ clickhouse, book, now = Date.now }: Omit<UpkeepOptions, "logger">): Promise<void> {
	await askForRetention(book, new JobStore(clickhouse, now), now());
	const requests = dataRequests(clickhouse, now);
	for (const { project, id, body } of await requests.list()) {
		if (body.sealed === null || body.expires_at === null || body.expires_at > now()) continue;
		await requests.put(project, id, { ...body, sealed: null });
	}
}
