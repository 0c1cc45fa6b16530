-- Raw points. component and kind repeat what series says: the percentile sketches need them at insert, and as constants
-- within a sorting-key range they cost almost nothing on disk. Of a cumulative series these are the increases.
CREATE TABLE IF NOT EXISTS {{local:points}} {{on_cluster}} (
	project LowCardinality(String),
	name LowCardinality(String),
	component LowCardinality(String),
	kind LowCardinality(String),
	series_id UInt64 CODEC(ZSTD(1)),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	value Float64 CODEC(ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toDate(ts)
ORDER BY (project, name, series_id, ts)
TTL toDateTime(ts) + toIntervalDay({{days:metrics}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:points series_id}}
