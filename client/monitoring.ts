// `client.monitoring`: the methods of the monitoring API, in camelCase; options and answers keep the API's spelling.
import type {
	AccessReviewAnswer,
	AccessReviewsAnswer,
	AccountUsageAnswer,
	Acknowledge,
	AcknowledgeAnswer,
	AlertAnswer,
	AlertHistoryAnswer,
	AlertPatch,
	AlertsAnswer,
	AuditLogAnswer,
	Backtest,
	BacktestAnswer,
	BehaviorAnswer,
	BusinessAnswer,
	ComplianceKeysAnswer,
	ComplianceReportAnswer,
	ComplianceReportsAnswer,
	ControlAttestationAnswer,
	ControlsAnswer,
	CreatedAlertAnswer,
	DashboardAnswer,
	DashboardDataAnswer,
	DashboardFile,
	DashboardPatch,
	DashboardsAnswer,
	DatabasesAnswer,
	DataRequestAnswer,
	DataRequestsAnswer,
	DestinationAnswer,
	DestinationsAnswer,
	ErrorAnalysisAnswer,
	ExportAnswer,
	ExportsAnswer,
	HealthAnswer,
	ImportDashboardAnswer,
	IssueAnswer,
	IssuesAnswer,
	IssueUpdate,
	KpiAnswer,
	KpiHistoryAnswer,
	KpiPatch,
	KpisAnswer,
	KpiValueAnswer,
	LoadTestAnswer,
	LoadTestsAnswer,
	LogAnalyticsAnswer,
	LogMessage,
	LogsAnswer,
	MetricsAnswer,
	NetworkAnswer,
	NewAccessReview,
	NewAlert,
	NewControlAttestation,
	NewDashboard,
	NewDashboardFile,
	NewDataRequest,
	NewDestination,
	NewKpi,
	NewLoadTest,
	NewNotifications,
	NewReport,
	NewReportAttestation,
	NewRetention,
	NewSilence,
	NewSyntheticTest,
	NotificationsAnswer,
	PerformanceAnswer,
	ProfilingAnswer,
	ReportAnswer,
	ReportRunAnswer,
	ReportRunsAnswer,
	ReportsAnswer,
	ResourcesAnswer,
	RetentionAnswer,
	RevenueAnswer,
	RunTestAnswer,
	SilenceAnswer,
	SilencesAnswer,
	SyntheticResultsAnswer,
	SyntheticTestAnswer,
	SyntheticTestPatch,
	SyntheticTestsAnswer,
	TestAlertAnswer,
	UsageAnswer,
} from "../schema/wire/index.ts";
import type {
	AccountUsageOptions,
	AlertHistoryOptions,
	AlertsOptions,
	AuditLogOptions,
	BusinessOptions,
	CallOptions,
	ComplianceControlsOptions,
	ComplianceReportOptions,
	ComplianceReportsOptions,
	DashboardDataOptions,
	DashboardsOptions,
	DatabaseOptions,
	DataRequestsOptions,
	DownloadOptions,
	ErrorAnalysisOptions,
	ExportOptions,
	ExportsOptions,
	HealthOptions,
	ImportDashboardOptions,
	IssueOptions,
	IssuesOptions,
	KpiHistoryOptions,
	KpisOptions,
	KpiValueOptions,
	LoadTestOptions,
	LoadTestsOptions,
	LogAnalyticsOptions,
	MetricsOptions,
	NetworkOptions,
	PerformanceOptions,
	ProfilingOptions,
	QueryLogsOptions,
	ReportRunsOptions,
	ReportsOptions,
	ResourceOptions,
	RevenueOptions,
	SilencesOptions,
	SyntheticResultsOptions,
	SyntheticRunOptions,
	SyntheticTestsOptions,
	UsageAnalyticsOptions,
	UserBehaviorOptions,
} from "./options.ts";
import type { LiveStream } from "./stream.ts";
import {
	type LogStreamOptions,
	logStream,
	type MetricsStreamOptions,
	type MetricsUpdate,
	metricsStream,
} from "./streams.ts";
import { Telemetry } from "./telemetry.ts";
import type { FileAnswer, Transport } from "./transport.ts";
import { type WaitOptions, waitForExport } from "./wait-for-export.ts";

const BASE = "/v1/monitoring";

export class Monitoring extends Telemetry {
	readonly #transport: Transport;

	constructor(transport: Transport, add: (line: string) => void) {
		super(add);
		this.#transport = transport;
	}

	/** `GET /v1/monitoring/health`; `avg_response_time` is the answer's `response_time_ms`. */
	async systemHealth(
		options: HealthOptions = {},
		call: CallOptions = {},
	): Promise<HealthAnswer & { avg_response_time: number | null }> {
		const health = await this.#transport.get<HealthAnswer>(`${BASE}/health`, { ...options }, call.signal);
		return { ...health, avg_response_time: health.response_time_ms };
	}

	/** `GET /v1/monitoring/metrics`. */
	metrics(options: MetricsOptions = {}, call: CallOptions = {}): Promise<MetricsAnswer> {
		return this.#transport.get(`${BASE}/metrics`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/metrics/stream`: metrics as they come in, once an interval. */
	metricsStream(options: MetricsStreamOptions = {}, call: CallOptions = {}): LiveStream<MetricsUpdate> {
		return metricsStream(this.#transport, options, call);
	}

	/** `GET /v1/monitoring/resources`. */
	resourceUtilization(options: ResourceOptions = {}, call: CallOptions = {}): Promise<ResourcesAnswer> {
		return this.#transport.get(`${BASE}/resources`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/performance`: score, bottlenecks, trends and capacity. */
	performance(options: PerformanceOptions = {}, call: CallOptions = {}): Promise<PerformanceAnswer> {
		return this.#transport.get(`${BASE}/performance`, { ...options }, call.signal);
	}

	/**
	 * `GET /v1/monitoring/databases`: a member for each database. `meta` is there but not enumerable, so that a loop over the
	 * members meets databases only.
	 *
	 * @example
	 * for (const [name, db] of Object.entries(await client.monitoring.databaseMetrics())) console.log(name, db.avg_query_time);
	 */
	async databaseMetrics(options: DatabaseOptions = {}, call: CallOptions = {}): Promise<DatabasesAnswer> {
		const answer = await this.#transport.get<DatabasesAnswer>(`${BASE}/databases`, { ...options }, call.signal);
		for (const name of ["meta", "explain"])
			if (name in answer) Object.defineProperty(answer, name, { enumerable: false });
		return answer;
	}

	/** `GET /v1/monitoring/network`. */
	networkMetrics(options: NetworkOptions = {}, call: CallOptions = {}): Promise<NetworkAnswer> {
		return this.#transport.get(`${BASE}/network`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/logs`. */
	queryLogs(options: QueryLogsOptions = {}, call: CallOptions = {}): Promise<LogsAnswer> {
		return this.#transport.get(`${BASE}/logs`, { ...options }, call.signal);
	}

	/**
	 * `GET /v1/monitoring/logs/stream`: the latest lines that match, then new ones as they become durable. After an interruption it
	 * goes on with the line after the last.
	 */
	logStream(options: LogStreamOptions = {}, call: CallOptions = {}): LiveStream<LogMessage> {
		return logStream(this.#transport, options, call);
	}

	/** `GET /v1/monitoring/logs/analytics`: templates of the lines, which of them are new, or how lines divide. */
	logAnalytics(options: LogAnalyticsOptions = {}, call: CallOptions = {}): Promise<LogAnalyticsAnswer> {
		return this.#transport.get(`${BASE}/logs/analytics`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/errors/analysis`. */
	errorAnalysis(options: ErrorAnalysisOptions = {}, call: CallOptions = {}): Promise<ErrorAnalysisAnswer> {
		return this.#transport.get(`${BASE}/errors/analysis`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/issues`: errors of one fingerprint, with their status. */
	issues(options: IssuesOptions = {}, call: CallOptions = {}): Promise<IssuesAnswer> {
		return this.#transport.get(`${BASE}/issues`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/issues/{id}`: one issue with its latest errors, its chain of causes and its counts over time. */
	issue(issue_id: string, options: IssueOptions = {}, call: CallOptions = {}): Promise<IssueAnswer> {
		return this.#transport.get(issuePath(issue_id), { ...options }, call.signal);
	}

	/**
	 * `PATCH /v1/monitoring/issues/{id}`: resolves, ignores or opens an issue.
	 *
	 * @example
	 * await client.monitoring.updateIssue(issue_id, { status: "resolved", note: "fixed in 1.2" });
	 */
	updateIssue(issue_id: string, update: IssueUpdate, call: CallOptions = {}): Promise<IssueAnswer> {
		return this.#transport.patch(issuePath(issue_id), update, call.signal);
	}

	/** `GET /v1/monitoring/profiling`: what `profile` recorded of an operation. */
	getProfilingData(options: ProfilingOptions, call: CallOptions = {}): Promise<ProfilingAnswer> {
		return this.#transport.get(`${BASE}/profiling`, { ...options }, call.signal);
	}

	/** `POST /v1/monitoring/reports`: a report by a template, due by cron or by frequency, day and time. */
	scheduleReport(report: NewReport, call: CallOptions = {}): Promise<ReportAnswer> {
		const options = { contentType: "application/json", signal: call.signal };
		return this.#transport.post(`${BASE}/reports`, JSON.stringify(report), options);
	}

	/** `GET /v1/monitoring/reports`. */
	listReports(options: ReportsOptions = {}, call: CallOptions = {}): Promise<ReportsAnswer> {
		return this.#transport.get(`${BASE}/reports`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/reports/{id}`. */
	getReport(report_id: string, call: CallOptions = {}): Promise<ReportAnswer> {
		return this.#transport.get(reportPath(report_id), {}, call.signal);
	}

	/** `DELETE /v1/monitoring/reports/{id}`. */
	deleteReport(report_id: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(reportPath(report_id), call.signal);
	}

	/** `POST /v1/monitoring/reports/{id}/run`: now, whatever its schedule says. */
	runReport(report_id: string, call: CallOptions = {}): Promise<ReportRunAnswer> {
		return this.#transport.post(`${reportPath(report_id)}/run`, "", {
			contentType: "application/json",
			signal: call.signal,
		});
	}

	/** `GET /v1/monitoring/reports/{id}/runs`: the newest first. */
	reportRuns(report_id: string, options: ReportRunsOptions = {}, call: CallOptions = {}): Promise<ReportRunsAnswer> {
		return this.#transport.get(`${reportPath(report_id)}/runs`, { ...options }, call.signal);
	}

	/** `POST /v1/monitoring/kpis`. */
	createKpi(kpi: NewKpi, call: CallOptions = {}): Promise<KpiAnswer> {
		const options = { contentType: "application/json", signal: call.signal };
		return this.#transport.post(`${BASE}/kpis`, JSON.stringify(kpi), options);
	}

	/** `GET /v1/monitoring/kpis`. */
	listKpis(options: KpisOptions = {}, call: CallOptions = {}): Promise<KpisAnswer> {
		return this.#transport.get(`${BASE}/kpis`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/kpis/{id}`. */
	getKpi(kpi_id: string, call: CallOptions = {}): Promise<KpiAnswer> {
		return this.#transport.get(kpiPath(kpi_id), {}, call.signal);
	}

	/** `PATCH /v1/monitoring/kpis/{id}`: what is not named stays. */
	updateKpi(kpi_id: string, changes: KpiPatch, call: CallOptions = {}): Promise<KpiAnswer> {
		return this.#transport.patch(kpiPath(kpi_id), changes, call.signal);
	}

	/** `DELETE /v1/monitoring/kpis/{id}`. */
	deleteKpi(kpi_id: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(kpiPath(kpi_id), call.signal);
	}

	/** `GET /v1/monitoring/kpis/{id}/value`. */
	kpiValue(kpi_id: string, options: KpiValueOptions = {}, call: CallOptions = {}): Promise<KpiValueAnswer> {
		return this.#transport.get(`${kpiPath(kpi_id)}/value`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/kpis/{id}/history`: its value by bucket. */
	kpiHistory(kpi_id: string, options: KpiHistoryOptions = {}, call: CallOptions = {}): Promise<KpiHistoryAnswer> {
		return this.#transport.get(`${kpiPath(kpi_id)}/history`, { ...options }, call.signal);
	}

	/**
	 * `GET /v1/monitoring/dashboards/{id}/data`: what all widgets show, each with its own evidence, age or error.
	 *
	 * @example
	 * await client.monitoring.dashboardData({ dashboard_id: "main_dashboard", refresh_interval: 30, variables: { component: "api" } });
	 */
	dashboardData(
		{ dashboard_id, variables = {}, ...options }: DashboardDataOptions,
		call: CallOptions = {},
	): Promise<DashboardDataAnswer> {
		const query = new URLSearchParams();
		for (const [name, value] of Object.entries(options))
			if (value !== undefined) query.set(name, value instanceof Date ? value.toISOString() : String(value));
		for (const [name, values] of Object.entries(variables))
			for (const value of [values].flat()) query.append(`var-${name}`, value);
		return this.#transport.get(`${dashboardPath(dashboard_id)}/data?${query}`, {}, call.signal);
	}

	/** `POST /v1/monitoring/dashboards`. */
	createDashboard(dashboard: NewDashboard, call: CallOptions = {}): Promise<DashboardAnswer> {
		return this.#transport.post(DASHBOARDS, JSON.stringify(dashboard), json(call));
	}

	/** `GET /v1/monitoring/dashboards`; `main_dashboard` is there from the start. */
	listDashboards(options: DashboardsOptions = {}, call: CallOptions = {}): Promise<DashboardsAnswer> {
		return this.#transport.get(DASHBOARDS, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/dashboards/{id}`. */
	getDashboard(dashboard_id: string, call: CallOptions = {}): Promise<DashboardAnswer> {
		return this.#transport.get(dashboardPath(dashboard_id), {}, call.signal);
	}

	/** `PATCH /v1/monitoring/dashboards/{id}`: what is not named stays; widgets are replaced as a whole. */
	updateDashboard(dashboard_id: string, changes: DashboardPatch, call: CallOptions = {}): Promise<DashboardAnswer> {
		return this.#transport.patch(dashboardPath(dashboard_id), changes, call.signal);
	}

	/** `DELETE /v1/monitoring/dashboards/{id}`; `main_dashboard` can only be reset. */
	deleteDashboard(dashboard_id: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(dashboardPath(dashboard_id), call.signal);
	}

	/** `POST /v1/monitoring/dashboards/{id}/reset`: `main_dashboard` as it was built in. */
	resetDashboard(dashboard_id: string, call: CallOptions = {}): Promise<DashboardAnswer> {
		return this.#transport.post(`${dashboardPath(dashboard_id)}/reset`, "{}", json(call));
	}

	/** `GET /v1/monitoring/dashboards/{id}/export`: with the KPIs that it shows. */
	exportDashboard(dashboard_id: string, call: CallOptions = {}): Promise<DashboardFile> {
		return this.#transport.get(`${dashboardPath(dashboard_id)}/export`, {}, call.signal);
	}

	/** `POST /v1/monitoring/dashboards/import`. */
	importDashboard(
		file: NewDashboardFile,
		{ ids = "new", replace = false }: ImportDashboardOptions = {},
		call: CallOptions = {},
	): Promise<ImportDashboardAnswer> {
		return this.#transport.post(`${DASHBOARDS}/import?ids=${ids}&replace=${replace}`, JSON.stringify(file), json(call));
	}

	/** `POST /v1/monitoring/alerts`: the answer's `backtest` says when it would have fired in the last seven days. */
	createAlert(alert: NewAlert, call: CallOptions = {}): Promise<CreatedAlertAnswer> {
		return this.#transport.post(ALERTS, JSON.stringify(alert), json(call));
	}

	/** `GET /v1/monitoring/alerts`. */
	listAlerts(options: AlertsOptions = {}, call: CallOptions = {}): Promise<AlertsAnswer> {
		return this.#transport.get(ALERTS, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/alerts/{id}`: the rule and its instances. */
	getAlert(alert_id: string, call: CallOptions = {}): Promise<AlertAnswer> {
		return this.#transport.get(alertPath(alert_id), {}, call.signal);
	}

	/** `PATCH /v1/monitoring/alerts/{id}`: what is not named stays. */
	updateAlert(alert_id: string, changes: AlertPatch, call: CallOptions = {}): Promise<AlertAnswer> {
		return this.#transport.patch(alertPath(alert_id), changes, call.signal);
	}

	/** `DELETE /v1/monitoring/alerts/{id}`. */
	deleteAlert(alert_id: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(alertPath(alert_id), call.signal);
	}

	/** `POST /v1/monitoring/alerts/{id}/acknowledge`: someone takes care of what fires. */
	acknowledgeAlert(alert_id: string, options: Acknowledge = {}, call: CallOptions = {}): Promise<AcknowledgeAnswer> {
		return this.#transport.post(`${alertPath(alert_id)}/acknowledge`, JSON.stringify(options), json(call));
	}

	/** `POST /v1/monitoring/alerts/{id}/test`: sends a marked message over every channel. */
	testAlert(alert_id: string, call: CallOptions = {}): Promise<TestAlertAnswer> {
		return this.#transport.post(`${alertPath(alert_id)}/test`, "{}", json(call));
	}

	/** `GET /v1/monitoring/alerts/{id}/history`, newest first. */
	alertHistory(
		alert_id: string,
		options: AlertHistoryOptions = {},
		call: CallOptions = {},
	): Promise<AlertHistoryAnswer> {
		return this.#transport.get(`${alertPath(alert_id)}/history`, { ...options }, call.signal);
	}

	/** `POST /v1/monitoring/alerts/backtest`: when a rule, or the stored one of `alert_id`, would have fired. */
	backtestAlert(options: Backtest, call: CallOptions = {}): Promise<BacktestAnswer> {
		return this.#transport.post(`${ALERTS}/backtest`, JSON.stringify(options), json(call));
	}

	/**
	 * `PUT /v1/monitoring/notification-channels`: where people are told of alerts. The key that signs webhooks is in the answer to the
	 * first time only.
	 */
	configureNotifications(config: NewNotifications, call: CallOptions = {}): Promise<NotificationsAnswer> {
		return this.#transport.put(CHANNELS, config, call.signal);
	}

	/** `GET /v1/monitoring/notification-channels`: without their secrets. */
	listNotificationChannels(call: CallOptions = {}): Promise<NotificationsAnswer> {
		return this.#transport.get(CHANNELS, {}, call.signal);
	}

	/** `POST /v1/monitoring/silences`: nobody is told of what matches until it ends. */
	createSilence(silence: NewSilence, call: CallOptions = {}): Promise<SilenceAnswer> {
		return this.#transport.post(SILENCES, JSON.stringify(silence), json(call));
	}

	/** `GET /v1/monitoring/silences`. */
	listSilences(options: SilencesOptions = {}, call: CallOptions = {}): Promise<SilencesAnswer> {
		return this.#transport.get(SILENCES, { ...options }, call.signal);
	}

	/** `DELETE /v1/monitoring/silences/{id}`: ends it now. */
	deleteSilence(silence_id: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(`${SILENCES}/${encodeURIComponent(silence_id)}`, call.signal);
	}

	/** `POST /v1/monitoring/data-requests`: has one person's data erased from every table, or handed out. */
	createDataRequest(request: NewDataRequest, call: CallOptions = {}): Promise<DataRequestAnswer> {
		return this.#transport.post(DATA_REQUESTS, JSON.stringify(request), json(call));
	}

	/** `GET /v1/monitoring/data-requests`, newest first. */
	listDataRequests(options: DataRequestsOptions = {}, call: CallOptions = {}): Promise<DataRequestsAnswer> {
		return this.#transport.get(DATA_REQUESTS, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/data-requests/{id}`: how far it is, and its certificate when it is done. */
	getDataRequest(request_id: string, call: CallOptions = {}): Promise<DataRequestAnswer> {
		return this.#transport.get(dataRequestPath(request_id), {}, call.signal);
	}

	/** `GET /v1/monitoring/data-requests/{id}/download`: the rows of an export, a line of JSON each, for seven days. */
	downloadDataRequest(request_id: string, call: CallOptions = {}): Promise<FileAnswer> {
		return this.#transport.file(`${dataRequestPath(request_id)}/download`, {}, call.signal);
	}

	/**
	 * `POST /v1/monitoring/exports`: records as files, in a bucket or to download. A job does it: `waitForExport` tells when it is done.
	 *
	 * @example
	 * const { export_id } = await client.monitoring.exportData({ timeframe: "30d", metrics: ["all"], format: "csv" });
	 * await client.monitoring.waitForExport(export_id);
	 * const { name, stream } = await client.monitoring.downloadExport(export_id);
	 * await pipeline(stream, createWriteStream(name));
	 */
	exportData(options: ExportOptions = {}, call: CallOptions = {}): Promise<ExportAnswer> {
		return this.#transport.post(EXPORTS, JSON.stringify(options), json(call));
	}

	/** `GET /v1/monitoring/exports/{id}`. */
	getExport(export_id: string, call: CallOptions = {}): Promise<ExportAnswer> {
		return this.#transport.get(exportPath(export_id), {}, call.signal);
	}

	/** `GET /v1/monitoring/exports`, newest first. */
	listExports(options: ExportsOptions = {}, call: CallOptions = {}): Promise<ExportsAnswer> {
		return this.#transport.get(EXPORTS, { ...options }, call.signal);
	}

	/** `POST /v1/monitoring/exports/{id}/cancel`: what it has written is removed. */
	cancelExport(export_id: string, call: CallOptions = {}): Promise<ExportAnswer> {
		return this.#transport.post(`${exportPath(export_id)}/cancel`, "{}", json(call));
	}

	/**
	 * Asks again and again until an export is completed.
	 * @throws TidemarkError when it failed or was cancelled
	 */
	waitForExport(export_id: string, options: WaitOptions = {}): Promise<ExportAnswer> {
		return waitForExport((signal) => this.getExport(export_id, signal ? { signal } : {}), options);
	}

	/** `GET /v1/monitoring/exports/{id}/download`: its file, or a tar archive where there are several; `part` names one of them. */
	downloadExport(export_id: string, options: DownloadOptions = {}, call: CallOptions = {}): Promise<FileAnswer> {
		return this.#transport.file(`${exportPath(export_id)}/download`, { ...options }, call.signal);
	}

	/** `PUT /v1/monitoring/destinations/{name}`: a bucket that exports may be written to, with the keys to it. */
	putDestination(name: string, destination: NewDestination, call: CallOptions = {}): Promise<DestinationAnswer> {
		return this.#transport.put(destinationPath(name), destination, call.signal);
	}

	/** `GET /v1/monitoring/destinations`: without their secrets. */
	listDestinations(call: CallOptions = {}): Promise<DestinationsAnswer> {
		return this.#transport.get(DESTINATIONS, {}, call.signal);
	}

	/** `GET /v1/monitoring/destinations/{name}`: without its secrets. */
	getDestination(name: string, call: CallOptions = {}): Promise<DestinationAnswer> {
		return this.#transport.get(destinationPath(name), {}, call.signal);
	}

	/** `DELETE /v1/monitoring/destinations/{name}`. */
	deleteDestination(name: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(destinationPath(name), call.signal);
	}

	/** `GET /v1/monitoring/account/usage`: records and about their bytes, by signal and day. */
	accountUsage(options: AccountUsageOptions = {}, call: CallOptions = {}): Promise<AccountUsageAnswer> {
		return this.#transport.get(`${BASE}/account/usage`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/retention`: how long records are kept, and what was deleted last. */
	getRetention(call: CallOptions = {}): Promise<RetentionAnswer> {
		return this.#transport.get(`${BASE}/retention`, {}, call.signal);
	}

	/** `PUT /v1/monitoring/retention`: for less time than the server keeps them; what is not named is kept as long as that. */
	setRetention(retention: NewRetention, call: CallOptions = {}): Promise<RetentionAnswer> {
		return this.#transport.put(`${BASE}/retention`, retention, call.signal);
	}

	/** `POST /v1/monitoring/synthetic-tests`: an http, tcp or dns test that workers run, or a heartbeat that must come. */
	createSyntheticTest(test: NewSyntheticTest, call: CallOptions = {}): Promise<SyntheticTestAnswer> {
		const options = { contentType: "application/json", signal: call.signal };
		return this.#transport.post(`${BASE}/synthetic-tests`, JSON.stringify(test), options);
	}

	/** `GET /v1/monitoring/synthetic-tests`. */
	listSyntheticTests(options: SyntheticTestsOptions = {}, call: CallOptions = {}): Promise<SyntheticTestsAnswer> {
		return this.#transport.get(`${BASE}/synthetic-tests`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/synthetic-tests/{id}`. */
	getSyntheticTest(test_id: string, call: CallOptions = {}): Promise<SyntheticTestAnswer> {
		return this.#transport.get(syntheticPath(test_id), {}, call.signal);
	}

	/** `PATCH /v1/monitoring/synthetic-tests/{id}`: what is not named stays. */
	updateSyntheticTest(
		test_id: string,
		changes: SyntheticTestPatch,
		call: CallOptions = {},
	): Promise<SyntheticTestAnswer> {
		return this.#transport.patch(syntheticPath(test_id), changes, call.signal);
	}

	/** `DELETE /v1/monitoring/synthetic-tests/{id}`; its results stay. */
	deleteSyntheticTest(test_id: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(syntheticPath(test_id), call.signal);
	}

	/** `GET /v1/monitoring/synthetic-tests/{id}/results`: uptime, response times by phase, the last run of each location. */
	syntheticTestResults(
		test_id: string,
		options: SyntheticResultsOptions = {},
		call: CallOptions = {},
	): Promise<SyntheticResultsAnswer> {
		return this.#transport.get(`${syntheticPath(test_id)}/results`, { ...options }, call.signal);
	}

	/** `POST /v1/monitoring/synthetic-tests/{id}/run`: runs it now, at all its locations or at one. */
	runSyntheticTest(
		test_id: string,
		{ location }: SyntheticRunOptions = {},
		call: CallOptions = {},
	): Promise<RunTestAnswer> {
		const query = location === undefined ? "" : `?location=${encodeURIComponent(location)}`;
		const options = { contentType: "application/json", signal: call.signal };
		return this.#transport.post(`${syntheticPath(test_id)}/run${query}`, "", options);
	}

	/** `POST /v1/monitoring/load-tests`: watches a window against the time before and after it. */
	monitorLoadTest(test: NewLoadTest, call: CallOptions = {}): Promise<LoadTestAnswer> {
		const options = { contentType: "application/json", signal: call.signal };
		return this.#transport.post(`${BASE}/load-tests`, JSON.stringify(test), options);
	}

	/** `GET /v1/monitoring/load-tests`, newest first. */
	listLoadTests(options: LoadTestsOptions = {}, call: CallOptions = {}): Promise<LoadTestsAnswer> {
		return this.#transport.get(`${BASE}/load-tests`, { ...options }, call.signal);
	}

	/** `DELETE /v1/monitoring/load-tests/{id}`, by its load_test_id; its records stay. */
	deleteLoadTest(load_test_id: string, call: CallOptions = {}): Promise<void> {
		return this.#transport.delete(`${BASE}/load-tests/${encodeURIComponent(load_test_id)}`, call.signal);
	}

	/** `GET /v1/monitoring/load-tests/{id}`, by its `load_test_id` or its `test_id`. */
	getLoadTest(id: string, options: LoadTestOptions = {}, call: CallOptions = {}): Promise<LoadTestAnswer> {
		return this.#transport.get(`${BASE}/load-tests/${encodeURIComponent(id)}`, { ...options }, call.signal);
	}

	/**
	 * `POST /v1/monitoring/compliance/reports`: what was found of each control of a standard, with its evidence. With
	 * `attestation_required` it is a draft until a compliance officer signs it.
	 */
	complianceReport(options: ComplianceReportOptions, call: CallOptions = {}): Promise<ComplianceReportAnswer> {
		return this.#transport.post(`${COMPLIANCE}/reports`, JSON.stringify(options), json(call));
	}

	/** `GET /v1/monitoring/compliance/reports`. */
	listComplianceReports(
		options: ComplianceReportsOptions = {},
		call: CallOptions = {},
	): Promise<ComplianceReportsAnswer> {
		return this.#transport.get(`${COMPLIANCE}/reports`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/compliance/reports/{id}`. */
	getComplianceReport(report_id: string, call: CallOptions = {}): Promise<ComplianceReportAnswer> {
		return this.#transport.get(compliancePath(report_id), {}, call.signal);
	}

	/** `POST /v1/monitoring/compliance/reports/{id}/attest`: signs a report. The key must be a compliance officer's. */
	attestComplianceReport(
		report_id: string,
		attestation: NewReportAttestation = {},
		call: CallOptions = {},
	): Promise<ComplianceReportAnswer> {
		return this.#transport.post(`${compliancePath(report_id)}/attest`, JSON.stringify(attestation), json(call));
	}

	/** `GET /v1/monitoring/compliance/reports/{id}/pdf`, or `/bundle`: the report with its evidence, signed, as a tar. */
	downloadComplianceReport(
		report_id: string,
		as: "pdf" | "bundle" = "bundle",
		call: CallOptions = {},
	): Promise<FileAnswer> {
		return this.#transport.file(`${compliancePath(report_id)}/${as}`, {}, call.signal);
	}

	/** `GET /v1/monitoring/compliance/controls`. */
	complianceControls(options: ComplianceControlsOptions = {}, call: CallOptions = {}): Promise<ControlsAnswer> {
		return this.#transport.get(`${COMPLIANCE}/controls`, { ...options }, call.signal);
	}

	/** `POST /v1/monitoring/compliance/controls/{id}/attest`: attests a manual control until a day. */
	attestControl(
		control_id: string,
		attestation: NewControlAttestation,
		call: CallOptions = {},
	): Promise<ControlAttestationAnswer> {
		const path = `${COMPLIANCE}/controls/${encodeURIComponent(control_id)}/attest`;
		return this.#transport.post(path, JSON.stringify(attestation), json(call));
	}

	/** `GET /v1/monitoring/compliance/access-reviews`: the keys that a review decides on, and the reviews so far. */
	accessReviews(call: CallOptions = {}): Promise<AccessReviewsAnswer> {
		return this.#transport.get(`${COMPLIANCE}/access-reviews`, {}, call.signal);
	}

	/** `POST /v1/monitoring/compliance/access-reviews`. */
	reviewAccess(review: NewAccessReview, call: CallOptions = {}): Promise<AccessReviewAnswer> {
		return this.#transport.post(`${COMPLIANCE}/access-reviews`, JSON.stringify(review), json(call));
	}

	/** `GET /v1/monitoring/compliance/keys`: what bundles are signed with. */
	complianceKeys(call: CallOptions = {}): Promise<ComplianceKeysAnswer> {
		return this.#transport.get(`${COMPLIANCE}/keys`, {}, call.signal);
	}

	/** `GET /v1/monitoring/audit-log`: who changed what, and who was not let in. For admins and compliance officers. */
	auditLog(options: AuditLogOptions = {}, call: CallOptions = {}): Promise<AuditLogAnswer> {
		return this.#transport.get(`${BASE}/audit-log`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/revenue`. */
	revenueMetrics(options: RevenueOptions = {}, call: CallOptions = {}): Promise<RevenueAnswer> {
		return this.#transport.get(`${BASE}/revenue`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/business`. */
	businessDashboard(options: BusinessOptions = {}, call: CallOptions = {}): Promise<BusinessAnswer> {
		return this.#transport.get(`${BASE}/business`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/usage`. */
	usageAnalytics(options: UsageAnalyticsOptions = {}, call: CallOptions = {}): Promise<UsageAnswer> {
		return this.#transport.get(`${BASE}/usage`, { ...options }, call.signal);
	}

	/** `GET /v1/monitoring/behavior`. */
	userBehavior(options: UserBehaviorOptions = {}, call: CallOptions = {}): Promise<BehaviorAnswer> {
		return this.#transport.get(`${BASE}/behavior`, { ...options }, call.signal);
	}
}

function issuePath(issue_id: string): string {
	return `${BASE}/issues/${encodeURIComponent(issue_id)}`;
}

function syntheticPath(test_id: string): string {
	return `${BASE}/synthetic-tests/${encodeURIComponent(test_id)}`;
}

function kpiPath(kpi_id: string): string {
	return `${BASE}/kpis/${encodeURIComponent(kpi_id)}`;
}

const EXPORTS = `${BASE}/exports`;
const DESTINATIONS = `${BASE}/destinations`;

function exportPath(export_id: string): string {
	return `${EXPORTS}/${encodeURIComponent(export_id)}`;
}

function destinationPath(name: string): string {
	return `${DESTINATIONS}/${encodeURIComponent(name)}`;
}

const DASHBOARDS = `${BASE}/dashboards`;

function dashboardPath(dashboard_id: string): string {
	return `${DASHBOARDS}/${encodeURIComponent(dashboard_id)}`;
}

const ALERTS = `${BASE}/alerts`;
const CHANNELS = `${BASE}/notification-channels`;
const SILENCES = `${BASE}/silences`;
const DATA_REQUESTS = `${BASE}/data-requests`;

function dataRequestPath(request_id: string): string {
	return `${DATA_REQUESTS}/${encodeURIComponent(request_id)}`;
}

const COMPLIANCE = `${BASE}/compliance`;

function compliancePath(report_id: string): string {
	return `${COMPLIANCE}/reports/${encodeURIComponent(report_id)}`;
}

function alertPath(alert_id: string): string {
	return `${ALERTS}/${encodeURIComponent(alert_id)}`;
}

function json(call: CallOptions) {
	return { contentType: "application/json", signal: call.signal };
}

function reportPath(report_id: string): string {
	return `${BASE}/reports/${encodeURIComponent(report_id)}`;
}
