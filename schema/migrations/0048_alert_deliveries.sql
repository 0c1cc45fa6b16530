-- Who is to be told of what: one row for each firing, channel and reason, written before anything is sent. Its id says all of that,
-- so that what is planned twice is there once. Notices of one message share the id of the message.
CREATE TABLE IF NOT EXISTS {{everywhere:alert_deliveries}} {{on_cluster}} (
	project LowCardinality(String),
	alert_id String,
	delivery_id String,
	version UInt64,
	message_id String,
	firing_id String,
	instance String,
	level UInt8,
	channel String,
	kind LowCardinality(String),
	status LowCardinality(String),
	target String CODEC(ZSTD(1)),
	detail String CODEC(ZSTD(1)),
	created_at DateTime64(3, 'UTC')
)
ENGINE = {{engine_everywhere:ReplacingMergeTree(version)}}
PARTITION BY toYYYYMM(created_at)
ORDER BY (project, alert_id, delivery_id)
TTL toDateTime(created_at) + toIntervalDay({{days:events}})
SETTINGS fsync_after_insert = 1;
