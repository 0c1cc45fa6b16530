-- Sessions by UTC hour and person: first and last event, and how many of which kind. A session spans as many rows as it has hours
-- and persons; those of no user are kept too, since their messages are of the session, and to know who sends session ids at all.
CREATE TABLE IF NOT EXISTS {{local:session_hours}} {{on_cluster}} (
	project LowCardinality(String),
	hour DateTime('UTC') CODEC(Delta, ZSTD(1)),
	session UInt64 CODEC(ZSTD(1)),
	person UInt64 CODEC(ZSTD(1)),
	first SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
	last SimpleAggregateFunction(max, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
	n SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	chats SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1)),
	inferences SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(hour)
ORDER BY (project, hour, session, person)
TTL hour + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:session_hours session}}

TRUNCATE TABLE IF EXISTS {{local:session_hours}} {{on_cluster}};

INSERT INTO {{everywhere:session_hours}} (project, hour, session, person, first, last, n, chats, inferences)
SELECT
	project, toStartOfHour(toDateTime(ts, 'UTC')) AS hour, sipHash64(session_id) AS session, person,
	ts AS first, ts AS last, toUInt64(1) AS n,
	toUInt64(event = 'chat.message.sent') AS chats, toUInt64(event = 'model_inference_completed') AS inferences
FROM {{everywhere:events}}
WHERE session_id != ''
SETTINGS insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.session_hours_view {{on_cluster}} TO {{local:session_hours}} AS
SELECT
	project, toStartOfHour(toDateTime(ts, 'UTC')) AS hour, sipHash64(session_id) AS session, person,
	min(ts) AS first, max(ts) AS last, count() AS n,
	countIf(event = 'chat.message.sent') AS chats, countIf(event = 'model_inference_completed') AS inferences
FROM {{local:events}}
WHERE session_id != ''
GROUP BY project, hour, session, person;
