/** How the engine is set up: server configuration by command line, and what every session starts from. */
import { join } from "node:path";

export interface EngineSettings {
	dataDir: string;
	port: number;
	password: string;
	/** All queries, merges and caches together, bytes. */
	maxMemoryBytes: number;
	/** One query, bytes. */
	maxQueryMemoryBytes: number;
	maxConcurrentQueries: number;
}

const MiB = 1024 * 1024;

/** Limits that suit a machine of `totalMemoryBytes`: half of it for the engine, half of that for one query. */
export function defaultLimits(totalMemoryBytes: number): { maxMemoryBytes: number; maxQueryMemoryBytes: number } {
	const maxMemoryBytes = Math.max(768 * MiB, Math.floor(totalMemoryBytes / 2));
	return { maxMemoryBytes, maxQueryMemoryBytes: Math.floor(maxMemoryBytes / 2) };
}

/** Where this interface keeps its pipes and files in transit; emptied at every start. */
export function transitDir(dataDir: string): string {
	return join(dataDir, "transit");
}

/** Where file names in queries begin, as in a server. */
export function userFilesDir(dataDir: string): string {
	return join(dataDir, "user_files");
}

/** The engine's command line. Caches are a share of the memory limit: the defaults (5 GiB each) exceed it. */
export function connectionArgs(settings: EngineSettings): string[] {
	const share = (part: number, most: number): number =>
		Math.floor(Math.min(settings.maxMemoryBytes * part, most * MiB));
	const server = {
		max_server_memory_usage: settings.maxMemoryBytes,
		"backups.allowed_path": join(settings.dataDir, "backups"),
		mark_cache_size: share(0.05, 256),
		primary_index_cache_size: share(0.05, 256),
		uncompressed_cache_size: 0,
		index_mark_cache_size: share(0.02, 64),
		index_uncompressed_cache_size: 0,
		mmap_cache_size: 128,
		compiled_expression_cache_size: 32 * MiB,
		query_condition_cache_size: share(0.01, 32),
		vector_similarity_index_cache_size: 0,
		text_index_tokens_cache_size: share(0.02, 64),
		text_index_header_cache_size: share(0.02, 64),
		text_index_postings_cache_size: share(0.04, 128),
		parquet_metadata_cache_size: 16 * MiB,
		iceberg_metadata_files_cache_size: 0,
		background_pool_size: 2,
		background_schedule_pool_size: 4,
	};
	return Object.entries(server).map(([name, value]) => `--${name}=${value}`);
}

/** Settings of every session. Those that `clickhouse-local` changes are put back to what a server has. */
export function sessionSettings(settings: EngineSettings): ReadonlyMap<string, string> {
	return new Map([
		["implicit_select", "0"],
		["allow_introspection_functions", "0"],
		// Every query reads those of each part that is younger than minutes from disk: 50 ms for sixty parts, to order joins that are in order.
		["use_statistics", "0"],
		["storage_file_read_method", "pread"],
		["max_memory_usage", String(settings.maxQueryMemoryBytes)],
		// Parameters become SET statements here; a server does not count them into the size of the query.
		["max_query_size", String(2 ** 26)],
	]);
}
