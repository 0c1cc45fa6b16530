-- The history of alerts: changes of state, acknowledgements, and notes on late records and gaps. An evaluation that is done again
-- writes the same rows again: one instant of an instance has one row of a kind.
CREATE TABLE IF NOT EXISTS {{everywhere:alert_transitions}} {{on_cluster}} (
	project LowCardinality(String),
	alert_id String,
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	kind LowCardinality(String),
	instance String,
	labels Map(String, String),
	from_state LowCardinality(String),
	to_state LowCardinality(String),
	metric String,
	operator LowCardinality(String),
	value Nullable(Float64),
	threshold Nullable(Float64),
	firing_id String,
	notice LowCardinality(String),
	reason String,
	message String CODEC(ZSTD(1)),
	severity LowCardinality(String),
	actor String,
	rule_version UInt64,
	recorded_at DateTime64(3, 'UTC')
)
ENGINE = {{engine_everywhere:ReplacingMergeTree(recorded_at)}}
PARTITION BY toYYYYMM(ts)
ORDER BY (project, alert_id, ts, kind, instance)
TTL toDateTime(ts) + toIntervalDay({{days:events}})
SETTINGS fsync_after_insert = 1;
