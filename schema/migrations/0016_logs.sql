-- Logs, time first because "the latest 100" is the commonest question. id breaks ties between rows of one millisecond.
CREATE TABLE IF NOT EXISTS {{local:logs}} {{on_cluster}} (
	project LowCardinality(String),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	id UInt64 CODEC(Delta, ZSTD(1)),
	level LowCardinality(String),
	component LowCardinality(String),
	message String CODEC(ZSTD(1)),
	context String CODEC(ZSTD(1)),
	trace_id String CODEC(ZSTD(1)),
	span_id String CODEC(ZSTD(1)),
	pattern_id UInt64 DEFAULT 0 CODEC(ZSTD(1)),
	INDEX message_words message TYPE text(tokenizer = splitByNonAlpha, preprocessor = lower(message)),
	INDEX level_set level TYPE set(8) GRANULARITY 1,
	INDEX component_set component TYPE set(64) GRANULARITY 1,
	INDEX trace_filter trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toDate(ts)
ORDER BY (project, ts, id)
TTL toDateTime(ts) + toIntervalDay({{days:logs}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:logs rand()}}
