-- Running totals as they were sent. The loader turns them into increases in points; a late total needs its neighbours here.
CREATE TABLE IF NOT EXISTS {{local:cumulative}} {{on_cluster}} (
	project LowCardinality(String),
	name LowCardinality(String),
	series_id UInt64 CODEC(ZSTD(1)),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	value Float64 CODEC(ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toDate(ts)
ORDER BY (project, series_id, ts)
TTL toDateTime(ts) + toIntervalDay({{days:metrics}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:cumulative series_id}}
