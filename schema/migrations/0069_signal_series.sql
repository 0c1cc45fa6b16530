-- A sum over the rows that announced the series of a metric: as long as it is the same, no series of that name is new, and what is
-- known of them need not be asked for again. Of hashes, so that other series have another sum. Those of before count as none.
ALTER TABLE {{local:signals}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS announced SimpleAggregateFunction(sum, UInt64);

ALTER TABLE {{everywhere:signals}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS announced SimpleAggregateFunction(sum, UInt64);

-- A series is announced before its points are stored: it says nothing of when there are some.
CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.signals_series_view {{on_cluster}} TO {{local:signals}} AS
SELECT
	project, 'metric' AS signal, toString(series.name) AS name,
	toDateTime64('2200-01-01 00:00:00', 3, 'UTC') AS first_seen, toDateTime64(0, 3, 'UTC') AS last_seen,
	sum(cityHash64(series_id, kind)) AS announced
FROM {{local:series}} AS series
GROUP BY project, name;
