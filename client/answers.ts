// The answers of the reading calls.

/** Where the numbers come from, and what to send to fill the ones that are null. */
export interface Meta {
	window: { start: string; end: string; timezone: string };
	data_through: string | null;
	missing: { field: string; needs: string }[];
	methods: Record<string, string>;
	approximations: Record<string, unknown>;
	[member: string]: unknown;
}

interface Component {
	status: string;
	response_time_ms?: number | null;
	[member: string]: unknown;
}

export interface HealthAnswer {
	status: string;
	timestamp: string;
	uptime_percentage: number | null;
	response_time_ms: number | null;
	active_nodes: number | null;
	total_requests_24h: number | null;
	error_rate_24h: number | null;
	components: Record<string, Component>;
	meta: Meta;
}

export interface MetricsDataPoint {
	timestamp: string;
	/** The last bucket, while it is not over. */
	partial?: boolean;
	[metric: string]: string | number | boolean | null | undefined;
}

export interface MetricsAnswer {
	timeframe: string;
	granularity: string;
	data_points: MetricsDataPoint[];
	summary: {
		total_requests: number | null;
		avg_response_time: number | null;
		peak_response_time: number | null;
		availability: number | null;
		error_count: number | null;
	};
	groups?: { data_points: MetricsDataPoint[]; [member: string]: unknown }[];
	meta: Meta;
}

interface Utilization {
	[member: string]: unknown;
}

export interface ResourcesAnswer {
	cpu: Utilization & { avg_utilization: number | null };
	memory: Utilization & { avg_utilization: number | null };
	storage: Utilization & { utilization: number | null };
	network: Utilization;
	meta: Meta;
}

export interface LogEntry {
	timestamp: string;
	level: string;
	component: string | null;
	message: string;
	context: Record<string, unknown>;
	trace_id?: string | null;
	span_id?: string | null;
}

export interface LogsAnswer {
	logs: LogEntry[];
	total: number;
	total_is_lower_bound?: boolean;
	next_cursor: string | null;
	meta: Meta;
}

export interface SystemHealthAnswer {
	timestamp: string;
	status: string;
	uptime_seconds: number | null;
	system: {
		cpu_usage: number | null;
		memory_usage: number | null;
		disk_usage: number | null;
		load_average: (number | null)[] | null;
		temperature: number | null;
	};
	services: Record<string, unknown>;
	alerts: { level: string; message: string; threshold: number; current: number }[];
	meta: Meta;
}

export interface SystemPerformancePoint {
	timestamp: string;
	partial?: boolean;
	cpu_usage: number | null;
	memory_usage: number | null;
	disk_io_read: number | null;
	disk_io_write: number | null;
	network_in: number | null;
	network_out: number | null;
	request_count: number | null;
	response_time_avg: number | null;
	response_time_p95: number | null;
	response_time_p99: number | null;
	error_rate: number | null;
}

export interface SystemPerformanceAnswer {
	timeframe: string;
	granularity: string;
	metrics: SystemPerformancePoint[];
	summary: {
		avg_cpu: number | null;
		max_memory: number | null;
		total_requests: number | null;
		avg_response_time: number | null;
		total_errors: number | null;
	};
	meta: Meta;
}

export interface SystemLogsAnswer {
	logs: LogEntry[];
	total: number;
	has_more: boolean;
	aggregations: { by_level: Record<string, number>; by_component: Record<string, number> };
	meta: Meta;
}
