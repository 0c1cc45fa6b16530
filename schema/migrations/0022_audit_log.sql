-- Append-only, each row carries the hash of the one before it: a row taken out or changed breaks the chain.
CREATE TABLE IF NOT EXISTS {{everywhere:audit_log}} {{on_cluster}} (
	project String,
	seq UInt64,
	ts DateTime64(3, 'UTC'),
	actor String,
	action LowCardinality(String),
	target String,
	detail String CODEC(ZSTD(1)),
	request_id String,
	previous_hash FixedString(64),
	hash FixedString(64)
)
ENGINE = {{engine_everywhere:MergeTree}}
ORDER BY (project, seq)
SETTINGS fsync_after_insert = 1;
