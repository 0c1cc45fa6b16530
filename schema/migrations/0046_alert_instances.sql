-- Where every instance of every alert stands, and (as the instance without a name) how far its rule is evaluated. The rows of one
-- evaluation are one insert, so the two never disagree.
CREATE TABLE IF NOT EXISTS {{everywhere:alert_instances}} {{on_cluster}} (
	project LowCardinality(String),
	alert_id String,
	instance String,
	version UInt64,
	deleted UInt8,
	evaluated_at DateTime64(3, 'UTC'),
	label_set String,
	labels Map(String, String),
	state LowCardinality(String),
	standing String CODEC(ZSTD(1)),
	recent String,
	metric String,
	operator LowCardinality(String),
	message String CODEC(ZSTD(1)),
	severity LowCardinality(String),
	watching String,
	rule_version UInt64,
	error String
)
ENGINE = {{engine_everywhere:ReplacingMergeTree(version)}}
ORDER BY (project, alert_id, instance)
SETTINGS fsync_after_insert = 1;
