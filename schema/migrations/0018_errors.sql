-- Errors: logs with a type, a stack and the fingerprint of the issue they belong to.
CREATE TABLE IF NOT EXISTS {{local:errors}} {{on_cluster}} (
	project LowCardinality(String),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	id UInt64 CODEC(Delta, ZSTD(1)),
	issue_id UInt64,
	error_type LowCardinality(String),
	severity LowCardinality(String),
	component LowCardinality(String),
	message String CODEC(ZSTD(1)),
	stack String CODEC(ZSTD(1)),
	context String CODEC(ZSTD(1)),
	user_id String CODEC(ZSTD(1)),
	trace_id String CODEC(ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toYYYYMM(ts)
ORDER BY (project, ts, id)
TTL toDateTime(ts) + toIntervalDay({{days:logs}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:errors issue_id}}
