-- Accepted rows that ClickHouse refused, each with the reason and enough of the row to send it again.
CREATE TABLE IF NOT EXISTS {{local:quarantine}} {{on_cluster}} (
	project LowCardinality(String),
	received DateTime64(3, 'UTC'),
	target LowCardinality(String),
	segment String,
	code Int32,
	reason String CODEC(ZSTD(1)),
	record String CODEC(ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toYYYYMM(received)
ORDER BY (project, received)
TTL toDateTime(received) + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:quarantine rand()}}
