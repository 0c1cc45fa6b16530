-- Calls of language models per hour UTC; days of a zone that divide an hour read that hour's events. A call is timed when it was
-- neither cancelled nor ran into its timeout: those say how long somebody waited, not how fast the model is.
-- query/measures/models.ts says the same of the events at the ends of a window.
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

-- What is there already. Before the view, and emptied first, so that nothing counts twice when this runs again after a crash.
TRUNCATE TABLE IF EXISTS {{local:model_hours}} {{on_cluster}};

INSERT INTO {{db}}.model_hours
WITH
	strings['error_type'] AS error_type,
	mapContains(numbers, 'latency_ms') AND numbers['latency_ms'] >= 0 AND error_type NOT IN ('timeout', 'cancelled') AS is_timed,
	mapContains(numbers, 'input_tokens') AND mapContains(numbers, 'output_tokens') AS has_parts,
	mapContains(numbers, 'tokens') AS has_total,
	has_parts OR has_total OR mapContains(numbers, 'input_tokens') OR mapContains(numbers, 'output_tokens') AS is_metered,
	if(has_parts OR NOT has_total, numbers['input_tokens'] + numbers['output_tokens'], numbers['tokens']) AS used_tokens
SELECT
	project, toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalHour(1), 'UTC') AS hour, strings['model'] AS model,
	count() AS requests,
	countIf(error_type = 'cancelled') AS cancelled,
	countIf(error_type = 'timeout') AS timeouts,
	countIf(error_type NOT IN ('', 'timeout', 'cancelled') OR error_type = '' AND (
		lower(strings['success']) = 'false' OR mapContains(numbers, 'success') AND numbers['success'] = 0)) AS failed,
	countIf(is_timed) AS timed,
	sumIf(numbers['latency_ms'], is_timed) AS latency_ms,
	-- A sketch has room for 540 decades; over it merging throws, and no event of the segment could be stored.
	quantilesDDStateIf(0.01, 0.5, 0.9, 0.95, 0.99)(
		if(abs(numbers['latency_ms']) < 1e-270, 0, greatest(-1e270, least(1e270, numbers['latency_ms']))), is_timed) AS latencies,
	countIf(mapContains(numbers, 'response_chars')) AS measured,
	sum(numbers['response_chars']) AS response_chars,
	countIf(is_metered) AS metered,
	sumIf(used_tokens, is_metered) AS tokens,
	countIf(mapContains(numbers, 'memory_mb')) AS memory_samples,
	sum(numbers['memory_mb']) AS memory_mb,
	countIf(mapContains(numbers, 'cpu_percent')) AS cpu_samples,
	sum(numbers['cpu_percent']) AS cpu_percent
FROM {{db}}.events
WHERE event = 'model_inference_completed'
GROUP BY project, hour, model
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.model_hours_view {{on_cluster}} TO {{local:model_hours}} AS
WITH
	strings['error_type'] AS error_type,
	mapContains(numbers, 'latency_ms') AND numbers['latency_ms'] >= 0 AND error_type NOT IN ('timeout', 'cancelled') AS is_timed,
	mapContains(numbers, 'input_tokens') AND mapContains(numbers, 'output_tokens') AS has_parts,
	mapContains(numbers, 'tokens') AS has_total,
	has_parts OR has_total OR mapContains(numbers, 'input_tokens') OR mapContains(numbers, 'output_tokens') AS is_metered,
	if(has_parts OR NOT has_total, numbers['input_tokens'] + numbers['output_tokens'], numbers['tokens']) AS used_tokens
SELECT
	project, toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalHour(1), 'UTC') AS hour, strings['model'] AS model,
	count() AS requests,
	countIf(error_type = 'cancelled') AS cancelled,
	countIf(error_type = 'timeout') AS timeouts,
	countIf(error_type NOT IN ('', 'timeout', 'cancelled') OR error_type = '' AND (
		lower(strings['success']) = 'false' OR mapContains(numbers, 'success') AND numbers['success'] = 0)) AS failed,
	countIf(is_timed) AS timed,
	sumIf(numbers['latency_ms'], is_timed) AS latency_ms,
	-- A sketch has room for 540 decades; over it merging throws, and no event of the segment could be stored.
	quantilesDDStateIf(0.01, 0.5, 0.9, 0.95, 0.99)(
		if(abs(numbers['latency_ms']) < 1e-270, 0, greatest(-1e270, least(1e270, numbers['latency_ms']))), is_timed) AS latencies,
	countIf(mapContains(numbers, 'response_chars')) AS measured,
	sum(numbers['response_chars']) AS response_chars,
	countIf(is_metered) AS metered,
	sumIf(used_tokens, is_metered) AS tokens,
	countIf(mapContains(numbers, 'memory_mb')) AS memory_samples,
	sum(numbers['memory_mb']) AS memory_mb,
	countIf(mapContains(numbers, 'cpu_percent')) AS cpu_samples,
	sum(numbers['cpu_percent']) AS cpu_percent
FROM {{local:events}}
WHERE event = 'model_inference_completed'
GROUP BY project, hour, model;
