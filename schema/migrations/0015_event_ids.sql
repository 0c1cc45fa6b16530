-- The event_ids of the last 7 days, sorted for point look-ups: the loader asks here before it stores an event.
-- The loader notes the answer before it inserts, so a replay after a crash is not misled by ids of its own.
CREATE TABLE IF NOT EXISTS {{local:event_ids}} {{on_cluster}} (
	project LowCardinality(String),
	event_id String CODEC(ZSTD(1)),
	received DateTime('UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toDate(received)
ORDER BY (project, event_id)
TTL received + toIntervalDay(7)
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1, index_granularity = 512;

{{distributed:event_ids cityHash64(event_id)}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.event_ids_view {{on_cluster}} TO {{local:event_ids}} AS
SELECT project, event_id, now('UTC') AS received
FROM {{local:events}}
WHERE event_id != '';
