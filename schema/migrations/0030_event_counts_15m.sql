-- Events by name and quarter of an hour, and how many of them name a user: what counts and the hours of use are made of.
CREATE TABLE IF NOT EXISTS {{local:event_counts_15m}} {{on_cluster}} (
	project LowCardinality(String),
	event LowCardinality(String),
	bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
	n SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	identified SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, event, bucket)
TTL bucket + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:event_counts_15m cityHash64(event)}}

TRUNCATE TABLE IF EXISTS {{local:event_counts_15m}} {{on_cluster}};

INSERT INTO {{everywhere:event_counts_15m}} (project, event, bucket, n, identified)
SELECT project, event, toStartOfFifteenMinutes(toDateTime(ts, 'UTC')) AS bucket, toUInt64(1) AS n, toUInt64(user_id != '') AS identified
FROM {{everywhere:events}}
SETTINGS insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.event_counts_15m_view {{on_cluster}} TO {{local:event_counts_15m}} AS
SELECT
	project, event, toStartOfFifteenMinutes(toDateTime(ts, 'UTC')) AS bucket, count() AS n, countIf(user_id != '') AS identified
FROM {{local:events}}
GROUP BY project, event, bucket;
