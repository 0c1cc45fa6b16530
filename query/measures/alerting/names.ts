/** Stable names: the same evaluation, done again or by another worker, gives the same. */
import { createHash } from "node:crypto";

/** A rule without label sets has one instance. */
export const ONLY_INSTANCE = "all";

const digest = (parts: readonly unknown[]) =>
	createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);

/** @param labelSet values of `group_by`, as JSON */
export function instanceName(labelSet: string): string {
	return labelSet === "[]" ? ONLY_INSTANCE : digest([labelSet]);
}

/** @param fired_at milliseconds since the epoch */
export function firingId(project: string, alert_id: string, instance: string, fired_at: number): string {
	return `firing_${digest([project, alert_id, instance, fired_at])}`;
}

/** Changes when a rule comes to look at something else: its instances are then others. */
export function watchingDigest(rule: { conditions: unknown; logic: string; group_by: readonly string[] }): string {
	return digest([rule.conditions, rule.logic, rule.group_by]);
}

export function labelsOf(group_by: readonly string[], labelSet: string): Record<string, string> {
	const values = JSON.parse(labelSet) as string[];
	return Object.fromEntries(group_by.map((tag, i) => [tag, values[i] ?? ""]));
}
