// Where people are told of alerts, and when they are left alone.
import { Client } from "tidemark";

// TIDEMARK_KEY is an admin key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

const config = await client.monitoring.configureNotifications({
	channels: [
		{
			type: "pagerduty",
			integration_key: "your-pagerduty-key",
			severity_mapping: { critical: "error", high: "warning", medium: "info" },
		},
		{ type: "teams", webhook_url: "https://outlook.office.com/webhook/...", format: "adaptive_card" },
	],
	contacts: { oncall_primary: { channels: ["pagerduty"] }, management: { channels: ["teams"] } },
});
console.log(`Channels: ${config.channels.map(({ name }) => name).join(", ")}`);
for (const warning of config.warnings) console.log(`Note: ${warning}`);

const silence = await client.monitoring.createSilence({
	kind: "maintenance",
	comment: "Sunday's upgrades",
	matchers: [{ name: "severity", operator: "!=", value: "critical" }],
	recurrence: { days: ["sun"], from: "02:00", to: "04:00", timezone: "Europe/Berlin" },
	ends_at: new Date(Date.now() + 90 * 86_400_000).toISOString(),
});
const { silences } = await client.monitoring.listSilences({ state: "active" });
console.log(`${silences.length} silences, the last one ${silence.silent_now ? "is" : "is not"} silent now`);
await client.monitoring.deleteSilence(silence.silence_id);
