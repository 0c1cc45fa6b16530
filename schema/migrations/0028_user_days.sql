-- When each person was active, by UTC day: one bit a quarter of an hour, of which a day in any zone is composed exactly. Being deleted
-- makes nobody active. `first` is the first event of the day; `country` is the last one of the day: milliseconds since the epoch times 65,536, plus the two bytes of the
-- ISO code ('??' for what is none); 0 when none was sent.
CREATE TABLE IF NOT EXISTS {{local:user_days}} {{on_cluster}} (
	project LowCardinality(String),
	day Date CODEC(Delta, ZSTD(1)),
	person UInt64 CODEC(ZSTD(1)),
	quarters SimpleAggregateFunction(groupBitOr, UInt128) CODEC(ZSTD(1)),
	first SimpleAggregateFunction(min, DateTime64(3, 'UTC')) CODEC(Delta, ZSTD(1)),
	country SimpleAggregateFunction(max, UInt64) CODEC(ZSTD(1))
)
ENGINE = {{engine:AggregatingMergeTree}}
PARTITION BY toYYYYMM(day)
ORDER BY (project, day, person)
TTL day + toIntervalDay({{days:events}})
SETTINGS {{dedup}}, fsync_after_insert = 1, ttl_only_drop_parts = 1;

{{distributed:user_days person}}

TRUNCATE TABLE IF EXISTS {{local:user_days}} {{on_cluster}};

-- Row by row: the table itself combines them, and no memory is needed for the whole history.
INSERT INTO {{everywhere:user_days}} (project, day, person, quarters, first, country)
SELECT
	project, toDate(ts, 'UTC') AS day, person,
	bitShiftLeft(toUInt128(1), intDiv(toUnixTimestamp(ts) % 86400, 900)) AS quarters,
	ts AS first,
	if(
		strings['geo.country.iso_code'] = '', 0,
		toUInt64(toUnixTimestamp64Milli(ts)) * 65536 + if(
			length(strings['geo.country.iso_code']) = 2, reinterpretAsUInt16(upper(strings['geo.country.iso_code'])), 16191)
	) AS country
FROM {{everywhere:events}}
WHERE person != 0 AND event != 'user.deleted'
SETTINGS insert_deduplicate = 0;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.user_days_view {{on_cluster}} TO {{local:user_days}} AS
SELECT
	project, toDate(ts, 'UTC') AS day, person,
	groupBitOr(bitShiftLeft(toUInt128(1), intDiv(toUnixTimestamp(ts) % 86400, 900))) AS quarters,
	min(ts) AS first,
	max(if(
		strings['geo.country.iso_code'] = '', 0,
		toUInt64(toUnixTimestamp64Milli(ts)) * 65536 + if(
			length(strings['geo.country.iso_code']) = 2, reinterpretAsUInt16(upper(strings['geo.country.iso_code'])), 16191)
	)) AS country
FROM {{local:events}}
WHERE person != 0 AND event != 'user.deleted'
GROUP BY project, day, person;
