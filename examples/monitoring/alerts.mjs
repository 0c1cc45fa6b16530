// Create an alert, see when it would have fired in the last seven days, and look how it stands.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const alert = await client.monitoring.createAlert({
	name: "High Error Rate Alert",
	description: "Alert when error rate exceeds 1%",
	conditions: [{ metric: "error_rate", operator: "greater_than", threshold: 0.01, timeframe: "5m" }],
	notifications: [{ type: "email", recipients: ["admin@company.com", "ops@company.com"] }],
	severity: "high",
	enabled: true,
});
console.log(
	`${alert.alert_id} is ${alert.status}; in the last week it would have fired ${alert.backtest?.firings} times`,
);

const { total_alerts, active_alerts, triggered_last_24h } = await client.monitoring.listAlerts();
console.log(`${active_alerts} of ${total_alerts} alerts are active, ${triggered_last_24h} fired in the last day`);
const { state, trigger_count } = await client.monitoring.getAlert(alert.alert_id);
console.log(`${state}, fired ${trigger_count} times`);
await client.monitoring.deleteAlert(alert.alert_id);
