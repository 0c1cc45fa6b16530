export type {
	AiConversationsAnswer,
	AiPerformanceAnswer,
	BehaviorAnswer,
	BusinessAnswer,
	BusinessCustomersAnswer,
	BusinessRevenueAnswer,
	DatabaseMetrics,
	DatabasesAnswer,
	ErrorAnalysisAnswer,
	FederatedParticipantsAnswer,
	FederatedPrivacyAnswer,
	FederatedTrainingAnswer,
	HealthAnswer,
	Issue,
	IssueAnswer,
	IssueStatus,
	IssuesAnswer,
	IssueUpdate,
	KpiAnswer,
	KpisAnswer,
	KpiValueAnswer,
	LogAnalyticsAnswer,
	LogEntry,
	LogMessage,
	LogsAnswer,
	Meta,
	MetricsAnswer,
	NetworkAnswer,
	NewKpi,
	PerformanceAnswer,
	ProfilingAnswer,
	ResourcesAnswer,
	RevenueAnswer,
	SystemHealthAnswer,
	SystemLogsAnswer,
	SystemPerformanceAnswer,
	UsageAnswer,
	UsageFeaturesAnswer,
	UsageOverviewAnswer,
	UsageUsersAnswer,
} from "../schema/wire/index.ts";
export type { ClientStats } from "./batcher.ts";
export { Client, type ClientOptions, type FlushOptions } from "./client.ts";
export {
	AuthenticationError,
	ConflictError,
	NotFoundError,
	PermissionError,
	RateLimitError,
	TidemarkError,
	UnavailableError,
	ValidationError,
} from "./errors.ts";
export type * from "./options.ts";
export type { Profile, ProfileExtras, Span } from "./profile.ts";
export type { WebSocketClass, WebSocketLike } from "./socket-stream.ts";
export type { LiveStream, Reconnect, StreamGap } from "./stream.ts";
export type {
	LogStreamOptions,
	MetricsStreamOptions,
	MetricsUpdate,
	RealtimeOptions,
	RealtimeUpdate,
} from "./streams.ts";
export type { ErrorExtras, ErrorOptions, EventOptions, LogOptions, MetricOptions } from "./telemetry.ts";
