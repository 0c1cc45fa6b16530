-- Days of models know all that hours know, so that a window of weeks is of days and of the calls at its ends: two sources in one answer
-- instead of four, and to plan how they fit together was what took long.
ALTER TABLE {{local:model_days}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS requests SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS cancelled SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS timeouts SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS timed SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS latency_ms SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS measured SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS response_chars SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS metered SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS tokens SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS memory_samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS memory_mb SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS cpu_samples SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS cpu_percent SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1));

-- On a cluster the table over the shards has them too; on a single server this is the same table.
ALTER TABLE {{everywhere:model_days}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS requests SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS cancelled SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS timeouts SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS timed SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS latency_ms SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS measured SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS response_chars SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS metered SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS tokens SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS memory_samples SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS memory_mb SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS cpu_samples SimpleAggregateFunction(sum, UInt64),
	ADD COLUMN IF NOT EXISTS cpu_percent SimpleAggregateFunction(sum, Float64);

ALTER TABLE {{db}}.model_days_view {{on_cluster}} MODIFY QUERY
SELECT
	project, toDate(hour) AS day, model,
	sum(calls.requests) AS requests,
	sum(calls.cancelled) AS cancelled,
	sum(calls.timeouts) AS timeouts,
	sum(calls.failed) AS failed,
	sum(calls.timed) AS timed,
	sum(calls.latency_ms) AS latency_ms,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(calls.latencies) AS latencies,
	sum(calls.measured) AS measured,
	sum(calls.response_chars) AS response_chars,
	sum(calls.metered) AS metered,
	sum(calls.tokens) AS tokens,
	sum(calls.memory_samples) AS memory_samples,
	sum(calls.memory_mb) AS memory_mb,
	sum(calls.cpu_samples) AS cpu_samples,
	sum(calls.cpu_percent) AS cpu_percent
FROM {{local:model_hours}} AS calls
GROUP BY project, day, model;

-- The days that are there know their sketches only: they are made again. Emptied first, so that nothing counts twice when this runs
-- again after a crash.
TRUNCATE TABLE IF EXISTS {{local:model_days}} {{on_cluster}};

INSERT INTO {{everywhere:model_days}} (
	project, day, model, requests, cancelled, timeouts, failed, timed, latency_ms, latencies, measured, response_chars, metered, tokens,
	memory_samples, memory_mb, cpu_samples, cpu_percent)
SELECT
	project, toDate(hour) AS day, model,
	sum(calls.requests) AS requests,
	sum(calls.cancelled) AS cancelled,
	sum(calls.timeouts) AS timeouts,
	sum(calls.failed) AS failed,
	sum(calls.timed) AS timed,
	sum(calls.latency_ms) AS latency_ms,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(calls.latencies) AS latencies,
	sum(calls.measured) AS measured,
	sum(calls.response_chars) AS response_chars,
	sum(calls.metered) AS metered,
	sum(calls.tokens) AS tokens,
	sum(calls.memory_samples) AS memory_samples,
	sum(calls.memory_mb) AS memory_mb,
	sum(calls.cpu_samples) AS cpu_samples,
	sum(calls.cpu_percent) AS cpu_percent
FROM {{everywhere:model_hours}} AS calls
GROUP BY project, day, model
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;
