-- Percentile sketches of 1h over all components: a month of hours of ten components is 7,200 sketches, and merging
-- them would be half of what its percentiles take.
CREATE TABLE IF NOT EXISTS {{local:sketch_total_1h}} {{on_cluster}} (
	project LowCardinality(String),
	name LowCardinality(String),
	bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
	quantiles AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, name, bucket)
TTL bucket + toIntervalDay({{days:rollup_1h}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1, index_granularity = 256;

{{distributed:sketch_total_1h cityHash64(name)}}

-- What is there already. Before the view, and emptied first, so that nothing counts twice when this runs again after a crash.
TRUNCATE TABLE IF EXISTS {{local:sketch_total_1h}} {{on_cluster}};

INSERT INTO {{db}}.sketch_total_1h
SELECT project, name, bucket, quantiles FROM {{db}}.sketch_1h
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_total_1h_view {{on_cluster}} TO {{local:sketch_total_1h}} AS
SELECT
	project, name,
	toStartOfInterval(fine.bucket, toIntervalSecond(3600), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles
FROM {{local:sketch_15m}} AS fine
GROUP BY project, name, bucket;
