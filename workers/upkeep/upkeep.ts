/** What is looked after by itself: asks for the day's runs, and forgets whom requests were about that are over. */
import type { Logger } from "pino";
import { dataRequests } from "../../schema/data-requests.ts";
import { JobStore } from "../../schema/jobs.ts";
import type { RetentionBook } from "../../schema/project-retention.ts";
import { forgetWhom } from "../data-rights/forget.ts";
import type { Place } from "../data-rights/mutations.ts";
import { askForRetention } from "./retention.ts";

export interface UpkeepOptions extends Place {
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
export async function lookAfter(options: Omit<UpkeepOptions, "logger">): Promise<void> {
	const { client, book, now = Date.now } = options;
	await askForRetention(book, new JobStore(client, now), now());
	const requests = dataRequests(client, now);
	const over = (await requests.list()).filter(({ body: { expires_at } }) => expires_at !== null && expires_at <= now());
	await forgetWhom(options, requests, over);
}
