// Options of the reading calls; the members are the query parameters of the routes, in their spelling.

/** A point in time: RFC 3339 text, epoch (s, ms, µs or ns by size), or a Date. */
export type Time = string | number | Date;

/** What every read takes. */
export interface ReadOptions {
	/** The route's own values, such as `1h`, `24h`, `7d`, `30d`. */
	timeframe?: string;
	/** In place of `timeframe`; the window is `[start, end)`. */
	start?: Time;
	end?: Time;
	/** IANA name, default UTC. */
	timezone?: string;
	/** Evaluates the answer as of this instant, default now. */
	as_of?: Time;
	/** Adds the SQL, its parameters and costs to the answer. */
	explain?: boolean;
}

export interface MetricsOptions extends ReadOptions {
	granularity?: "1m" | "5m" | "15m" | "1h" | "1d";
	/** Names, with or without an aggregation: `queue.depth`, `queue.depth:max`. */
	metrics?: string | string[];
	component?: string;
	/** Tags; adds `groups` to the answer. */
	group_by?: string | string[];
}

export interface ResourceOptions extends ReadOptions {
	components?: string | string[];
}

export interface QueryLogsOptions extends ReadOptions {
	/** Lucene-style: `level:ERROR AND component:inference`. */
	query?: string;
	limit?: number;
	sort?: string;
	/** `next_cursor` of the answer before. */
	cursor?: string;
}

export interface SystemPerformanceOptions extends ReadOptions {
	granularity?: "1m" | "5m" | "15m" | "1h" | "1d";
}

export interface SystemLogsOptions {
	level?: string;
	component?: string;
	start_time?: Time;
	end_time?: Time;
	limit?: number;
	search?: string;
	as_of?: Time;
	cursor?: string;
}

/** How a call is made, apart from what it asks. */
export interface CallOptions {
	signal?: AbortSignal;
}
