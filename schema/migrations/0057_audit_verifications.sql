-- What each walk over a project's audit chain found, signed: also the anchor that says up to where, and with which hash, the chain
-- reached then. A chain that was cut off or written anew does not lead through its anchors.
CREATE TABLE IF NOT EXISTS {{everywhere:audit_verifications}} {{on_cluster}} (
	project String,
	verified_at DateTime64(3, 'UTC'),
	row_count UInt64,
	last_seq UInt64,
	last_hash FixedString(64),
	broken_at Nullable(UInt64),
	reason String,
	signature String
)
ENGINE = {{engine_everywhere:ReplacingMergeTree}}
ORDER BY (project, verified_at)
SETTINGS fsync_after_insert = 1;
