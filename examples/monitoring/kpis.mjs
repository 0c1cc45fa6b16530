// Create a custom KPI definition, ask for its value and how it went, and set its target anew.
import { Client } from "tidemark";

// TIDEMARK_KEY is a key of the project; TIDEMARK_URL is only needed when it is not http://127.0.0.1:8000.
const client = new Client({ apiKey: process.env.TIDEMARK_KEY, baseUrl: process.env.TIDEMARK_URL });

client.monitoring.trackMetric({ name: "accurate_predictions", kind: "counter", value: 93 });
client.monitoring.trackMetric({ name: "total_predictions", kind: "counter", value: 100 });
await client.flush({ wait: true });

const kpi = await client.monitoring.createKpi({
	name: "Model Accuracy Rate",
	description: "Percentage of accurate model predictions",
	calculation: { numerator: "accurate_predictions", denominator: "total_predictions", format: "percentage" },
	target_value: 0.95,
	trend_direction: "higher_is_better",
});
const { value, attainment, status } = await client.monitoring.kpiValue(kpi.kpi_id, { timeframe: "24h" });
console.log(`${kpi.name}: ${value}, ${attainment} of the target, ${status}`);

const { points } = await client.monitoring.kpiHistory(kpi.kpi_id, { timeframe: "24h", granularity: "1h" });
const known = points.filter((point) => point.value !== null);
console.log(`Hours with a value: ${known.length}, the last at ${known.at(-1)?.attainment} of the target`);

const lower = await client.monitoring.updateKpi(kpi.kpi_id, { target_value: 0.9 });
console.log(`The target is ${lower.target_value} now`);
await client.monitoring.deleteKpi(kpi.kpi_id);
