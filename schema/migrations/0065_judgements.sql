-- What users and evaluators think of answers, of features and of conversations: ratings and evaluations with typed columns, a sixth of what
-- reading their two maps costs. As they were sent: what a rating means is the measure's to say. `criterion` and `source` are of evaluations,
-- in lower case; `low` and `high` are the ends of the scale, where the record names them.
CREATE TABLE IF NOT EXISTS {{local:judgements}} {{on_cluster}} (
	project LowCardinality(String),
	event LowCardinality(String),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	model LowCardinality(String),
	target_type LowCardinality(String),
	target_id String CODEC(ZSTD(1)),
	criterion LowCardinality(String),
	source LowCardinality(String),
	evaluator LowCardinality(String),
	text String CODEC(ZSTD(1)),
	number Nullable(Float64) CODEC(ZSTD(1)),
	low Nullable(Float64) CODEC(ZSTD(1)),
	high Nullable(Float64) CODEC(ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
PARTITION BY toYYYYMM(ts)
ORDER BY (project, event, ts)
TTL toDateTime(ts) + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:judgements cityHash64(target_id)}}

-- What is there already. Before the view, and emptied first, so that nothing counts twice when this runs again after a crash.
TRUNCATE TABLE IF EXISTS {{local:judgements}} {{on_cluster}};

INSERT INTO {{everywhere:judgements}} (project, event, ts, model, target_type, target_id, criterion, source, evaluator, text, number, low, high)
SELECT
	project, event, ts, strings['model'] AS model, strings['target_type'] AS target_type, strings['target_id'] AS target_id,
	if(event = 'feedback.submitted', '', lower(firstNonDefault(strings['name'], strings['gen_ai.evaluation.name']))) AS criterion,
	if(event = 'feedback.submitted', '', lower(strings['source'])) AS source,
	if(event = 'feedback.submitted', '', strings['evaluator']) AS evaluator,
	strings[if(event = 'feedback.submitted', 'rating', 'value')] AS text,
	multiIf(
		event = 'feedback.submitted', if(mapContains(numbers, 'rating'), numbers['rating'], NULL),
		mapContains(numbers, 'value'), numbers['value'],
		mapContains(numbers, 'gen_ai.evaluation.score.value'), numbers['gen_ai.evaluation.score.value'],
		NULL) AS number,
	if(event != 'feedback.submitted' AND mapContains(numbers, 'scale_min'), numbers['scale_min'], NULL) AS low,
	multiIf(
		event = 'feedback.submitted', if(mapContains(numbers, 'scale'), numbers['scale'], NULL),
		mapContains(numbers, 'scale_max'), numbers['scale_max'],
		NULL) AS high
FROM {{everywhere:events}}
WHERE event IN ('feedback.submitted', 'gen_ai.evaluation.result')
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.judgements_view {{on_cluster}} TO {{local:judgements}} AS
SELECT
	project, event, ts, strings['model'] AS model, strings['target_type'] AS target_type, strings['target_id'] AS target_id,
	if(event = 'feedback.submitted', '', lower(firstNonDefault(strings['name'], strings['gen_ai.evaluation.name']))) AS criterion,
	if(event = 'feedback.submitted', '', lower(strings['source'])) AS source,
	if(event = 'feedback.submitted', '', strings['evaluator']) AS evaluator,
	strings[if(event = 'feedback.submitted', 'rating', 'value')] AS text,
	multiIf(
		event = 'feedback.submitted', if(mapContains(numbers, 'rating'), numbers['rating'], NULL),
		mapContains(numbers, 'value'), numbers['value'],
		mapContains(numbers, 'gen_ai.evaluation.score.value'), numbers['gen_ai.evaluation.score.value'],
		NULL) AS number,
	if(event != 'feedback.submitted' AND mapContains(numbers, 'scale_min'), numbers['scale_min'], NULL) AS low,
	multiIf(
		event = 'feedback.submitted', if(mapContains(numbers, 'scale'), numbers['scale'], NULL),
		mapContains(numbers, 'scale_max'), numbers['scale_max'],
		NULL) AS high
FROM {{local:events}}
WHERE event IN ('feedback.submitted', 'gen_ai.evaluation.result');
