// Rules of several conditions: what is unusual, several things at once, label sets apart; and who is told when nobody answers.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const alert = await client.monitoring.createAlert({
	name: "Anomaly Detection Alert",
	conditions: [
		{ type: "anomaly_detection", metric: "api_response_time", sensitivity: "high", minimum_deviation: 2.0 },
		{
			type: "compound",
			logic: "AND",
			sub_conditions: [
				{ metric: "error_rate", operator: ">", value: 0.05 },
				{ metric: "cpu_utilization", operator: ">", value: 0.8 },
			],
		},
	],
	escalation_policy: {
		levels: [
			{ delay_minutes: 0, notify: ["oncall_primary"] },
			{ delay_minutes: 15, notify: ["oncall_secondary"] },
			{ delay_minutes: 30, notify: ["management"] },
		],
	},
});
await client.monitoring.updateAlert(alert.alert_id, { for: "5m", keep_firing_for: "10m" });
const { history } = await client.monitoring.alertHistory(alert.alert_id);
console.log(`${history.length} changes so far`);

const { firings } = await client.monitoring.backtestAlert({
	conditions: [{ metric: "cpu_utilization", operator: ">", value: 0.9, timeframe: "10m" }],
	group_by: ["host.name"],
});
console.log(`One for each host would have fired ${firings} times in the last week`);
await client.monitoring.deleteAlert(alert.alert_id);
