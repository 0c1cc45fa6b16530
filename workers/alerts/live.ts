/** Alerts as those who watch see them. */

import { publishAlert } from "../../schema/live/alerts.ts";
import type { LiveBus } from "../../schema/live/bus.ts";
import type { AlertMessage } from "../../schema/live/frames.ts";
import { ALERT_LEVELS } from "../../schema/wire/index.ts";
import type { HistoryRow } from "./store.ts";

/** Every change of state. */
export function tellViewers(bus: LiveBus, rows: readonly HistoryRow[]): void {
	for (const row of rows) {
		if (row.kind !== "transition") continue;
		const { project, alert_id, metric, value, threshold, message, ts, to_state, severity } = row;
		const alert: AlertMessage = {
			...{ level: ALERT_LEVELS[severity], metric, value, threshold, message, timestamp: new Date(ts).toISOString() },
			...{ alert_id, state: to_state },
		};
		publishAlert(bus, project, alert);
	}
}
