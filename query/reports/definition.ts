/** What people ask for as what is stored of it. Throws what a client is told. */

import type { z } from "zod";
import { badParameter } from "../../http/errors.ts";
import { usualTimeframe } from "../../schema/reports/period.ts";
import { checkSchedule, cronOf, type Plan, type Schedule, ScheduleError } from "../../schema/schedule.ts";
import { sealSecrets } from "../../schema/sealed-notifications.ts";
import type { SecretBox } from "../../schema/secret-box.ts";
import type { customReportBody, ReportFormat, reportBody, StoredReport } from "../../schema/wire/index.ts";
import { REPORT_FORMATS } from "../../schema/wire/index.ts";
import { nearMatches } from "../near.ts";
import { REPORT_METRICS } from "./catalogue.ts";

export interface Definer {
	readonly project: string;
	readonly box: SecretBox;
	/** Milliseconds since the epoch. */
	readonly now: number;
}

/** @throws ApiError 400 */
export function fromBody(body: z.infer<typeof reportBody>, { project, box, now }: Definer): StoredReport {
	const { name, description, template, kpis, include_charts, format } = body;
	const schedule = body.schedule === undefined ? null : scheduleOf(body.schedule, body.timezone, now);
	return {
		...{ name, description, content: { type: "template", template, kpis }, include_charts },
		...{ timeframe: body.timeframe ?? usualTimeframe(schedule, now), timezone: schedule?.timezone ?? body.timezone },
		...{ schedule, formats: format },
		delivery: { emails: body.recipients, formats: format, ...sealed(body.webhook, box, project) },
	};
}

/** The formats that are made of a custom report, besides the one that is sent. */
const CUSTOM_FORMATS: readonly ReportFormat[] = ["json", "csv", "pdf"];

/** @throws ApiError 400 */
export function fromCustomBody(body: z.infer<typeof customReportBody>, { project, box, now }: Definer): StoredReport {
	const { name, description, metrics, groupby, filters, delivery } = body;
	for (const [i, metric] of metrics.entries()) if (!REPORT_METRICS.has(metric)) throw unknownMetric(i, metric);
	const schedule = body.schedule === undefined ? null : scheduleOf(body.schedule, "UTC", now);
	const sent = delivery?.format ?? "json";
	const { models = null, user_segments = null } = filters;
	return {
		...{ name, description, include_charts: true, schedule },
		content: { type: "custom", metrics, models, user_segments, groupby },
		...{ timeframe: filters.timeframe, timezone: schedule?.timezone ?? "UTC" },
		formats: REPORT_FORMATS.filter((format) => format === sent || CUSTOM_FORMATS.includes(format)),
		delivery: { emails: delivery?.email ?? [], formats: [sent], ...sealed(delivery?.webhook, box, project) },
	};
}

/** The same way as channels of notifications: the origin stays readable. */
function sealed(url: string | undefined, box: SecretBox, project: string): { readonly url: string | null } {
	return url === undefined ? { url: null } : sealSecrets({ url }, box, project);
}

function unknownMetric(index: number, metric: string) {
	return badParameter({
		...{ message: `Unknown metric ${metric}`, parameter: `metrics.${index}`, provided: metric },
		valid_options: nearMatches(metric, [...REPORT_METRICS.keys()]),
		reason: "No measure of the catalogue has this name; valid_options are the nearest",
	});
}

function scheduleOf(given: string | Schedule | (Plan & { readonly timezone: string }), zone: string, now: number) {
	try {
		const schedule: Schedule =
			typeof given === "string"
				? { cron: given, timezone: zone }
				: { cron: "cron" in given ? given.cron : cronOf(given), timezone: given.timezone };
		checkSchedule(schedule, now);
		return schedule;
	} catch (error) {
		if (!(error instanceof ScheduleError)) throw error;
		throw badParameter({
			...{ parameter: "schedule", provided: given, reason: error.message },
			valid_options: [
				"five fields of cron, such as 0 9 * * 1",
				'{"frequency": "weekly", "day": "monday", "time": "09:00", "timezone": "UTC"}',
			],
		});
	}
}
