-- Templates of log lines; a line carries only pattern_id, which is made of the template. Announced by every process on each day on which
-- it takes a line of it, with a time that no such line is later than: so a template is kept as long as any of its lines.
CREATE TABLE IF NOT EXISTS {{local:log_patterns}} {{on_cluster}} (
	project LowCardinality(String),
	pattern_id UInt64,
	template String CODEC(ZSTD(1)),
	lines_until DateTime('UTC')
)
ENGINE = {{engine:ReplacingMergeTree(lines_until)}}
ORDER BY (project, pattern_id)
TTL lines_until + toIntervalDay({{days:logs}})
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:log_patterns pattern_id}}
