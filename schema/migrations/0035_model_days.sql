-- Percentile sketches of a model's calls per day UTC: a sketch of an hour holds about as many numbers as the calls it is of, so a
-- month of them would take as long to merge as its events to read.
CREATE TABLE IF NOT EXISTS {{local:model_days}} {{on_cluster}} (
	project LowCardinality(String),
	day Date,
	model LowCardinality(String),
	latencies AggregateFunction(quantilesDD(0.01, 0.5, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(day)
ORDER BY (project, day, model)
TTL day + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1, index_granularity = 256;

{{distributed:model_days cityHash64(model)}}

TRUNCATE TABLE IF EXISTS {{local:model_days}} {{on_cluster}};

INSERT INTO {{db}}.model_days
SELECT project, toDate(hour) AS day, model, quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(latencies) AS latencies
FROM {{db}}.model_hours
GROUP BY project, day, model
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.model_days_view {{on_cluster}} TO {{local:model_days}} AS
SELECT project, toDate(hour) AS day, model, quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(latencies) AS latencies
FROM {{local:model_hours}}
GROUP BY project, day, model;
