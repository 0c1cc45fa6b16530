-- When each kind of error was first seen, ever: errors age, and a group of theirs must not look new because its first ones are gone.
-- A minimum may be taken twice, so the view comes first and what is already there after it: nothing falls between.
CREATE TABLE IF NOT EXISTS {{local:error_first_seen}} {{on_cluster}} (
	project LowCardinality(String),
	error_type LowCardinality(String),
	component LowCardinality(String),
	severity LowCardinality(String),
	issue_id UInt64,
	first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC'))
)
ENGINE = {{engine:AggregatingMergeTree}}
ORDER BY (project, error_type, component, severity, issue_id)
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:error_first_seen issue_id}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.error_first_seen_view {{on_cluster}} TO {{local:error_first_seen}} AS
SELECT project, error_type, component, severity, issue_id, min(ts) AS first_seen
FROM {{local:errors}}
GROUP BY project, error_type, component, severity, issue_id;

INSERT INTO {{db}}.error_first_seen
SELECT project, error_type, component, severity, issue_id, min(ts) AS first_seen
FROM {{db}}.errors
GROUP BY project, error_type, component, severity, issue_id
SETTINGS insert_deduplicate = 0;
