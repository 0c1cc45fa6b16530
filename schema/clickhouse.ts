import { type ClickHouseClient, ClickHouseLogLevel, createClient } from "@clickhouse/client";
import { Answers } from "./answers.ts";

export { ClickHouseError, SettingsMap, TupleParam } from "@clickhouse/client";

/** The official client, and a quicker way to answers that are taken whole. */
export type ClickHouse = ClickHouseClient & { readonly answers: Answers };

export interface ClickHouseOptions {
	/** `http://host:port` */
	readonly url: string;
	readonly user?: string | undefined;
	readonly password?: string | undefined;
	readonly database: string;
	/** Of all queries of this client; an insert of a big segment on a busy machine takes its time. */
	readonly timeout_ms?: number;
	readonly maxConnections?: number;
}

/** Under the server's keep-alive (ClickHouse closes idle sockets after 10 s by default), or a request meets a closed socket. */
const IDLE_MS = 2_500;

/**
 * The one place that makes a ClickHouse client. Answers are compressed only when they come from another host: on loopback
 * gzip costs more than it saves.
 */
export function connectClickHouse(options: ClickHouseOptions): ClickHouse {
	const { url, user = "default", password = "", database, timeout_ms = 300_000, maxConnections = 16 } = options;
	const compressed = !["127.0.0.1", "localhost", "[::1]"].includes(new URL(url).hostname);
	const client = createClient({
		...{ url, username: user, password, database },
		application: "tidemark",
		// It prints to the console what its callers throw, catch and log anyway.
		log: { level: ClickHouseLogLevel.OFF },
		request_timeout: timeout_ms,
		max_open_connections: maxConnections,
		keep_alive: { enabled: true, idle_socket_ttl: IDLE_MS },
		compression: { request: false, response: compressed },
		clickhouse_settings: {
			date_time_output_format: "iso",
			output_format_json_quote_64bit_integers: 1,
			output_format_json_quote_denormals: 1,
		},
	});
	const at = { url, user, password, database, timeout_ms, maxConnections };
	const answers = new Answers({ ...at, idle_ms: IDLE_MS, compressed });
	const closeClient = client.close.bind(client);
	return Object.assign(client, {
		answers,
		async close() {
			answers.close();
			await closeClient();
		},
	});
}
