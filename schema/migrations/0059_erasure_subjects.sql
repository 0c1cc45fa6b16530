-- Who is being erased, while it lasts: deletions read the ids here, so that they stand in no text of a mutation, which ClickHouse keeps.
-- A partition for each request, dropped when it is done.
CREATE TABLE IF NOT EXISTS {{everywhere:erasure_subjects}} {{on_cluster}} (
	request_id String,
	kind LowCardinality(String),
	term String,
	hash UInt64
)
ENGINE = {{engine_everywhere:MergeTree}}
PARTITION BY request_id
ORDER BY kind
SETTINGS fsync_after_insert = 1;
