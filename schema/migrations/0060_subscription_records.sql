-- Records of subscriptions once more, in the order in which they are replayed: one subscription after another, each by time. What finds them
-- sorted asks in a third of the time that sorting takes. The columns are those of billing_records, which it is fed from.
CREATE TABLE IF NOT EXISTS {{local:subscription_records}} {{on_cluster}} (
	project LowCardinality(String),
	kind LowCardinality(String),
	ts DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
	id UInt64 CODEC(ZSTD(1)),
	subject String CODEC(ZSTD(1)),
	account_id String CODEC(ZSTD(1)),
	label LowCardinality(String),
	segment LowCardinality(String),
	currency LowCardinality(String),
	amount Nullable(Float64) CODEC(ZSTD(1)),
	quantity Nullable(Float64) CODEC(ZSTD(1)),
	discount Float64 CODEC(ZSTD(1)),
	interval_unit LowCardinality(String),
	interval_count Float64 CODEC(ZSTD(1)),
	effective DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1))
)
ENGINE = {{engine:MergeTree}}
ORDER BY (project, subject, ts, id)
SETTINGS {{dedup}}, fsync_after_insert = 1;

{{distributed:subscription_records cityHash64(subject)}}

-- What is there already. Before the view, and emptied first, so that nothing counts twice when this runs again after a crash.
TRUNCATE TABLE IF EXISTS {{local:subscription_records}} {{on_cluster}};

INSERT INTO {{everywhere:subscription_records}} (
	project, kind, ts, id, subject, account_id, label, segment, currency, amount, quantity, discount, interval_unit, interval_count, effective)
SELECT
	project, kind, ts, id, subject, account_id, label, segment, currency, amount, quantity, discount, interval_unit, interval_count, effective
FROM {{everywhere:billing_records}}
WHERE startsWith(kind, 'subscription.') AND subject != ''
SETTINGS insert_deduplicate = 0, distributed_foreground_insert = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS {{db}}.subscription_records_view {{on_cluster}} TO {{local:subscription_records}} AS
SELECT
	project, kind, ts, id, subject, account_id, label, segment, currency, amount, quantity, discount, interval_unit, interval_count, effective
FROM {{local:billing_records}}
WHERE startsWith(kind, 'subscription.') AND subject != '';
