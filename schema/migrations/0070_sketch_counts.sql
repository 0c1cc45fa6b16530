-- How many values a sketch is of, and their sum and maximum, beside it: requests and their response times are one question then, of a row
-- a component where the rollups have one a series. Whether a point is of a request that failed is a matter of its series' tags, which
-- no view of points can see: ingest says it with the point. The numbers of before come from the rollups, those of a bucket at once, so
-- that nothing counts twice when this runs again after a crash. n is signed: an erasure adds what it takes out.
ALTER TABLE {{local:points}} {{on_cluster}} ADD COLUMN IF NOT EXISTS failed Bool CODEC(ZSTD(1));

ALTER TABLE {{everywhere:points}} {{on_cluster}} ADD COLUMN IF NOT EXISTS failed Bool;

ALTER TABLE {{local:sketch_1m}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf CODEC(ZSTD(1));

ALTER TABLE {{everywhere:sketch_1m}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf;

INSERT INTO {{everywhere:sketch_1m}} (project, name, component, bucket, n, failed, sum, max)
SELECT project, name, component, bucket, sum(found.n), sumIf(found.n, bad), sum(found.sum), max(found.max)
FROM {{everywhere:rollup_1m}} AS found
GLOBAL INNER JOIN (
	SELECT project, name, series_id, anyLast(component) AS component, any(
		toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != ''
			OR (name = 'response_time' AND toUInt16OrZero(tags['status']) >= 500)
	) AS bad
	FROM {{everywhere:series}} GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
) AS known USING (project, name, series_id)
WHERE (project, name, component, bucket) GLOBAL NOT IN (SELECT project, name, component, bucket FROM {{everywhere:sketch_1m}} WHERE n > 0)
GROUP BY project, name, component, bucket
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

ALTER TABLE {{local:sketch_5m}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf CODEC(ZSTD(1));

ALTER TABLE {{everywhere:sketch_5m}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf;

INSERT INTO {{everywhere:sketch_5m}} (project, name, component, bucket, n, failed, sum, max)
SELECT project, name, component, bucket, sum(found.n), sumIf(found.n, bad), sum(found.sum), max(found.max)
FROM {{everywhere:rollup_5m}} AS found
GLOBAL INNER JOIN (
	SELECT project, name, series_id, anyLast(component) AS component, any(
		toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != ''
			OR (name = 'response_time' AND toUInt16OrZero(tags['status']) >= 500)
	) AS bad
	FROM {{everywhere:series}} GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
) AS known USING (project, name, series_id)
WHERE (project, name, component, bucket) GLOBAL NOT IN (SELECT project, name, component, bucket FROM {{everywhere:sketch_5m}} WHERE n > 0)
GROUP BY project, name, component, bucket
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

ALTER TABLE {{local:sketch_15m}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf CODEC(ZSTD(1));

ALTER TABLE {{everywhere:sketch_15m}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf;

INSERT INTO {{everywhere:sketch_15m}} (project, name, component, bucket, n, failed, sum, max)
SELECT project, name, component, bucket, sum(found.n), sumIf(found.n, bad), sum(found.sum), max(found.max)
FROM {{everywhere:rollup_15m}} AS found
GLOBAL INNER JOIN (
	SELECT project, name, series_id, anyLast(component) AS component, any(
		toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != ''
			OR (name = 'response_time' AND toUInt16OrZero(tags['status']) >= 500)
	) AS bad
	FROM {{everywhere:series}} GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
) AS known USING (project, name, series_id)
WHERE (project, name, component, bucket) GLOBAL NOT IN (SELECT project, name, component, bucket FROM {{everywhere:sketch_15m}} WHERE n > 0)
GROUP BY project, name, component, bucket
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

ALTER TABLE {{local:sketch_1h}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf CODEC(ZSTD(1));

ALTER TABLE {{everywhere:sketch_1h}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf;

INSERT INTO {{everywhere:sketch_1h}} (project, name, component, bucket, n, failed, sum, max)
SELECT project, name, component, bucket, sum(found.n), sumIf(found.n, bad), sum(found.sum), max(found.max)
FROM {{everywhere:rollup_1h}} AS found
GLOBAL INNER JOIN (
	SELECT project, name, series_id, anyLast(component) AS component, any(
		toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != ''
			OR (name = 'response_time' AND toUInt16OrZero(tags['status']) >= 500)
	) AS bad
	FROM {{everywhere:series}} GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
) AS known USING (project, name, series_id)
WHERE (project, name, component, bucket) GLOBAL NOT IN (SELECT project, name, component, bucket FROM {{everywhere:sketch_1h}} WHERE n > 0)
GROUP BY project, name, component, bucket
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

ALTER TABLE {{local:sketch_1d}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf CODEC(ZSTD(1));

ALTER TABLE {{everywhere:sketch_1d}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf;

INSERT INTO {{everywhere:sketch_1d}} (project, name, component, bucket, n, failed, sum, max)
SELECT project, name, component, bucket, sum(found.n), sumIf(found.n, bad), sum(found.sum), max(found.max)
FROM {{everywhere:rollup_1d}} AS found
GLOBAL INNER JOIN (
	SELECT project, name, series_id, anyLast(component) AS component, any(
		toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != ''
			OR (name = 'response_time' AND toUInt16OrZero(tags['status']) >= 500)
	) AS bad
	FROM {{everywhere:series}} GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
) AS known USING (project, name, series_id)
WHERE (project, name, component, bucket) GLOBAL NOT IN (SELECT project, name, component, bucket FROM {{everywhere:sketch_1d}} WHERE n > 0)
GROUP BY project, name, component, bucket
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

ALTER TABLE {{local:sketch_total_1h}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf CODEC(ZSTD(1));

ALTER TABLE {{everywhere:sketch_total_1h}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf;

INSERT INTO {{everywhere:sketch_total_1h}} (project, name, bucket, n, failed, sum, max)
SELECT project, name, bucket, sum(found.n), sumIf(found.n, bad), sum(found.sum), max(found.max)
FROM {{everywhere:rollup_1h}} AS found
GLOBAL INNER JOIN (
	SELECT project, name, series_id, anyLast(component) AS component, any(
		toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != ''
			OR (name = 'response_time' AND toUInt16OrZero(tags['status']) >= 500)
	) AS bad
	FROM {{everywhere:series}} GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
) AS known USING (project, name, series_id)
WHERE (project, name, bucket) GLOBAL NOT IN (SELECT project, name, bucket FROM {{everywhere:sketch_total_1h}} WHERE n > 0)
GROUP BY project, name, bucket
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

ALTER TABLE {{local:sketch_total_1d}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64) CODEC(T64, ZSTD(1)),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf CODEC(ZSTD(1));

ALTER TABLE {{everywhere:sketch_total_1d}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS n SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS failed SimpleAggregateFunction(sum, Int64),
	ADD COLUMN IF NOT EXISTS sum SimpleAggregateFunction(sum, Float64),
	ADD COLUMN IF NOT EXISTS max SimpleAggregateFunction(max, Float64) DEFAULT -inf;

INSERT INTO {{everywhere:sketch_total_1d}} (project, name, bucket, n, failed, sum, max)
SELECT project, name, bucket, sum(found.n), sumIf(found.n, bad), sum(found.sum), max(found.max)
FROM {{everywhere:rollup_1d}} AS found
GLOBAL INNER JOIN (
	SELECT project, name, series_id, anyLast(component) AS component, any(
		toUInt16OrZero(tags['http.response.status_code']) >= 500 OR tags['error.type'] != ''
			OR (name = 'response_time' AND toUInt16OrZero(tags['status']) >= 500)
	) AS bad
	FROM {{everywhere:series}} GROUP BY project, name, series_id HAVING anyLast(kind) = 'distribution'
) AS known USING (project, name, series_id)
WHERE (project, name, bucket) GLOBAL NOT IN (SELECT project, name, bucket FROM {{everywhere:sketch_total_1d}} WHERE n > 0)
GROUP BY project, name, bucket
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;
