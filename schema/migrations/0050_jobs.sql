-- What is known of each piece of long work, as facts that are only ever added: asked for, claimed, alive, got so far, over. The claim
-- of an attempt is inserted with a deduplication token, so that of two workers one has it.
CREATE TABLE IF NOT EXISTS {{everywhere:jobs}} {{on_cluster}} (
	project LowCardinality(String),
	kind LowCardinality(String),
	job_id String,
	fact LowCardinality(String),
	attempt UInt32,
	version UInt64,
	of String,
	recorded_at DateTime64(3, 'UTC'),
	body String CODEC(ZSTD(1))
)
ENGINE = {{engine_everywhere:ReplacingMergeTree(version)}}
ORDER BY (project, kind, job_id, fact, attempt)
TTL toDateTime(recorded_at) + toIntervalDay({{days:events}})
SETTINGS fsync_after_insert = 1, {{dedup}};
