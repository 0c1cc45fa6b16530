/** Alerts as those who watch see them. */
import type { LiveBus } from "../../schema/live/bus.ts";
import { type AlertMessage, LIVE_VERSION, projectChannel } from "../../schema/live/frames.ts";
import type { Severity } from "../../schema/wire/index.ts";
import type { HistoryRow } from "./store.ts";

const LEVELS: Readonly<Record<Severity, AlertMessage["level"]>> = {
	...{ low: "info", medium: "warning", high: "error", critical: "critical" },
};

/** Every change of state. */
export function tellViewers(bus: LiveBus, rows: readonly HistoryRow[]): void {
	for (const row of rows) {
		if (row.kind !== "transition") continue;
		const { project, alert_id, metric, value, threshold, message, ts, to_state, severity } = row;
		const alert: AlertMessage = {
			...{ level: LEVELS[severity], metric, value, threshold, message, timestamp: new Date(ts).toISOString() },
			...{ alert_id, state: to_state },
		};
		bus.publish(projectChannel(project), { type: "alert", v: LIVE_VERSION, project, alert });
	}
}
