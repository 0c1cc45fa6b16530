-- Calls of language models per hour UTC, for windows with so many that summing up each takes long.
CREATE TABLE IF NOT EXISTS {{local:model_hours}} {{on_cluster}} (
	project LowCardinality(String),
	hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
	model LowCardinality(String),
	requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	cancelled SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	timeouts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	failed SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	timed SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	latency_ms SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	latencies AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1)),
	measured SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	response_chars SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	metered SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	tokens SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	memory_samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	memory_mb SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	cpu_samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	cpu_percent SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, model)
TTL hour + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1, index_granularity = 256;

{{distributed:model_hours cityHash64(model)}}

TRUNCATE TABLE IF EXISTS {{local:model_hours}} {{on_cluster}};

INSERT INTO {{db}}.model_hours
SELECT
	project, toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalHour(1), 'UTC') AS hour, model,
	count() AS requests,
	countIf(outcome = 'cancelled') AS cancelled,
	countIf(outcome = 'timeout') AS timeouts,
	countIf(outcome = 'error') AS failed,
	count(timed_ms) AS timed,
	sum(coalesce(timed_ms, 0)) AS latency_ms,
	-- A sketch has room for 540 decades; over it merging throws, and no event of the segment could be stored.
	quantilesDDStateIf(0.01, 0.5, 0.9, 0.95, 0.99)(
		if(assumeNotNull(timed_ms) < 1e-270, 0, least(1e270, assumeNotNull(timed_ms))), timed_ms IS NOT NULL) AS latencies,
	count(calls.response_chars) AS measured,
	sum(coalesce(calls.response_chars, 0)) AS response_chars,
	count(calls.tokens) AS metered,
	sum(coalesce(calls.tokens, 0)) AS tokens,
	count(calls.memory_mb) AS memory_samples,
	sum(coalesce(calls.memory_mb, 0)) AS memory_mb,
	count(calls.cpu_percent) AS cpu_samples,
	sum(coalesce(calls.cpu_percent, 0)) AS cpu_percent
FROM {{db}}.model_calls AS calls
GROUP BY project, hour, model
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.model_hours_view {{on_cluster}} TO {{local:model_hours}} AS
SELECT
	project, toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalHour(1), 'UTC') AS hour, model,
	count() AS requests,
	countIf(outcome = 'cancelled') AS cancelled,
	countIf(outcome = 'timeout') AS timeouts,
	countIf(outcome = 'error') AS failed,
	count(timed_ms) AS timed,
	sum(coalesce(timed_ms, 0)) AS latency_ms,
	-- A sketch has room for 540 decades; over it merging throws, and no event of the segment could be stored.
	quantilesDDStateIf(0.01, 0.5, 0.9, 0.95, 0.99)(
		if(assumeNotNull(timed_ms) < 1e-270, 0, least(1e270, assumeNotNull(timed_ms))), timed_ms IS NOT NULL) AS latencies,
	count(calls.response_chars) AS measured,
	sum(coalesce(calls.response_chars, 0)) AS response_chars,
	count(calls.tokens) AS metered,
	sum(coalesce(calls.tokens, 0)) AS tokens,
	count(calls.memory_mb) AS memory_samples,
	sum(coalesce(calls.memory_mb, 0)) AS memory_mb,
	count(calls.cpu_percent) AS cpu_samples,
	sum(coalesce(calls.cpu_percent, 0)) AS cpu_percent
FROM {{local:model_calls}} AS calls
GROUP BY project, hour, model;
