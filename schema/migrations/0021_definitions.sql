-- Everything a person defines (keys, alerts, dashboards, …) as versioned JSON; the newest version of an id counts.
CREATE TABLE IF NOT EXISTS {{everywhere:definitions}} {{on_cluster}} (
	project String,
	kind LowCardinality(String),
	id String,
	version UInt64,
	deleted UInt8,
	body String CODEC(ZSTD(1)),
	created_at DateTime64(3, 'UTC'),
	updated_at DateTime64(3, 'UTC')
)
ENGINE = {{engine_everywhere:ReplacingMergeTree(version)}}
ORDER BY (project, kind, id)
SETTINGS fsync_after_insert = 1;
