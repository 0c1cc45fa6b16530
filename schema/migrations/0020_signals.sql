-- Which record names a project has ever sent, and when: tells "zero" from "never instrumented".
CREATE TABLE IF NOT EXISTS {{local:signals}} {{on_cluster}} (
	project LowCardinality(String),
	signal LowCardinality(String),
	name String,
	first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
	last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC'))
)
ENGINE = {{engine:AggregatingMergeTree}}
ORDER BY (project, signal, name)
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:signals cityHash64(name)}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.signals_metrics_view {{on_cluster}} TO {{local:signals}} AS
SELECT project, 'metric' AS signal, points.name AS name, min(ts) AS first_seen, max(ts) AS last_seen
FROM {{local:points}} AS points
GROUP BY project, name;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.signals_cumulative_view {{on_cluster}} TO {{local:signals}} AS
SELECT project, 'metric' AS signal, totals.name AS name, min(ts) AS first_seen, max(ts) AS last_seen
FROM {{local:cumulative}} AS totals
GROUP BY project, name;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.signals_events_view {{on_cluster}} TO {{local:signals}} AS
SELECT project, 'event' AS signal, event AS name, min(ts) AS first_seen, max(ts) AS last_seen
FROM {{local:events}}
GROUP BY project, name;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.signals_logs_view {{on_cluster}} TO {{local:signals}} AS
SELECT project, 'log' AS signal, component AS name, min(ts) AS first_seen, max(ts) AS last_seen
FROM {{local:logs}}
GROUP BY project, name;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.signals_errors_view {{on_cluster}} TO {{local:signals}} AS
SELECT project, 'error' AS signal, error_type AS name, min(ts) AS first_seen, max(ts) AS last_seen
FROM {{local:errors}}
GROUP BY project, name;
