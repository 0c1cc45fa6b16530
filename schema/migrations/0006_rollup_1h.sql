-- Per-series rollup of 1h: count, sum, extremes and last value of every series, from the 15m tier.
CREATE TABLE IF NOT EXISTS {{local:rollup_1h}} {{on_cluster}} (
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
TTL bucket + toIntervalDay({{days:rollup_1h}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:rollup_1h series_id}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.rollup_1h_view {{on_cluster}} TO {{local:rollup_1h}} AS
SELECT
	project, name, series_id,
	toStartOfInterval(fine.bucket, toIntervalSecond(3600), 'UTC') AS bucket,
	sum(fine.n) AS n, sum(fine.sum) AS sum, min(fine.min) AS min, max(fine.max) AS max, argMaxMergeState(fine.last) AS last
FROM {{local:rollup_15m}} AS fine
GROUP BY project, name, series_id, bucket;
