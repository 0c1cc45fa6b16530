-- Which user an anonymous id belongs to: the first link by event time wins. `first` is (time of the link, person). Kept for good:
-- a link applies to the past and to what is still to come.
CREATE TABLE IF NOT EXISTS {{local:identities}} {{on_cluster}} (
	project LowCardinality(String),
	anonymous UInt64,
	first SimpleAggregateFunction(min, Tuple(DateTime64(3, 'UTC'), UInt64))
)
ENGINE = {{engine:AggregatingMergeTree}}
ORDER BY (project, anonymous)
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:identities anonymous}}

TRUNCATE TABLE IF EXISTS {{local:identities}} {{on_cluster}};

INSERT INTO {{everywhere:identities}} (project, anonymous, first)
SELECT project, anonymous, (ts, person) AS first
FROM {{everywhere:events}}
WHERE anonymous != 0 AND user_id != '' AND anonymous != bitAnd(person, bitNot(toUInt64(1)))
SETTINGS insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.identities_view {{on_cluster}} TO {{local:identities}} AS
SELECT project, anonymous, min((ts, person)) AS first
FROM {{local:events}}
WHERE anonymous != 0 AND user_id != '' AND anonymous != bitAnd(person, bitNot(toUInt64(1)))
GROUP BY project, anonymous;
