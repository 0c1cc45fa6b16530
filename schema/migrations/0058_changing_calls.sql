-- Requests that changed something, as the server answered them: each must have its row in the audit log. Counted apart from the log
-- itself, so that a route which forgets to write there is found.
CREATE TABLE IF NOT EXISTS {{everywhere:changing_calls}} {{on_cluster}} (
	project String,
	answered_at DateTime64(3, 'UTC'),
	request_id String,
	method LowCardinality(String),
	route LowCardinality(String),
	status UInt16
)
ENGINE = {{engine_everywhere:MergeTree}}
PARTITION BY toYYYYMM(answered_at)
ORDER BY (project, answered_at)
TTL toDateTime(answered_at) + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1;
