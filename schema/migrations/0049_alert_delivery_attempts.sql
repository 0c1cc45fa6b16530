-- Every attempt to send a message: a row when it begins, replaced by its outcome. One without an outcome was interrupted.
CREATE TABLE IF NOT EXISTS {{everywhere:alert_delivery_attempts}} {{on_cluster}} (
	project LowCardinality(String),
	message_id String,
	attempt UInt32,
	version UInt64,
	alert_id String,
	channel String,
	outcome LowCardinality(String),
	status_code UInt16,
	detail String CODEC(ZSTD(1)),
	duration_ms Float64,
	retry_at Nullable(DateTime64(3, 'UTC')),
	started_at DateTime64(3, 'UTC')
)
ENGINE = {{engine_everywhere:ReplacingMergeTree(version)}}
PARTITION BY toYYYYMM(started_at)
ORDER BY (project, message_id, attempt)
TTL toDateTime(started_at) + toIntervalDay({{days:events}})
SETTINGS fsync_after_insert = 1;
