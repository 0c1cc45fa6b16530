import type { ClickHouse } from "../../../schema/clickhouse.ts";
import { clickHouseTime } from "../../../schema/definitions.ts";
import type { AlertInstance } from "../../../schema/wire/index.ts";
import type { StoredRule } from "./answers.ts";

/**
 * Notes in the history that someone takes care of these firings. It belongs to the firing, not to the instance: the next one is told
 * again, and an evaluation that runs meanwhile cannot overwrite it.
 */
export async function acknowledgeRows(
	client: ClickHouse,
	{ project, id: alert_id, body, version }: StoredRule,
	instances: readonly AlertInstance[],
	{ at, by, note }: { readonly at: number; readonly by: string; readonly note: string },
): Promise<void> {
	if (instances.length === 0) return;
	const now = clickHouseTime(new Date(at));
	await client.insert({
		table: "alert_transitions",
		values: instances.map(({ instance, labels, state, value, threshold, firing_id }) => ({
			...{ project, alert_id, ts: now, recorded_at: now, kind: "acknowledge", instance, labels },
			...{ from_state: state, to_state: state, value, threshold, firing_id, reason: note, actor: by },
			...{ severity: body.severity, rule_version: version },
		})),
		format: "JSONEachRow",
	});
}
