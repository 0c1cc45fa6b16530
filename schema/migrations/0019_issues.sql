-- One row per fingerprint: when the issue was first and last seen, how often, by how many users.
CREATE TABLE IF NOT EXISTS {{local:issues}} {{on_cluster}} (
	project LowCardinality(String),
	issue_id UInt64,
	error_type SimpleAggregateFunction(any, String),
	component SimpleAggregateFunction(any, String),
	message SimpleAggregateFunction(any, String),
	first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC')),
	last_seen SimpleAggregateFunction(max, DateTime64(3, 'UTC')),
	n SimpleAggregateFunction(sum, UInt64),
	users AggregateFunction(uniqCombined64, String)
)
ENGINE = {{engine:AggregatingMergeTree}}
ORDER BY (project, issue_id)
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:issues issue_id}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.issues_view {{on_cluster}} TO {{local:issues}} AS
SELECT
	project, issue_id,
	any(errors.error_type) AS error_type, any(errors.component) AS component, any(errors.message) AS message,
	min(ts) AS first_seen, max(ts) AS last_seen, count() AS n, uniqCombined64StateIf(user_id, user_id != '') AS users
FROM {{local:errors}} AS errors
GROUP BY project, issue_id;
