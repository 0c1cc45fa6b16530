// Reports from what is asked for to what is delivered: real routes, engine, Redis, mail server and webhook, under a clock of the test.
import { createHmac, randomBytes } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reachOf } from "../../query/measures/scope.ts";
import type { Reach } from "../../query/plan/plan.ts";
import { reportComposer } from "../../query/reports/compose.ts";
import type { CustomContent } from "../../query/reports/custom.ts";
import { type Asker, Queries } from "../../query/run.ts";
import { Definitions } from "../../schema/definitions.ts";
import { JobStore } from "../../schema/jobs.ts";
import { type ReportDocument, reportDocument } from "../../schema/report-document.ts";
import { Deliveries, type DeliveryOutcome } from "../../schema/reports/deliveries.ts";
import { ReportFiles } from "../../schema/reports/files.ts";
import { exportPath } from "../../schema/reports/links.ts";
import { deliveryId, RUN_KIND, runState } from "../../schema/reports/runs.ts";
import {
	customReportAnswer,
	NOTIFICATIONS_ID,
	NOTIFICATIONS_KIND,
	REPORT_KIND,
	REPORT_TEMPLATES,
	type ReportRunAnswer,
	type ReportTemplate,
	reportAnswer,
	reportRunsAnswer,
	storedNotifications,
	storedReport,
} from "../../schema/wire/index.ts";
import { type RunningJobs, startJobs } from "../../workers/jobs/runner.ts";
import { openOutbound } from "../../workers/outbound/outbound.ts";
import { type EmbeddedRedis, startRedis } from "../../workers/redis.ts";
import { DueReports } from "../../workers/reports/due.ts";
import { renderReport } from "../../workers/reports/render/render.ts";
import { type ReportsOptions, reportJobs } from "../../workers/reports/reports.ts";
import { until } from "../server.ts";
import { NO_EXPIRY, startDatabase, type TestDatabase } from "../support/database.ts";
import { httpServer, type TestServer } from "../support/loopback.ts";
import { type Mailbox, mailServer } from "../support/mailbox.ts";
import { randomFrom } from "../support/random.ts";
import { type Answer, READS_BOX, type Reads, startReads } from "../support/reads.ts";
import { insertEvents, insertSeries, type TestEvent } from "../support/records.ts";

const NOW = Date.parse("2026-03-10T10:00:00Z");
const DAY = 86_400_000;
const HOUR = 3_600_000;
const logger = pino({ level: "silent" });
const folder = mkdtempSync(join(tmpdir(), "tidemark-reports-"));
const SECRET = `whsec_${randomBytes(24).toString("base64")}`;

interface Call {
	readonly ts: number;
	readonly model: string;
	readonly account_id: string;
	readonly latency_ms: number;
	readonly error_type: string;
}

const random = randomFrom(6);
const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)]!;
const PLANS: Readonly<Record<string, string>> = { acme: "enterprise", bolt: "professional", core: "starter" };
/** Over 25 days, clocks of New York going forward within; in no order. */
const calls: Call[] = Array.from({ length: 900 }, () => ({
	ts: NOW - Math.floor(random() * 25 * DAY),
	model: pick(["llama3.2:latest", "mistral/7b 'x'", ""]),
	account_id: pick(["acme", "bolt", "core", ""]),
	latency_ms: 100 + Math.floor(random() * 2_000),
	error_type: pick(["", "", "", "", "timeout", "cancelled", "overload"]),
}));

let database: TestDatabase;
let embedded: EmbeddedRedis;
let reads: Reads;
let mailbox: Mailbox;
let hook: TestServer;
let jobs: RunningJobs;
let options: ReportsOptions;
const received: { path: string; headers: Record<string, unknown>; body: string }[] = [];
let refusals = 0;
/** Drawing takes a process and seconds, and has tests of its own: one here is drawn, others hold the same as text. */
let draws = false;
const render: typeof renderReport = (document, format, options) =>
	renderReport(document, format === "pdf" && !draws ? "csv" : format, options);
const began = Date.now();
let ahead = 0;
const worker = new EventEmitter();
const now = () => NOW + (Date.now() - began) + ahead;

beforeAll(async () => {
	[database, embedded, mailbox] = await Promise.all([
		startDatabase(NO_EXPIRY),
		startRedis({ dataDir: folder, logger }),
		mailServer(),
	]);
	hook = await httpServer((request, response) => {
		let body = "";
		request.setEncoding("utf8").on("data", (text: string) => {
			body += text;
		});
		request.on("end", () => {
			response.statusCode = refusals-- > 0 ? 503 : 204;
			if (response.statusCode === 204) received.push({ path: request.url!, headers: request.headers, body });
			response.end();
		});
	});
	const { client } = database;
	const events: TestEvent[] = calls.map(({ ts, model, account_id, latency_ms, error_type }, i) => ({
		...{ event: "model_inference_completed", ts, account_id, user_id: `u${i % 37}`, session_id: `s${i % 90}` },
		properties: {
			...(model && { model }),
			latency_ms,
			...(error_type && { error_type }),
			input_tokens: 5,
			output_tokens: i,
		},
	}));
	const plans = Object.entries(PLANS).map(([account_id, plan], i) => ({
		...{ event: "subscription.started", ts: NOW - 60 * DAY, account_id },
		properties: { subscription_id: `s${i}`, plan, amount: 100, currency: "USD", interval: "month" },
	}));
	await insertEvents(client, "ours", [...events, ...plans]);
	await insertEvents(
		client,
		"theirs",
		events.slice(0, 90).map((event) => ({ ...event, account_id: "acme" })),
	);
	const points = Array.from({ length: 2_000 }, () => [NOW - Math.floor(random() * 25 * DAY), 0.01 + random()] as const);
	await insertSeries(client, "ours", [
		{
			...{ name: "http.server.request.duration", kind: "distribution", points: points.slice(0, 1_900) },
			tags: { "http.response.status_code": "200", component: "api" },
		},
		{
			...{ name: "http.server.request.duration", kind: "distribution", points: points.slice(1_900) },
			tags: { "http.response.status_code": "503", component: "api" },
		},
		{
			name: "system.cpu.utilization",
			tags: { "host.name": "h1" },
			points: points.map(([ts, value]): [number, number] => [ts, value / 2]),
		},
	]);
	// Its first record is of the last day before the week that is told.
	const young = Array.from({ length: 70 }, (_, i): [number, number] => [
		NOW - 10 * HOUR - 8 * DAY + 2.7 * HOUR * i,
		0.1,
	]);
	await insertSeries(client, "young", [
		{ name: "http.server.request.duration", kind: "distribution", tags: { component: "api" }, points: young },
	]);
	const channels = new Definitions(client, NOTIFICATIONS_KIND, storedNotifications);
	await channels.put("ours", NOTIFICATIONS_ID, { channels: [], contacts: {}, secret: SECRET });
	reads = await startReads(client, { projects: ["ours", "theirs", "empty"], now: NOW });
	const queries = new Queries({ client, secondLock: false });
	options = {
		...{ clickhouse: client, box: READS_BOX, now, render, retention_ms: 10_000 * DAY },
		...{ publicUrl: () => "https://tidemark.example.org", smtpUrl: mailbox.url, mailFrom: "tidemark@example.org" },
		outbound: openOutbound({ allow: ["127.0.0.1"] }),
		compose: reportComposer({ queries, reach: reachOf(NO_EXPIRY), client, now }),
	};
	jobs = startJobs({
		...{ clickhouse: client, redisUrl: embedded.url, logger, now, tick_ms: 200 },
		jobs: reportJobs(options),
		onAttempt({ outcome }) {
			// The next attempt is not waited for.
			if (outcome === "retry") ahead += HOUR;
			worker.emit("attempt");
		},
	});
});
afterAll(async () => {
	await jobs.close();
	await Promise.all([database.stop(), embedded.stop(), mailbox.stop(), hook.stop()]);
	await rm(folder, { recursive: true, force: true });
});

const create = (body: object, path = "/v1/monitoring/reports") => reads.send("ours", "POST", path, body);

async function newestOf(report_id: string): Promise<ReportRunAnswer | undefined> {
	const { body } = await reads.get("ours", `/v1/monitoring/reports/${report_id}/runs`);
	return reportRunsAnswer.parse(body).runs[0];
}

/** Looks whenever the worker has ended an attempt: a question every few milliseconds is what makes it slow. */
async function finished(report_id: string, isOver = (run: ReportRunAnswer) => run.finished_at !== null) {
	for (const deadline = performance.now() + 60_000; performance.now() < deadline; ) {
		const ended = once(worker, "attempt", { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
		const run = await newestOf(report_id);
		if (run && isOver(run)) return run;
		await ended;
	}
	throw new Error("the run was not over after a minute");
}

const delivered = ({ deliveries }: ReportRunAnswer) =>
	deliveries.length > 0 && deliveries.every(({ status }) => !["pending", "sending"].includes(status));

/** Of the calls in `[start, end)`, in another way than the measures do. */
function truth(start: number, end: number, wanted: (call: Call) => boolean) {
	const inside = calls.filter((call) => call.ts >= start && call.ts < end && wanted(call));
	const ended = inside.filter(({ error_type }) => error_type !== "cancelled");
	const timed = ended.filter(({ error_type }) => error_type !== "timeout");
	const good = inside.filter(({ error_type }) => error_type === "");
	const mean = timed.reduce((sum, { latency_ms }) => sum + latency_ms, 0) / timed.length;
	return {
		requests: inside.length,
		avg_response_time: timed.length === 0 ? null : Math.round(mean),
		success_rate: ended.length === 0 ? null : Number((good.length / ended.length).toFixed(4)),
	};
}

/** Of a week, without what stores and delivers it. */
async function composed(
	content: Partial<CustomContent> | { readonly template: ReportTemplate },
	{
		project = "ours",
		timezone = "UTC",
		reach = {},
	}: { readonly project?: string; readonly timezone?: string; readonly reach?: Partial<Reach> } = {},
) {
	const custom = { type: "custom", models: null, user_segments: null, groupby: ["date"], ...content };
	const body = storedReport.parse({
		...{ name: "n", description: "", timeframe: "7d", timezone, schedule: null, formats: ["json"] },
		content: "template" in content ? { type: "template", kpis: [], ...content } : custom,
		...{ include_charts: true, delivery: { emails: [], url: null, formats: ["json"] } },
	});
	const askers: Asker[] = [];
	class Watched extends Queries {
		override of(...given: Parameters<Queries["of"]>) {
			const asker = super.of(...given);
			askers.push(asker);
			return asker;
		}
	}
	const { client } = database;
	const queries = new Watched({ client, secondLock: false });
	const compose = reportComposer({ queries, reach: { ...reachOf(NO_EXPIRY), ...reach }, client, now: () => NOW });
	const report = { project, id: "r", body, created_at: new Date(NOW), updated_at: new Date(NOW), version: 1 };
	const { data, document } = await compose(report, NOW, AbortSignal.timeout(60_000));
	return { data, document, questions: askers.flatMap(({ explained }) => explained) };
}

function figuresOf({ sections }: Pick<ReportDocument, "sections">) {
	return sections.flatMap(({ blocks }) => blocks.flatMap((block) => (block.type === "figures" ? block.items : [])));
}

const DOCUMENT = {
	name: "Weekly AI Performance Report",
	description: "Weekly analysis of AI model performance",
	metrics: ["ai.performance.response_time", "ai.performance.success_rate", "usage.ai_requests", "system.cpu_usage"],
};
const PLAN = { frequency: "weekly", day: "monday", time: "09:00", timezone: "UTC" };

describe("a custom report", () => {
	const [start, end] = [Date.parse("2026-03-03T00:00:00Z"), Date.parse("2026-03-10T00:00:00Z")];

	test("counts what the records say, by day, model and segment, and what the routes say", async () => {
		const filters = {
			timeframe: "7d",
			models: ["llama3.2:latest", "unknown"],
			user_segments: ["enterprise", "professional"],
		};
		const { status, body } = await create(
			{ ...DOCUMENT, filters, groupby: ["date", "model"] },
			"/analytics/reports/custom",
		);
		expect([status, body.status, body.next_run]).toEqual([201, "queued", null]);
		await finished(body.report_id);
		const found = await reads.get("ours", `/analytics/reports/${body.report_id}`);
		const answer = customReportAnswer.parse(found.body);
		expect(answer).toMatchObject({
			status: "completed",
			name: DOCUMENT.name,
			data_through: new Date(end).toISOString(),
		});
		const isWanted = ({ model, account_id }: Call) =>
			["llama3.2:latest", ""].includes(model) && ["acme", "bolt"].includes(account_id);
		const { requests: total_requests, ...rest } = truth(start, end, isWanted);
		const resources = await reads.get("ours", "/v1/monitoring/resources", {
			...{ start, end, as_of: end, components: "compute" },
		});
		expect(answer.data?.summary).toEqual({
			...{ timeframe: "2026-03-03 to 2026-03-09", total_requests, ...rest },
			cpu_usage: resources.body.cpu.avg_utilization,
		});
		const expected: object[] = [];
		for (let day = start; day < end; day += DAY) {
			for (const model of ["llama3.2:latest", ""]) {
				const of = truth(day, day + DAY, (call) => isWanted(call) && call.model === model);
				const date = new Date(day).toISOString().slice(0, 10);
				if (of.requests > 0) expected.push({ date, model: model || "unknown", ...of });
			}
		}
		expect(answer.data?.details).toEqual(expected);
		expect(answer.meta?.methods["details.cpu_usage"]).toContain("only in the summary");
		expect(answer.data?.insights).toEqual(answer.data?.insight_evidence.map(({ text }) => text));
		expect(Object.keys(answer.export_urls)).toEqual(["json", "csv", "pdf"]);
		const pdf = await reads.open(answer.export_urls.pdf!);
		expect([pdf.status, pdf.headers.get("content-type")]).toEqual([200, "application/pdf"]);
		expect(await pdf.text()).toContain(DOCUMENT.name);
	});

	test("by model is what the route of models answers for the same window", async () => {
		const { body } = await create({ ...DOCUMENT, groupby: ["model"] }, "/analytics/reports/custom");
		await finished(body.report_id);
		const { data } = customReportAnswer.parse((await reads.get("ours", `/analytics/reports/${body.report_id}`)).body);
		const route = await reads.get("ours", "/analytics/ai/performance", { start, end, as_of: end });
		const of = route.body.models as {
			name: string;
			requests: number;
			avg_response_time: number;
			success_rate: number;
		}[];
		const byName = of.toSorted((a, b) => (a.name < b.name ? -1 : 1));
		expect(data?.details.map(({ model, requests }) => [model, requests])).toEqual(
			byName.map(({ name, requests }) => [name, requests]),
		);
		for (const [i, { avg_response_time, success_rate }] of byName.entries()) {
			expect(data?.details[i]?.avg_response_time).toBe(avg_response_time);
			expect(data?.details[i]?.success_rate).toBeCloseTo(success_rate, 3);
		}
	});

	test("by segment counts the calls of its accounts", async () => {
		const metrics = ["ai.requests", "ai.response_time", "ai.success_rate"];
		const { data } = await composed({ metrics, groupby: ["user_segment"] });
		const bySegment = (account: string) => truth(start, end, ({ account_id }) => account_id === account);
		expect(data?.details).toEqual(
			["acme", "bolt", "core"]
				.map((account) => ({ user_segment: PLANS[account]!, ...bySegment(account) }))
				.sort((a, b) => (a.user_segment < b.user_segment ? -1 : 1)),
		);
		const { requests, ...rest } = truth(start, end, () => true);
		expect(data?.summary).toMatchObject({ total_requests: requests, ...rest });
	});

	test("asks no question twice", async () => {
		const { questions } = await composed({ metrics: DOCUMENT.metrics, user_segments: ["enterprise"] });
		const asked = questions.map(({ name, sql, params }) => JSON.stringify([name, sql, params]));
		expect(asked.length).toBeGreaterThan(5);
		expect(asked.filter((one, i) => asked.indexOf(one) < i)).toEqual([]);
	});

	test("of a time whose events are gone fails instead of counting what is left", async () => {
		const metrics = ["usage.ai_requests"];
		await expect(composed({ metrics }, { reach: { events_days: 7 } })).rejects.toThrow("Events are kept for 7 days");
		await expect(composed({ metrics }, { reach: { events_days: 8 } })).resolves.toBeDefined();
		await expect(composed({ metrics: ["system.cpu_usage"] }, { reach: { events_days: 7 } })).resolves.toBeDefined();
	});

	test("of a project that sends nothing is null and says what to send", async () => {
		const { body } = await reads.send("empty", "POST", "/analytics/reports/custom", { ...DOCUMENT, groupby: ["date"] });
		const answer = await until(async () => {
			const found = (await reads.get("empty", `/analytics/reports/${body.report_id}`)).body;
			return found.status === "completed" && customReportAnswer.parse(found);
		});
		expect(answer.data).toMatchObject({
			summary: { total_requests: null, avg_response_time: null, success_rate: null, cpu_usage: null },
			...{ details: [], insights: [] },
		});
		expect(answer.meta?.missing.map(({ field }) => field)).toEqual([
			...["data.summary.avg_response_time", "data.summary.success_rate", "data.summary.total_requests"],
			...["data.summary.cpu_usage", "data.details"],
		]);
	});

	test.each<[object, string, RegExp | undefined]>([
		[{ metrics: ["ai.performance.respons_time"] }, "metrics.0", /ai\.performance\.response_time/],
		[{ schedule: { ...PLAN, day: "someday" } }, "schedule", undefined],
		[{ schedule: { ...PLAN, timezone: "Mars/Base" } }, "schedule.timezone", undefined],
		[{ filters: { timeframe: "2w" } }, "filters.timeframe", /7d/],
		[{ groupby: ["moon"] }, "groupby.0", /model/],
		[{ delivery: { format: "docx" } }, "delivery.format", /pdf/],
	])("with %j is refused by its parameter", async (wrong, parameter, options) => {
		const { status, body } = await create({ ...DOCUMENT, ...wrong }, "/analytics/reports/custom");
		expect([status, body.details.parameter]).toEqual([400, parameter]);
		if (options) expect(JSON.stringify(body.details.valid_options)).toMatch(options);
	});
});

describe("a scheduled report", () => {
	test("says when it is next due, and refuses what is never due or every second", async () => {
		const weekly = await create({
			name: "Weekly",
			template: "performance_summary",
			schedule: "0 9 * * 1",
			format: "pdf",
		});
		expect(reportAnswer.parse(weekly.body)).toMatchObject({
			...{
				status: "scheduled",
				next_run: "2026-03-16T09:00:00.000Z",
				timeframe: "7d",
				formats: ["pdf"],
				last_run: null,
			},
		});
		const custom = await create({ ...DOCUMENT, schedule: PLAN }, "/analytics/reports/custom");
		expect(custom.body).toMatchObject({ status: "scheduled", next_run: "2026-03-16T09:00:00.000Z" });
		for (const schedule of ["0 0 30 2 *", "* * * * * *", "soon"]) {
			const { status, body } = await create({ name: "n", template: "usage_summary", schedule });
			expect([status, body.details.parameter]).toEqual([400, "schedule"]);
		}
		const all = await reads.get("ours", "/v1/monitoring/reports");
		expect(all.body.reports.map(({ report_id }: { report_id: string }) => report_id)).toContain(weekly.body.report_id);
		const gone = await reads.send("ours", "DELETE", `/v1/monitoring/reports/${weekly.body.report_id}`);
		const after = await reads.get("ours", `/v1/monitoring/reports/${weekly.body.report_id}`);
		expect([gone.status, after.status]).toEqual([204, 404]);
	});

	test("that was missed is made up for once, by the newest instant, whoever looks and however often", async () => {
		const { body } = await create({ name: "Hourly", template: "ai_summary", schedule: "30 * * * *", format: "json" });
		const { client } = database;
		const store = new JobStore(client, now);
		const looker = () =>
			new DueReports({ reports: new Definitions(client, REPORT_KIND, storedReport), jobs: store, logger });
		const [one, two] = [looker(), looker()];
		const at = NOW + 5 * HOUR;
		const asked = [await one.look(at), await two.look(at), await one.look(at + 1), await looker().look(at + 60_000)];
		const runs = (await store.list("ours", { kind: RUN_KIND, of: body.report_id })).map(({ input }) => input);
		expect(asked.flat()).toHaveLength(1);
		expect(runs).toMatchObject([{ scheduled_for: Date.parse("2026-03-10T14:30:00Z"), missed: 4 }]);
		expect(await one.look(at + HOUR)).toHaveLength(1);
		const [newest] = await store.list("ours", { kind: RUN_KIND, of: body.report_id, limit: 1 });
		expect(newest?.input).toMatchObject({ scheduled_for: Date.parse("2026-03-10T15:30:00Z"), missed: 0 });
		// However many are asked for in between, the newest of the schedule is found.
		await store.create({
			...{ project: "ours", kind: RUN_KIND, of: body.report_id, job_id: "run_asked" },
			input: { report_id: body.report_id, trigger: "demand", scheduled_for: null, as_of: NOW, missed: 0 },
		});
		const which = { kind: RUN_KIND, of: body.report_id, input: ["trigger", "schedule"] as const, limit: 1 };
		expect((await store.list("ours", which)).map(({ job_id }) => job_id)).toEqual([newest!.job_id]);
		const first = await until(async () => {
			const answer = await reads.get("ours", `/v1/monitoring/reports/${body.report_id}/runs`);
			return reportRunsAnswer.parse(answer.body).runs.find(({ reason, finished_at }) => reason && finished_at);
		});
		expect(first).toMatchObject({
			...{ status: "completed", reason: "stands for 4 earlier runs that nobody was there to make" },
			period: { start: "2026-03-10T13:00:00.000Z", end: "2026-03-10T14:00:00.000Z", timezone: "UTC" },
		});
	});

	test("whose definition is gone by then is skipped", async () => {
		const { body } = await create({ name: "Gone", template: "usage_summary" });
		const store = new JobStore(database.client, now);
		await reads.send("ours", "DELETE", `/v1/monitoring/reports/${body.report_id}`);
		const input = { report_id: body.report_id, trigger: "demand", scheduled_for: null, as_of: NOW, missed: 0 };
		await store.create({ project: "ours", kind: RUN_KIND, job_id: "run_gone", of: body.report_id, input });
		const job = await until(async () => {
			const found = await store.get("ours", RUN_KIND, "run_gone");
			return found?.finished_at ? found : undefined;
		});
		expect(job).toMatchObject({ status: "completed", state: { skipped: "the report was deleted before it ran" } });
	});
});

test("templates tell what the routes answer for the same as_of, over a change of the clocks", async () => {
	const timezone = "America/New_York";
	const figures: Record<string, Record<string, unknown>> = {};
	// Clocks of New York went forward in between.
	const period = { start: "2026-03-03T05:00:00.000Z", end: "2026-03-10T04:00:00.000Z", timezone };
	for (const template of REPORT_TEMPLATES) {
		const document = reportDocument.parse((await composed({ template }, { timezone })).document);
		expect(document.period).toEqual(period);
		figures[template] = Object.fromEntries(figuresOf(document).map(({ label, value }) => [label, value]));
		const [compared] = figuresOf(document).filter(({ label }) => label === "Requests");
		if (compared) expect(compared.change_percentage).toBeTypeOf("number");
	}
	const live = (path: string): Promise<Answer> => reads.get("ours", path, { ...period, as_of: period.end });
	const [metrics, usage, overview, business, revenue, errors] = await Promise.all(
		[
			"monitoring/metrics",
			"monitoring/usage",
			"",
			"monitoring/business",
			"monitoring/revenue",
			"monitoring/errors/analysis",
		].map((path) => live(path === "" ? "/analytics/usage/overview" : `/v1/${path}`)),
	);
	const { summary } = metrics!.body;
	expect(summary.total_requests).toBeGreaterThan(100);
	for (const template of ["performance_summary", "reliability_summary"]) {
		expect(figures[template]).toMatchObject({
			...{ Requests: summary.total_requests, "Mean response time": summary.avg_response_time },
			...{
				"Slowest response": summary.peak_response_time,
				"Failed requests": summary.error_count,
				Availability: null,
			},
		});
	}
	expect(figures.reliability_summary).toMatchObject({ Errors: errors!.body.total_errors });
	expect(figures.usage_summary).toMatchObject({
		"AI requests": overview!.body.totals.ai_requests,
		Sessions: overview!.body.totals.total_sessions,
		"API calls": usage!.body.total_api_calls,
	});
	expect(figures.business_summary).toMatchObject({
		"Users in 30 days": business!.body.monthly_active_users.value,
		"Recurring revenue a month": revenue!.body.mrr,
		"Lifetime value": revenue!.body.ltv,
	});
	expect(revenue!.body.mrr).toBe(300);
});

describe("a report that is delivered", () => {
	test("comes by mail with its files and by a signed webhook, once each, after as many refusals as it takes", async () => {
		refusals = 2;
		draws = true;
		const { body } = await create({
			...{ name: "Ёмкость 日本", template: "ai_summary", format: ["pdf", "json"] },
			...{ recipients: ["a@example.org", "b@example.org"], webhook: `http://127.0.0.1:${hook.port}/hook?key=s3cret` },
		});
		expect(body.webhook).toBe(`http://127.0.0.1:${hook.port}`);
		const stored = await database.client.query({
			query: "SELECT body FROM definitions WHERE kind = 'report'",
			format: "JSONEachRow",
		});
		expect(JSON.stringify(await stored.json())).not.toContain("s3cret");
		await reads.send("ours", "POST", `/v1/monitoring/reports/${body.report_id}/run`);
		const run = await finished(body.report_id, delivered);
		draws = false;
		expect(run.deliveries).toMatchObject([
			{ target: "a@example.org", type: "email", status: "sent", attempts: 1, last_error: null },
			{ target: "b@example.org", type: "email", status: "sent", attempts: 1, last_error: null },
			{
				target: `http://127.0.0.1:${hook.port}`,
				type: "webhook",
				status: "sent",
				attempts: 3,
				last_error: "answered 503",
			},
		]);
		const ours = mailbox.mails.filter(({ headers }) => headers["x-tidemark-run"] === run.run_id);
		expect(ours.map(({ to }) => to[0]).sort()).toEqual(["a@example.org", "b@example.org"]);
		expect(ours[0]!.raw.match(/Content-Type: application\/pdf/g)).toHaveLength(1);
		expect(ours[0]!.raw).toContain("JVBERi0");
		const [call, ...more] = received.filter(({ body: text }) => text.includes(run.run_id));
		expect([call!.path, more]).toEqual(["/hook?key=s3cret", []]);
		const { "webhook-id": id, "webhook-timestamp": at, "webhook-signature": signature } = call!.headers;
		const key = Buffer.from(SECRET.slice("whsec_".length), "base64");
		expect(signature).toBe(`v1,${createHmac("sha256", key).update(`${id}.${at}.${call!.body}`).digest("base64")}`);
		const { type, data } = JSON.parse(call!.body);
		expect([type, data.name, data.report.title]).toEqual(["report.completed", "Ёмкость 日本", "Ёмкость 日本"]);
		const linked = await reads.open(data.export_urls.pdf.replace("https://tidemark.example.org", ""));
		expect(linked.status).toBe(200);
	});

	test("is not sent again when it was interrupted while it was sent, nor when it was refused for good", async () => {
		const { body } = await create({
			name: "Unsure",
			template: "ai_summary",
			format: "csv",
			recipients: ["c@example.org"],
		});
		const run_id = "run_unsure";
		const deliveries = new Deliveries(database.client);
		await deliveries.put({
			...{
				project: "ours",
				report_id: body.report_id,
				run_id,
				delivery_id: deliveryId(run_id, "email", "c@example.org"),
			},
			...{ attempt: 1, type: "email", target: "c@example.org", outcome: "sending", status_code: 0, detail: "" },
			...{ duration_ms: 0, started_at: NOW },
		});
		const input = { report_id: body.report_id, trigger: "demand", scheduled_for: null, as_of: NOW, missed: 0 };
		await new JobStore(database.client, now).create({
			project: "ours",
			kind: RUN_KIND,
			job_id: run_id,
			of: body.report_id,
			input,
		});
		const unsure = await finished(body.report_id, delivered);
		expect(unsure.deliveries).toMatchObject([{ status: "unsure", attempts: 1 }]);
		mailbox.refuseWith(550);
		const refused = await create({
			name: "Refused",
			template: "ai_summary",
			format: "csv",
			recipients: ["d@example.org"],
		});
		await reads.send("ours", "POST", `/v1/monitoring/reports/${refused.body.report_id}/run`);
		const run = await finished(refused.body.report_id, delivered);
		mailbox.refuseWith(undefined);
		expect(run).toMatchObject({ status: "completed", deliveries: [{ status: "failed", attempts: 1 }] });
		expect(run.deliveries[0]!.last_error).toContain("550");
		expect(mailbox.mails.flatMap(({ to }) => to).filter((to) => /^[cd]@/.test(to))).toEqual([]);
	});
});

test("a template shows no change against a week in which the project did not send yet", async () => {
	const { document } = await composed({ template: "performance_summary" }, { project: "young" });
	const requests = figuresOf(document).find(({ label }) => label === "Requests");
	expect(requests).toEqual({ label: "Requests", value: 61 });
	expect(JSON.stringify(document)).not.toContain("week before");
});

describe("an attempt to deliver", () => {
	let run: ReportRunAnswer;
	beforeAll(async () => {
		const { body } = await create({ name: "Attempted", template: "ai_summary", format: "csv" });
		await reads.send("ours", "POST", `/v1/monitoring/reports/${body.report_id}/run`);
		run = await finished(body.report_id);
	});

	/** Without the queue: what is asked of the job. */
	function deliveryTo(to: string, { report_id, run_id }: Pick<ReportRunAnswer, "report_id" | "run_id"> = run) {
		const [, kind] = reportJobs(options);
		const stop = new AbortController();
		const input = { report_id, run_id, type: to.includes("@") ? "email" : "webhook", to };
		const given = { project: "ours", job_id: `to ${to}`, input, state: undefined, signal: stop.signal };
		const unused = { progress: () => undefined, checkpoint: async () => undefined };
		const deliveries = new Deliveries(database.client);
		const key = { project: "ours", report_id, run_id, delivery_id: given.job_id };
		return {
			stop: () => stop.abort(),
			begin: (attempt: number) => kind!.run({ ...given, ...unused, attempt }),
			giveUp: () => kind!.discard!(given),
			leaveAt: (outcome: DeliveryOutcome) =>
				deliveries.put({
					...{ ...key, attempt: 1, type: "email", target: to, outcome, status_code: 0, detail: "" },
					...{ duration_ms: 0, started_at: NOW },
				}),
			attempts: async () =>
				(await deliveries.of("ours", report_id, [run_id])).filter(({ delivery_id }) => delivery_id === given.job_id),
		};
	}

	test("that a mail server took whole without an answer may have arrived, and is not made again", async () => {
		mailbox.keepSilentTo("slow@example.org");
		const isSlow = ({ to }: { to: readonly string[] }) => to[0] === "slow@example.org";
		const delivery = deliveryTo("slow@example.org");
		const first = delivery.begin(1);
		await until(() => mailbox.mails.some(isSlow));
		delivery.stop();
		expect([await first, await deliveryTo("slow@example.org").begin(2)]).toEqual([
			{ outcome: "unsure" },
			{ outcome: "unsure" },
		]);
		const detail = expect.stringContaining("no answer");
		expect(await delivery.attempts()).toMatchObject([{ attempt: 1, outcome: "unsure", detail }]);
		expect(mailbox.mails.filter(isSlow)).toHaveLength(1);
	});

	test("promises no link for longer than its file is kept", async () => {
		const short = { report_id: run.report_id, run_id: "run_short" };
		const store = new JobStore(database.client, now);
		const key = { project: "ours", kind: RUN_KIND, job_id: short.run_id };
		const { state } = (await store.get("ours", RUN_KIND, run.run_id))!;
		const { files, ...made } = runState.parse(state);
		const kept = new ReportFiles(database.client);
		for (const file of files) {
			const content = (await kept.read({ ...run, project: "ours", attempt: made.attempt }, file))!;
			const of = { project: "ours", ...short, attempt: made.attempt };
			await kept.write(of, file.name, content, new Date(NOW + 10_000 * DAY));
		}
		const kept_until = NOW + 2 * HOUR;
		// Over before anybody can find it open.
		await store.finish(key, 1, { status: "completed", state: { ...made, files, kept_until } });
		const input = { report_id: run.report_id, trigger: "demand", scheduled_for: null, as_of: NOW, missed: 0 };
		await store.create({ ...key, of: run.report_id, input });
		const until = new Date(kept_until).toISOString();
		const { body } = await reads.get("ours", `/v1/monitoring/reports/${run.report_id}/runs`);
		const told = reportRunsAnswer.parse(body).runs.find(({ run_id }) => run_id === short.run_id)!;
		expect(told.files).toMatchObject([{ url_expires_at: until }]);
		await deliveryTo(`http://127.0.0.1:${hook.port}/short`, short).begin(1);
		const call = received.find(({ path }) => path === "/short")!;
		expect(JSON.parse(call.body).data.links_until).toBe(until);
	});

	test("after which nobody tries again has failed, or may have arrived, and nothing is pending for ever", async () => {
		refusals = 1;
		const refused = deliveryTo(`http://127.0.0.1:${hook.port}/hook`);
		await expect(refused.begin(15)).rejects.toThrow("answered 503");
		expect(await refused.attempts()).toMatchObject([{ outcome: "retry" }]);
		await refused.giveUp();
		expect(await refused.attempts()).toMatchObject([{ outcome: "failed", attempt: 15, detail: "answered 503" }]);
		for (const [left, outcome] of [
			[undefined, "failed"],
			["started", "failed"],
			["sending", "unsure"],
			["sent", "sent"],
		] as const) {
			const delivery = deliveryTo(`left-${left}@example.org`);
			if (left) await delivery.leaveAt(left);
			await delivery.giveUp();
			expect(await delivery.attempts()).toMatchObject([{ outcome, attempt: 1 }]);
		}
	});
});

test("a link opens its file only: not another, not changed, not after its time, not once the report is deleted", async () => {
	const timezone = "America/New_York";
	const { body } = await create({ name: "Linked", template: "ai_summary", timezone, format: ["csv", "json"] });
	await reads.send("ours", "POST", `/v1/monitoring/reports/${body.report_id}/run`);
	const { run_id, files, period } = await finished(body.report_id);
	const [url, json] = ["csv", "json"].map((wanted) => files.find(({ format }) => format === wanted)!.url) as [
		string,
		string,
	];
	const document = reportDocument.parse(await (await reads.open(json)).json());
	expect(document).toMatchObject({ title: "Linked", period });
	const statusOf = async (path: string) => (await reads.open(path)).status;
	const claim = { project: "ours", report_id: body.report_id, run_id, format: "csv" as const };
	expect(await statusOf(url)).toBe(200);
	expect(await statusOf(url.replace(".csv?", ".json?"))).toBe(403);
	expect(await statusOf(`${url}x`)).toBe(403);
	expect(await statusOf(url.replace(/token=..../, "token=AAAA"))).toBe(403);
	expect(await statusOf(url.split("?")[0]!)).toBe(400);
	expect(await statusOf(exportPath({ ...claim, expires_at: NOW }, READS_BOX))).toBe(410);
	expect(await statusOf(exportPath({ ...claim, project: "theirs", expires_at: NOW + 1 }, READS_BOX))).toBe(410);
	await reads.send("ours", "DELETE", `/v1/monitoring/reports/${body.report_id}`);
	expect(await statusOf(url)).toBe(410);
});

test("reports of another project are not found, and viewers define none", async () => {
	const { body } = await create({ name: "Ours", template: "ai_summary" });
	const path = `/v1/monitoring/reports/${body.report_id}`;
	const foreign = await Promise.all([
		...["", "/runs"].map((rest) => reads.get("theirs", `${path}${rest}`)),
		reads.get("theirs", `/analytics/reports/${body.report_id}`),
		reads.send("theirs", "POST", `${path}/run`),
		reads.send("theirs", "DELETE", path),
	]);
	expect(foreign.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
	expect((await reads.get("theirs", "/v1/monitoring/reports")).body.total).toBe(0);
	const viewer = await reads.send(
		"ours",
		"POST",
		"/v1/monitoring/reports",
		{ name: "n", template: "ai_summary" },
		"analytics_viewer",
	);
	expect(viewer.status).toBe(403);
});

test("a Redis that forgets everything in the middle of a run forgets no run", async () => {
	const { body } = await create({
		name: "Flushed",
		template: "usage_summary",
		format: ["json", "pdf"],
		recipients: ["e@example.org"],
	});
	const redis = new Redis(embedded.url);
	await reads.send("ours", "POST", `/v1/monitoring/reports/${body.report_id}/run`);
	await until(async () => (await newestOf(body.report_id))?.status !== "queued");
	await redis.flushall();
	const run = await finished(body.report_id, delivered);
	redis.disconnect();
	expect(run).toMatchObject({ status: "completed", deliveries: [{ status: "sent", attempts: 1 }] });
	expect(mailbox.mails.filter(({ to }) => to[0] === "e@example.org")).toHaveLength(1);
});
