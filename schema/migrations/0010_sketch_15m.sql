-- Percentile sketches of 15m, one per (project, name, component) of distribution metrics: a sketch per series would be the
-- expensive part of insert, disk and read. Merging sketches of quantilesDD is exact and independent of order.
CREATE TABLE IF NOT EXISTS {{local:sketch_15m}} {{on_cluster}} (
	project LowCardinality(String),
	name LowCardinality(String),
	component LowCardinality(String),
	bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
	quantiles AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, name, component, bucket)
TTL bucket + toIntervalDay({{days:rollup_15m}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1, index_granularity = 256;

{{distributed:sketch_15m cityHash64(name)}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_15m_view {{on_cluster}} TO {{local:sketch_15m}} AS
SELECT
	project, name, component,
	toStartOfInterval(fine.bucket, toIntervalSecond(900), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles
FROM {{local:sketch_5m}} AS fine
GROUP BY project, name, component, bucket;
