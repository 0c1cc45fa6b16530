-- Log lines per minute, level, component and pattern: counts and facets never scan messages.
CREATE TABLE IF NOT EXISTS {{local:log_counts_1m}} {{on_cluster}} (
	project LowCardinality(String),
	level LowCardinality(String),
	component LowCardinality(String),
	pattern_id UInt64,
	bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
	n SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, level, component, pattern_id, bucket)
TTL bucket + toIntervalDay({{days:logs}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:log_counts_1m pattern_id}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.log_counts_1m_view {{on_cluster}} TO {{local:log_counts_1m}} AS
SELECT project, level, component, pattern_id, toStartOfMinute(toDateTime(ts, 'UTC')) AS bucket, count() AS n
FROM {{local:logs}}
GROUP BY project, level, component, pattern_id, bucket;
