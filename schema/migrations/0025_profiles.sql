-- Profiles: one row a run of an operation. Spans are parallel arrays, so that a flame graph is one arrayJoin and a percentile
-- reads none of them. cpu_ns and alloc_bytes are null when they were not measured; a span without a parent has the operation.
CREATE TABLE IF NOT EXISTS {{local:profiles}} {{on_cluster}} (
	project LowCardinality(String),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	id UInt64 CODEC(Delta, ZSTD(1)),
	operation LowCardinality(String),
	component LowCardinality(String),
	wall_ns UInt64 CODEC(ZSTD(1)),
	cpu_ns Nullable(UInt64) CODEC(ZSTD(1)),
	alloc_bytes Nullable(UInt64) CODEC(ZSTD(1)),
	success Bool,
	span_names Array(LowCardinality(String)) CODEC(ZSTD(1)),
	span_parents Array(LowCardinality(String)) CODEC(ZSTD(1)),
	span_starts_ns Array(UInt64) CODEC(ZSTD(1)),
	span_ends_ns Array(UInt64) CODEC(ZSTD(1)),
	user_id String CODEC(ZSTD(1)),
	trace_id String CODEC(ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toYYYYMM(ts)
ORDER BY (project, operation, ts)
TTL toDateTime(ts) + toIntervalDay({{days:logs}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:profiles cityHash64(operation)}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.signals_profiles_view {{on_cluster}} TO {{local:signals}} AS
SELECT project, 'profile' AS signal, operation AS name, min(ts) AS first_seen, max(ts) AS last_seen
FROM {{local:profiles}}
GROUP BY project, name;
