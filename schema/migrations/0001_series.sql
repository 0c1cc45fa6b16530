-- One row per series: the tags live here once, a point carries only the id. Announced again after a restart of ingest,
-- so every column is an aggregate that makes the repetition harmless.
CREATE TABLE IF NOT EXISTS {{local:series}} {{on_cluster}} (
	project LowCardinality(String),
	name LowCardinality(String),
	series_id UInt64,
	tags SimpleAggregateFunction(anyLast, Map(String, String)) CODEC(ZSTD(1)),
	component SimpleAggregateFunction(anyLast, String) CODEC(ZSTD(1)),
	kind SimpleAggregateFunction(anyLast, String),
	unit SimpleAggregateFunction(anyLast, String),
	first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
ORDER BY (project, name, series_id)
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:series series_id}}
