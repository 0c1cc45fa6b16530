import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";

export { ClickHouseError, SettingsMap, TupleParam } from "@clickhouse/client";
export type ClickHouse = ClickHouseClient;

export interface ClickHouseOptions {
	/** `http://host:port`; user, password and database may stand in it. */
	readonly url: string;
	readonly user?: string | undefined;
	readonly password?: string | undefined;
	readonly database: string;
	/** Of all queries of this client; an insert of a big segment on a busy machine takes its time. */
	readonly timeout_ms?: number;
	readonly maxConnections?: number;
}

/**
 * The one place that makes a ClickHouse client. Answers are compressed only when they come from another host: on loopback
 * gzip costs more than it saves.
 */
export function connectClickHouse(options: ClickHouseOptions): ClickHouse {
	const url = new URL(options.url);
	const loopback = ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
	return createClient({
		url: options.url,
		...(options.user === undefined ? {} : { username: options.user }),
		...(options.password === undefined ? {} : { password: options.password }),
		database: options.database,
		application: "tidemark",
		// It prints to the console what its callers throw, catch and log anyway.
		log: { level: ClickHouseLogLevel.OFF },
		request_timeout: options.timeout_ms ?? 300_000,
		max_open_connections: options.maxConnections ?? 16,
		// Under the server's keep-alive (ClickHouse closes idle sockets after 10 s by default), or a request meets a closed socket.
		keep_alive: { enabled: true, idle_socket_ttl: 2_500 },
		compression: { request: false, response: !loopback },
		clickhouse_settings: {
			date_time_output_format: "iso",
			output_format_json_quote_64bit_integers: 1,
			output_format_json_quote_denormals: 1,
		},
	});
}
