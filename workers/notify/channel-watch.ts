/** Notices that a channel is dead, or works again, and puts it into the history: from there it is told like any other firing. */
import { isDead, OF_THE_RULE } from "../../query/measures/alerting/channels.ts";
import type { ClickHouse } from "../../schema/clickhouse.ts";
import { AlertStore, type HistoryRow } from "../alerts/store.ts";
import { alive, CHANNEL_ALERT, channelInstance, channelOf, deadRow, removed } from "./dead-channel.ts";
import type { AttemptRow, NoticeStore, ToldFiring } from "./store.ts";

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
		const { store, now } = this.#options;
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
		await this.#tell(rows);
	}

	/** Ends the firings of channels by which nobody is told any more: no message of theirs will ever arrive. */
	async removed(firings: readonly ToldFiring[]): Promise<void> {
		const now = this.#options.now();
		await this.#tell(firings.map((firing) => removed(channelOf(firing), firing.firing_id, now)));
	}

	async #tell(rows: readonly HistoryRow[]): Promise<void> {
		if (rows.length === 0) return;
		await this.#history.write(rows);
		this.#options.onHistory?.(rows);
	}
}
