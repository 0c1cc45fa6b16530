-- Idempotency keys and the answers given to them; ingest reads the last day of them back when it starts.
CREATE TABLE IF NOT EXISTS {{local:requests}} {{on_cluster}} (
	project LowCardinality(String),
	key String CODEC(ZSTD(1)),
	body_hash UInt64 CODEC(ZSTD(1)),
	answer String CODEC(ZSTD(1)),
	received DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toDate(received)
ORDER BY (project, key)
TTL toDateTime(received) + toIntervalDay(1)
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:requests cityHash64(key)}}
