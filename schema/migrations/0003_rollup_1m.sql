-- Per-series rollup of 1m: count, sum, extremes and last value of every series, from the raw points.
CREATE TABLE IF NOT EXISTS {{local:rollup_1m}} {{on_cluster}} (
	project LowCardinality(String),
	name LowCardinality(String),
	series_id UInt64,
	bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
	n SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	min SimpleAggregateFunction(min, Float64) CODEC(ZSTD(1)),
	max SimpleAggregateFunction(max, Float64) CODEC(ZSTD(1)),
	last AggregateFunction(argMax, Float64, DateTime64(3, 'UTC')) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, name, series_id, bucket)
TTL bucket + toIntervalDay({{days:rollup_1m}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:rollup_1m series_id}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.rollup_1m_view {{on_cluster}} TO {{local:rollup_1m}} AS
SELECT
	project, name, series_id,
	toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalSecond(60), 'UTC') AS bucket,
	count() AS n, sum(value) AS sum, min(value) AS min, max(value) AS max, argMaxState(value, ts) AS last
FROM {{local:points}}
GROUP BY project, name, series_id, bucket;
