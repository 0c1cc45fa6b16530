-- Percentile sketches of 1m, one per (project, name, component) of distribution metrics: a sketch per series would be the
-- expensive part of insert, disk and read.
CREATE TABLE IF NOT EXISTS {{local:sketch_1m}} {{on_cluster}} (
	project LowCardinality(String),
	name LowCardinality(String),
	component LowCardinality(String),
	bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
	quantiles AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, name, component, bucket)
TTL bucket + toIntervalDay({{days:rollup_1m}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1, index_granularity = 256;

{{distributed:sketch_1m cityHash64(name)}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_1m_view {{on_cluster}} TO {{local:sketch_1m}} AS
SELECT
	project, name, component,
	toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalSecond(60), 'UTC') AS bucket,
	-- A sketch has room for 540 decades; over it merging throws, and no point of the segment could be stored.
	quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(
		if(abs(value) < 1e-270, 0, greatest(-1e270, least(1e270, value)))
	) AS quantiles
FROM {{local:points}}
WHERE kind = 'distribution'
GROUP BY project, name, component, bucket;
