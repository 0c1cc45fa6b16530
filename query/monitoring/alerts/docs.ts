import type { RouteDoc } from "../../../http/openapi.ts";
import {
	acknowledgeAnswer,
	acknowledgeBody,
	alertAnswer,
	alertHistoryAnswer,
	alertHistoryQuery,
	alertPatch,
	alertRule,
	alertsAnswer,
	alertsQuery,
	backtestAnswer,
	backtestBody,
	createdAlertAnswer,
	testAlertAnswer,
} from "../../../schema/wire/index.ts";
import { MEASURES } from "../../measures/alerting/catalogue.ts";

export const ALERTS_PATH = "/v1/monitoring/alerts";
const one = `${ALERTS_PATH}/{id}`;
const viewer = { tag: "Monitoring", role: "analytics_viewer" } as const;
const editor = { tag: "Monitoring", role: "analytics_editor" } as const;

const measures = [...MEASURES].map(
	([name, { about, aggregations }]) => `- \`${name}\` (${aggregations.join(", ")}): ${about}`,
);

export const ALERT_DOCS: readonly RouteDoc[] = [
	{
		...{ method: "post", path: ALERTS_PATH, ...editor },
		summary: "Create an alert, and see when it would have fired in the last seven days",
		description: `All conditions of the list have to hold, unless \`logic\` is OR. A condition looks at the \`timeframe\` before each evaluation; evaluations are at whole multiples of \`interval\`, once every record that was received before is stored. Besides any ingested metric, \`logs\`, \`events\` and \`kpi:<kpi_id>\`, these measures have a name:\n\n${measures.join("\n")}`,
		body: alertRule,
		answers: { 201: createdAlertAnswer },
	},
	{
		...{ method: "get", path: ALERTS_PATH, ...viewer },
		summary: "List alerts",
		query: alertsQuery,
		answers: { 200: alertsAnswer },
	},
	{
		...{ method: "post", path: `${ALERTS_PATH}/backtest`, ...viewer, changes: false },
		summary: "When a rule would have fired in a past window",
		description: "A rule of the request, or the `alert_id` of one. At most two weeks of evaluations every minute.",
		body: backtestBody,
		answers: { 200: backtestAnswer },
	},
	{
		...{ method: "get", path: one, ...viewer },
		summary: "An alert and its instances",
		answers: { 200: alertAnswer },
	},
	{
		...{ method: "patch", path: one, ...editor },
		summary: "Change members of an alert",
		description:
			"What is not named stays. Other conditions or tags to group by make other instances: what burns of the old ones is over.",
		body: alertPatch,
		answers: { 200: alertAnswer },
	},
	{ ...{ method: "delete", path: one, ...editor }, summary: "Delete an alert", answers: { 204: null } },
	{
		...{ method: "post", path: `${one}/acknowledge`, ...editor },
		summary: "Say that someone takes care of what fires, until it is ok again",
		body: acknowledgeBody,
		answers: { 200: acknowledgeAnswer },
	},
	{
		...{ method: "post", path: `${one}/test`, ...editor },
		summary: "Send a marked message over every channel of an alert",
		answers: { 200: testAlertAnswer },
	},
	{
		...{ method: "get", path: `${one}/history`, ...viewer },
		summary: "Every change of state of an alert, and what was noted of it",
		query: alertHistoryQuery,
		answers: { 200: alertHistoryAnswer },
	},
];
