-- When each pattern of log lines was first seen, ever: lines age, and what has always been logged must not look new.
-- A minimum may be taken twice, so the view comes first and what is already there after it: nothing falls between.
CREATE TABLE IF NOT EXISTS {{local:log_pattern_first_seen}} {{on_cluster}} (
	project LowCardinality(String),
	pattern_id UInt64,
	first_seen SimpleAggregateFunction(min, DateTime64(3, 'UTC'))
)
ENGINE = {{engine:AggregatingMergeTree}}
ORDER BY (project, pattern_id)
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:log_pattern_first_seen pattern_id}}

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.log_pattern_first_seen_view {{on_cluster}} TO {{local:log_pattern_first_seen}} AS
SELECT project, pattern_id, min(ts) AS first_seen
FROM {{local:logs}}
GROUP BY project, pattern_id;

INSERT INTO {{db}}.log_pattern_first_seen
SELECT project, pattern_id, min(ts) AS first_seen
FROM {{db}}.logs
GROUP BY project, pattern_id
SETTINGS insert_deduplicate = 0;
