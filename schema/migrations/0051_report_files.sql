-- The files of reports, in pieces, so that every process can read what one has made. Each attempt to make them writes under its own
-- number, and the run names the attempt whose files are whole: of one that was killed half-way nobody sees anything.
CREATE TABLE IF NOT EXISTS {{everywhere:report_files}} {{on_cluster}} (
	project LowCardinality(String),
	report_id String,
	run_id String,
	attempt UInt32,
	name LowCardinality(String),
	piece UInt32,
	content String CODEC(ZSTD(3)),
	expires_at DateTime('UTC')
)
ENGINE = {{engine_everywhere:ReplacingMergeTree}}
PARTITION BY toYYYYMM(expires_at)
ORDER BY (project, report_id, run_id, name, attempt, piece)
TTL expires_at
SETTINGS fsync_after_insert = 1, index_granularity = 64;
