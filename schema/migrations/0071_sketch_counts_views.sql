-- The views count beside the sketches from now on. What is below zero is a correction, which each tier gets for itself: a finer one is
-- kept for less time, and could not tell the coarser ones of all. The views are made anew, since one whose query was modified gives
-- other deduplication tokens after the next start of ClickHouse (26.7) than before it: a repeated insert would count twice.
DROP VIEW IF EXISTS {{db}}.sketch_1m_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_1m_view {{on_cluster}} TO {{local:sketch_1m}} AS
SELECT
	project, name, component,
	toStartOfInterval(toDateTime(ts, 'UTC'), toIntervalSecond(60), 'UTC') AS bucket,
	-- A sketch has room for 540 decades; over it merging throws, and no point of the segment could be stored.
	quantilesDDState(0.01, 0.5, 0.9, 0.95, 0.99)(
		if(abs(value) < 1e-270, 0, greatest(-1e270, least(1e270, value)))
	) AS quantiles,
	count() AS n, countIf(raw.failed) AS failed, sum(value) AS sum, max(value) AS max
FROM {{local:points}} AS raw
WHERE kind = 'distribution'
GROUP BY project, name, component, bucket;

DROP VIEW IF EXISTS {{db}}.sketch_5m_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_5m_view {{on_cluster}} TO {{local:sketch_5m}} AS
SELECT
	project, name, component,
	toStartOfInterval(fine.bucket, toIntervalSecond(300), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles,
	sum(fine.n) AS n, sum(fine.failed) AS failed, sum(fine.sum) AS sum, max(fine.max) AS max
FROM {{local:sketch_1m}} AS fine
WHERE fine.n > 0
GROUP BY project, name, component, bucket;

DROP VIEW IF EXISTS {{db}}.sketch_15m_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_15m_view {{on_cluster}} TO {{local:sketch_15m}} AS
SELECT
	project, name, component,
	toStartOfInterval(fine.bucket, toIntervalSecond(900), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles,
	sum(fine.n) AS n, sum(fine.failed) AS failed, sum(fine.sum) AS sum, max(fine.max) AS max
FROM {{local:sketch_5m}} AS fine
WHERE fine.n > 0
GROUP BY project, name, component, bucket;

DROP VIEW IF EXISTS {{db}}.sketch_1h_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_1h_view {{on_cluster}} TO {{local:sketch_1h}} AS
SELECT
	project, name, component,
	toStartOfInterval(fine.bucket, toIntervalSecond(3600), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles,
	sum(fine.n) AS n, sum(fine.failed) AS failed, sum(fine.sum) AS sum, max(fine.max) AS max
FROM {{local:sketch_15m}} AS fine
WHERE fine.n > 0
GROUP BY project, name, component, bucket;

DROP VIEW IF EXISTS {{db}}.sketch_1d_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_1d_view {{on_cluster}} TO {{local:sketch_1d}} AS
SELECT
	project, name, component,
	toStartOfInterval(fine.bucket, toIntervalSecond(86400), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles,
	sum(fine.n) AS n, sum(fine.failed) AS failed, sum(fine.sum) AS sum, max(fine.max) AS max
FROM {{local:sketch_1h}} AS fine
WHERE fine.n > 0
GROUP BY project, name, component, bucket;

DROP VIEW IF EXISTS {{db}}.sketch_total_1h_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_total_1h_view {{on_cluster}} TO {{local:sketch_total_1h}} AS
SELECT
	project, name,
	toStartOfInterval(fine.bucket, toIntervalSecond(3600), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles,
	sum(fine.n) AS n, sum(fine.failed) AS failed, sum(fine.sum) AS sum, max(fine.max) AS max
FROM {{local:sketch_15m}} AS fine
WHERE fine.n > 0
GROUP BY project, name, bucket;

DROP VIEW IF EXISTS {{db}}.sketch_total_1d_view {{on_cluster}};

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.sketch_total_1d_view {{on_cluster}} TO {{local:sketch_total_1d}} AS
SELECT
	project, name,
	toStartOfInterval(fine.bucket, toIntervalSecond(86400), 'UTC') AS bucket,
	quantilesDDMergeState(0.01, 0.5, 0.9, 0.95, 0.99)(fine.quantiles) AS quantiles,
	sum(fine.n) AS n, sum(fine.failed) AS failed, sum(fine.sum) AS sum, max(fine.max) AS max
FROM {{local:sketch_total_1h}} AS fine
WHERE fine.n > 0
GROUP BY project, name, bucket;
