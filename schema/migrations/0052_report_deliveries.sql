-- Every attempt to deliver a report: a row when it begins, another before anything leaves, replaced by its outcome.
CREATE TABLE IF NOT EXISTS {{everywhere:report_deliveries}} {{on_cluster}} (
	project LowCardinality(String),
	report_id String,
	run_id String,
	delivery_id String,
	attempt UInt32,
	version UInt64,
	type LowCardinality(String),
	target String,
	outcome LowCardinality(String),
	status_code UInt16,
	detail String CODEC(ZSTD(1)),
	duration_ms Float64,
	started_at DateTime64(3, 'UTC')
)
ENGINE = {{engine_everywhere:ReplacingMergeTree(version)}}
PARTITION BY toYYYYMM(started_at)
ORDER BY (project, report_id, run_id, delivery_id, attempt)
TTL toDateTime(started_at) + toIntervalDay({{days:events}})
SETTINGS fsync_after_insert = 1;
