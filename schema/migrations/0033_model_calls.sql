-- Calls of language models with typed columns: reading the maps of events is what an answer about models takes its time for, and what
-- a call means is said here, once.
-- outcome: a call that says it failed without saying why is an error too.
-- timed_ms: null for timeouts and cancelled calls, which say how long somebody waited, not how fast the model is.
-- tokens: input counts what was cached already; the total of the client where one of the parts is not known.
CREATE TABLE IF NOT EXISTS {{local:model_calls}} {{on_cluster}} (
	project LowCardinality(String),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	id UInt64 CODEC(Delta, ZSTD(1)),
	event_id String CODEC(ZSTD(1)),
	model LowCardinality(String),
	outcome LowCardinality(String),
	timed_ms Nullable(Float64) CODEC(ZSTD(1)),
	response_chars Nullable(Float64) CODEC(ZSTD(1)),
	tokens Nullable(Float64) CODEC(ZSTD(1)),
	memory_mb Nullable(Float64) CODEC(ZSTD(1)),
	cpu_percent Nullable(Float64) CODEC(ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toYYYYMM(ts)
ORDER BY (project, ts)
TTL toDateTime(ts) + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:model_calls cityHash64(model)}}

-- What is there already. Before the view, and emptied first, so that nothing counts twice when this runs again after a crash.
TRUNCATE TABLE IF EXISTS {{local:model_calls}} {{on_cluster}};

INSERT INTO {{db}}.model_calls
SELECT
	project, ts, id, event_id, strings['model'] AS model,
	multiIf(
		strings['error_type'] = 'timeout', 'timeout',
		strings['error_type'] = 'cancelled', 'cancelled',
		strings['error_type'] != '' OR lower(strings['success']) = 'false' OR mapContains(numbers, 'success') AND numbers['success'] = 0, 'error',
		'success') AS outcome,
	if(outcome IN ('success', 'error') AND mapContains(numbers, 'latency_ms') AND numbers['latency_ms'] >= 0, numbers['latency_ms'], NULL) AS timed_ms,
	if(mapContains(numbers, 'response_chars'), numbers['response_chars'], NULL) AS response_chars,
	multiIf(
		mapContains(numbers, 'input_tokens') AND mapContains(numbers, 'output_tokens'), numbers['input_tokens'] + numbers['output_tokens'],
		mapContains(numbers, 'tokens'), numbers['tokens'],
		mapContains(numbers, 'input_tokens') OR mapContains(numbers, 'output_tokens'), numbers['input_tokens'] + numbers['output_tokens'],
		NULL) AS tokens,
	if(mapContains(numbers, 'memory_mb'), numbers['memory_mb'], NULL) AS memory_mb,
	if(mapContains(numbers, 'cpu_percent'), numbers['cpu_percent'], NULL) AS cpu_percent
FROM {{db}}.events
WHERE event = 'model_inference_completed'
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.model_calls_view {{on_cluster}} TO {{local:model_calls}} AS
SELECT
	project, ts, id, event_id, strings['model'] AS model,
	multiIf(
		strings['error_type'] = 'timeout', 'timeout',
		strings['error_type'] = 'cancelled', 'cancelled',
		strings['error_type'] != '' OR lower(strings['success']) = 'false' OR mapContains(numbers, 'success') AND numbers['success'] = 0, 'error',
		'success') AS outcome,
	if(outcome IN ('success', 'error') AND mapContains(numbers, 'latency_ms') AND numbers['latency_ms'] >= 0, numbers['latency_ms'], NULL) AS timed_ms,
	if(mapContains(numbers, 'response_chars'), numbers['response_chars'], NULL) AS response_chars,
	multiIf(
		mapContains(numbers, 'input_tokens') AND mapContains(numbers, 'output_tokens'), numbers['input_tokens'] + numbers['output_tokens'],
		mapContains(numbers, 'tokens'), numbers['tokens'],
		mapContains(numbers, 'input_tokens') OR mapContains(numbers, 'output_tokens'), numbers['input_tokens'] + numbers['output_tokens'],
		NULL) AS tokens,
	if(mapContains(numbers, 'memory_mb'), numbers['memory_mb'], NULL) AS memory_mb,
	if(mapContains(numbers, 'cpu_percent'), numbers['cpu_percent'], NULL) AS cpu_percent
FROM {{local:events}}
WHERE event = 'model_inference_completed';
