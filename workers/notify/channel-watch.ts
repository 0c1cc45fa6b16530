/** Notices that a channel is dead, or works again, and puts it into the history: from there it is told like any other firing. */
import { isDead, OF_THE_RULE } from "../../query/measures/alerting/channels.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { AlertStore, type HistoryRow } from "../alerts/store.ts";
import { alive, CHANNEL_ALERT, channelInstance, deadRow } from "./dead-channel.ts";
import type { AttemptRow, NoticeStore } from "./store.ts";

export interface ChannelWatchOptions {
	readonly store: NoticeStore;
	readonly clickhouse: ClickHouse;
	/** Milliseconds since the epoch. */
	readonly now: () => number;
	/** Hears of it, once it is stored. */
	readonly onHistory?: ((rows: readonly HistoryRow[]) => void) | undefined;
}

export class ChannelWatch {
	readonly #options: ChannelWatchOptions;
	readonly #history: AlertStore;

	constructor(options: ChannelWatchOptions) {
		this.#options = options;
		this.#history = new AlertStore(options.clickhouse, options.now);
	}

	/** What came of an attempt over a channel. @param of the rule of the message */
	async heard(project: string, of: string, channel: string, outcome: AttemptRow["outcome"]): Promise<void> {
		const { store, now, onHistory } = this.#options;
		const alert_id = channel.endsWith(OF_THE_RULE) ? of : "";
		const instance = channelInstance({ channel, alert_id });
		const burning = (await store.firings(project)).filter(
			(one) => one.alert_id === CHANNEL_ALERT && one.instance === instance && one.resolved_at === null,
		);
		const rows: HistoryRow[] = [];
		if (outcome === "sent") {
			for (const { firing_id } of burning) rows.push(alive({ project, channel, alert_id }, firing_id, now()));
		} else if (burning.length === 0) {
			const failing = await store.failing(project);
			const found = failing.find((one) => one.channel === channel && one.alert_id === alert_id);
			if (found && isDead(found, now())) rows.push(deadRow(project, found));
		}
		if (rows.length === 0) return;
		await this.#history.write(rows);
		onHistory?.(rows);
	}
}
