-- Uses of features by person and quarter of an hour, so that reading them needs no map of properties.
CREATE TABLE IF NOT EXISTS {{local:feature_uses_15m}} {{on_cluster}} (
	project LowCardinality(String),
	feature LowCardinality(String),
	bucket DateTime('UTC') CODEC(Delta, ZSTD(1)),
	person UInt64 CODEC(ZSTD(1)),
	first SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
	n SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(bucket)
ORDER BY (project, feature, bucket, person)
TTL bucket + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:feature_uses_15m person}}

TRUNCATE TABLE IF EXISTS {{local:feature_uses_15m}} {{on_cluster}};

INSERT INTO {{everywhere:feature_uses_15m}} (project, feature, bucket, person, first, n)
SELECT project, strings['feature'] AS feature, toStartOfFifteenMinutes(toDateTime(ts, 'UTC')) AS bucket, person, ts AS first,
	toUInt64(1) AS n
FROM {{everywhere:events}}
WHERE event = 'feature.used' AND strings['feature'] != ''
SETTINGS insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.feature_uses_15m_view {{on_cluster}} TO {{local:feature_uses_15m}} AS
SELECT project, strings['feature'] AS feature, toStartOfFifteenMinutes(toDateTime(ts, 'UTC')) AS bucket, person, min(ts) AS first,
	count() AS n
FROM {{local:events}}
WHERE event = 'feature.used' AND strings['feature'] != ''
GROUP BY project, feature, bucket, person;
