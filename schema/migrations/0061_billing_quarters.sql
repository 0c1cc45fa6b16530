-- Money by the quarter of an hour, which no day of any zone begins within: sums over months read a thousandth of the records. A projection, so
-- that whatever takes records away takes them out of the sums too. Parts that do not have it yet are summed up from their records.
ALTER TABLE {{local:billing_records}} {{on_cluster}} ADD PROJECTION IF NOT EXISTS quarters (
	SELECT project, kind, label, currency, toStartOfFifteenMinutes(ts), count(), sum(amount), sum(tax), sum(quantity)
	GROUP BY project, kind, label, currency, toStartOfFifteenMinutes(ts)
);

ALTER TABLE {{local:billing_records}} {{on_cluster}} MATERIALIZE PROJECTION quarters;
