/** How long a project keeps its records, where it wants them gone sooner than the server does. */
import { z } from "zod";
import type { ClickHouse } from "./clickhouse.ts";
import { Definitions } from "./definitions.ts";
import { LADDER } from "./granularity.ts";
import { type Retention, retentionDays } from "./retention.ts";

const days = z.int().min(1).nullable();
/** Days; null is as long as the server keeps them. */
export const storedRetention = z.strictObject({
	metrics_days: days,
	rollups_days: days,
	logs_days: days,
	events_days: days,
});
export type OwnRetention = z.infer<typeof storedRetention>;
export type RetentionDays = { readonly [Name in keyof OwnRetention]: number };

export const RETENTION_ID = "retention";
const REFRESH_MS = 5_000;
const ROLLUPS = LADDER.map(({ rollup }) => rollup);

/** What the settings of the server give. */
export function serverRetention(retention: Retention): RetentionDays {
	const all = retentionDays(retention);
	return { ...retention, rollups_days: Math.max(...ROLLUPS.map((name) => all[name]!)) };
}

/** Days by the names of migrations, of those that the project has fewer of. */
export function shorterDays(own: OwnRetention, retention: Retention): Record<string, number> {
	const server = retentionDays(retention);
	const wanted: Record<string, number | null> = {
		...{ metrics: own.metrics_days, logs: own.logs_days, events: own.events_days },
		...Object.fromEntries(ROLLUPS.map((name) => [name, own.rollups_days])),
	};
	return Object.fromEntries(
		Object.entries(wanted).filter((entry): entry is [string, number] => {
			const [name, days] = entry;
			return days !== null && days < server[name]!;
		}),
	);
}

/** What each project wants, known without asking: reads are many, changes rare. */
export class RetentionBook {
	readonly definitions: Definitions<OwnRetention>;
	readonly #own = new Map<string, OwnRetention>();

	constructor(client: ClickHouse, now?: () => number) {
		this.definitions = new Definitions(client, "retention", storedRetention, now);
	}

	/** Undefined of a project that wants what the server has. */
	of(project: string): OwnRetention | undefined {
		return this.#own.get(project);
	}

	async refresh(): Promise<void> {
		const all = await this.definitions.list();
		this.#own.clear();
		for (const { project, body } of all) this.#own.set(project, body);
	}

	/** Stores it, and knows it at once; other processes within seconds. */
	async put(project: string, own: OwnRetention): Promise<void> {
		await this.definitions.put(project, RETENTION_ID, own);
		this.#own.set(project, own);
	}

	/** Keeps up with other processes. @returns ends it */
	follow(): () => Promise<void> {
		// ClickHouse is away: nobody reads meanwhile.
		const look = () => this.refresh().catch(() => undefined);
		const timer = setInterval(() => void look(), REFRESH_MS);
		timer.unref();
		return async () => clearInterval(timer);
	}
}
