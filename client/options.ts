// Options of the reading calls: the query parameters of the routes as `schema/wire` has them, in their spelling, with the
// values that a program has at hand.
import type {
	AccountUsageQuery,
	AiConversationsQuery,
	AiPerformanceQuery,
	AlertHistoryQuery,
	AlertsQuery,
	AuditLogQuery,
	BehaviorQuery,
	BusinessCustomersQuery,
	BusinessQuery,
	BusinessRevenueQuery,
	ComplianceReportsQuery,
	ControlsQuery,
	DashboardDataQuery,
	DashboardsQuery,
	DatabasesQuery,
	DataRequestsQuery,
	DownloadQuery,
	ErrorAnalysisQuery,
	ExportsQuery,
	FederatedQuery,
	HealthQuery,
	IssueQuery,
	IssuesQuery,
	KpiHistoryQuery,
	KpisQuery,
	KpiValueQuery,
	LoadTestQuery,
	LoadTestsQuery,
	LogAnalyticsQuery,
	LogsQuery,
	MetricsQuery,
	NetworkQuery,
	NewComplianceReport,
	NewExport,
	PerformanceQuery,
	ProfilingQuery,
	ReportRunsQuery,
	ReportsQuery,
	ResourcesQuery,
	RevenueQuery,
	RunTestQuery,
	SilencesQuery,
	SyntheticResultsQuery,
	SyntheticTestsQuery,
	SystemHealthQuery,
	SystemLogsQuery,
	SystemPerformanceQuery,
	UsageFeaturesQuery,
	UsageOverviewQuery,
	UsageQuery,
	UsageUsersQuery,
} from "../schema/wire/index.ts";

/** A point in time: RFC 3339 text, epoch (s, ms, µs or ns by size), or a Date. */
export type Time = string | number | Date;

type Instants = "start" | "end" | "as_of" | "start_time" | "end_time" | "since";
type Lists = "metrics" | "group_by" | "components" | "databases" | "breakdown_by" | "status";

/** A route's parameters: Dates for instants, arrays for lists, booleans and numbers as such. */
type Options<Query> = {
	[Name in keyof Query]?:
		| (Name extends Instants
				? Time
				: Name extends Lists
					? string | readonly string[]
					: Name extends "explain" | "include_peer_details"
						? boolean
						: Name extends "limit" | "slow_query_ms" | "apdex_t_ms"
							? number
							: Query[Name])
		| undefined;
};

export type HealthOptions = Options<HealthQuery>;
export type MetricsOptions = Options<MetricsQuery>;
export type ResourceOptions = Options<ResourcesQuery>;
export type DatabaseOptions = Options<DatabasesQuery>;
export type PerformanceOptions = Options<PerformanceQuery>;
export type NetworkOptions = Options<NetworkQuery>;
export type QueryLogsOptions = Options<LogsQuery>;
export type LogAnalyticsOptions = Options<LogAnalyticsQuery>;
export type ExportsOptions = Options<ExportsQuery>;
export type DownloadOptions = Options<DownloadQuery>;
/** A body, whose lists are lists; Dates for instants, as everywhere. */
export type ExportOptions = Omit<NewExport, Instants> & { [Name in "start" | "end" | "as_of"]?: Time | undefined };
export type ComplianceReportOptions = Omit<NewComplianceReport, Instants> & {
	[Name in "start" | "end" | "as_of"]?: Time | undefined;
};
export type ComplianceReportsOptions = Options<ComplianceReportsQuery>;
export type ComplianceControlsOptions = Options<ControlsQuery>;
export type AuditLogOptions = Options<AuditLogQuery>;
export type ErrorAnalysisOptions = Options<ErrorAnalysisQuery>;
export type IssuesOptions = Options<IssuesQuery>;
export type IssueOptions = Options<IssueQuery>;
export type ProfilingOptions = Options<ProfilingQuery> & { operation: string };
export type AlertsOptions = Options<AlertsQuery>;
export type AlertHistoryOptions = Options<AlertHistoryQuery>;
export type DataRequestsOptions = Options<DataRequestsQuery>;
export type SilencesOptions = Options<SilencesQuery>;
export type KpisOptions = Options<KpisQuery>;
export type ReportsOptions = Options<ReportsQuery>;
export type ReportRunsOptions = Options<ReportRunsQuery>;
export type SyntheticTestsOptions = Options<SyntheticTestsQuery>;
export type SyntheticResultsOptions = Options<SyntheticResultsQuery>;
export type SyntheticRunOptions = Options<RunTestQuery>;
export type LoadTestOptions = Options<LoadTestQuery>;
export type LoadTestsOptions = Options<LoadTestsQuery>;
export type KpiValueOptions = Options<KpiValueQuery>;
export type KpiHistoryOptions = Options<KpiHistoryQuery>;
export type DashboardsOptions = Options<DashboardsQuery>;
export interface DashboardDataOptions extends Omit<Options<DashboardDataQuery>, "refresh_interval" | "variables"> {
	dashboard_id: string;
	/** Seconds: what was computed at most so long ago will do. */
	refresh_interval?: number | undefined;
	/** Values of variables by name; `*` is all. */
	variables?: Readonly<Record<string, string | readonly string[]>> | undefined;
}
export interface ImportDashboardOptions {
	/** `keep` takes the id of the file, where it is free or `replace` is set. */
	ids?: "new" | "keep" | undefined;
	replace?: boolean | undefined;
}
export type SystemHealthOptions = Options<SystemHealthQuery>;
export type SystemPerformanceOptions = Options<SystemPerformanceQuery>;
export type SystemLogsOptions = Options<SystemLogsQuery>;
export type AccountUsageOptions = Options<AccountUsageQuery>;
export type UsageAnalyticsOptions = Options<UsageQuery>;
export type UserBehaviorOptions = Options<BehaviorQuery>;
export type UsageOverviewOptions = Options<UsageOverviewQuery>;
export type UsageUsersOptions = Options<UsageUsersQuery>;
export type UsageFeaturesOptions = Options<UsageFeaturesQuery>;
export type AiPerformanceOptions = Options<AiPerformanceQuery>;
export type AiConversationsOptions = Options<AiConversationsQuery>;
export type RevenueOptions = Options<RevenueQuery>;
export type BusinessOptions = Options<BusinessQuery>;
export type BusinessRevenueOptions = Options<BusinessRevenueQuery>;
export type BusinessCustomersOptions = Options<BusinessCustomersQuery>;
export type FederatedOptions = Options<FederatedQuery>;

/** How a call is made, apart from what it asks. */
export interface CallOptions {
	signal?: AbortSignal;
}
