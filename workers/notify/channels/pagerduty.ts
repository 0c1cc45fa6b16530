/** PagerDuty's Events API v2: one incident for one firing, found again by its `dedup_key`. */
import type { Severity } from "../../../schema/wire/index.ts";
import { type NoticeKind, titleOf } from "../message.ts";
import type { HttpChannel } from "./types.ts";

const EVENTS_URL = "https://events.pagerduty.com/v2/enqueue";
const MAX_SUMMARY = 1_024;
const ACTIONS: Readonly<Record<NoticeKind, "trigger" | "acknowledge" | "resolve">> = {
	...{ fire: "trigger", repeat: "trigger", flapping: "trigger", acknowledge: "acknowledge", resolve: "resolve" },
};
const SEVERITIES: Readonly<Record<Severity, "critical" | "error" | "warning" | "info">> = {
	...{ low: "info", medium: "warning", high: "error", critical: "critical" },
};

export const pagerduty: HttpChannel<"pagerduty"> = {
	form: "http",
	kinds: ["fire", "repeat", "flapping", "acknowledge", "resolve"],
	groups: false,
	isIdempotent: true,
	request(message, { integration_key, severity_mapping = {}, url = EVENTS_URL }) {
		const { kind, project, alert_id, severity, name, runbook_url, acknowledge_url, isTest } = message;
		const [instance] = message.instances;
		const event_action = ACTIONS[kind];
		const links = [
			...(acknowledge_url === null ? [] : [{ href: acknowledge_url, text: "Acknowledge in Tidemark" }]),
			...(runbook_url === null ? [] : [{ href: runbook_url, text: "Runbook" }]),
		];
		const event = {
			routing_key: integration_key,
			event_action,
			dedup_key: `tidemark/${isTest ? message.message_id : instance!.firing_id}`,
			...(event_action === "trigger"
				? {
						payload: {
							summary: `${titleOf(message)}: ${instance!.message}`.slice(0, MAX_SUMMARY),
							source: project,
							severity: severity_mapping[severity] ?? SEVERITIES[severity],
							timestamp: new Date(instance!.fired_at).toISOString(),
							component: name,
							class: instance!.metric,
							custom_details: {
								...{ alert_id, severity, labels: { ...message.labels, ...instance!.labels } },
								...{ value: instance!.value, threshold: instance!.threshold, test: isTest },
							},
						},
						...(links.length === 0 ? {} : { links }),
						client: "Tidemark",
					}
				: {}),
		};
		return { url, headers: { "content-type": "application/json" }, body: JSON.stringify(event) };
	},
};
