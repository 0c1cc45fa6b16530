/** How far back answers reach: by the settings, and by what a project wants itself. */

import { reachOf } from "../query/measures/scope.ts";
import type { ClickHouse } from "../schema/clickhouse.ts";
import { RetentionBook, shorterDays } from "../schema/project-retention.ts";
import type { Settings } from "../settings.ts";
import { retentionOf } from "../storage.ts";

/** @param stops is given what is to be stopped */
export function retentionReach(settings: Settings, clickhouse: ClickHouse, stops: (() => Promise<unknown>)[]) {
	const retention = retentionOf(settings);
	const book = new RetentionBook(clickhouse);
	void book.refresh().catch(() => undefined);
	stops.push(book.follow());
	return {
		...{ retention, book, reach: reachOf(retention) },
		reachOf(project: string) {
			const own = book.of(project);
			return own && reachOf(retention, shorterDays(own, retention));
		},
	};
}
