-- The view of 0066, made anew: one whose query was modified gives other deduplication tokens after the next start of ClickHouse (26.7)
-- than before it, and an insert that is repeated then would count twice.
DROP VIEW IF EXISTS {{db}}.model_days_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.model_days_view {{on_cluster}} TO {{local:model_days}} AS
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
