import type { LiveBus } from "./bus.ts";
import { type AlertMessage, LIVE_VERSION, projectChannel } from "./frames.ts";

/** Tells the viewers of a project of an alert that changed its state; call it when the change is stored. */
export function publishAlert(bus: LiveBus, project: string, alert: AlertMessage): void {
	bus.publish(projectChannel(project), { type: "alert", v: LIVE_VERSION, project, alert });
}
