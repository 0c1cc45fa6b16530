-- Who an event is of, as a number: reading and joining 8 bytes instead of texts and maps. `anonymous` is the hash of the property
-- anonymous_id with the lowest bit cleared, 0 when there is none. `person` is the hash of user_id with the lowest bit set, else
-- `anonymous`, else 0. So an anonymous id that a client sent as user_id differs from itself in that bit only.
-- Parts that were there before compute the columns when they are read.
ALTER TABLE {{local:events}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS anonymous UInt64 MATERIALIZED
		multiIf(
			strings['anonymous_id'] != '', bitAnd(sipHash64(strings['anonymous_id']), bitNot(toUInt64(1))),
			mapContains(numbers, 'anonymous_id'), bitAnd(sipHash64(toString(numbers['anonymous_id'])), bitNot(toUInt64(1))),
			0
		) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS person UInt64 MATERIALIZED
		if(user_id != '', bitOr(sipHash64(user_id), toUInt64(1)), anonymous) CODEC(ZSTD(1));

-- On a cluster the table over the shards has them too; on a single server this is the same table.
ALTER TABLE {{everywhere:events}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS anonymous UInt64 MATERIALIZED
		multiIf(
			strings['anonymous_id'] != '', bitAnd(sipHash64(strings['anonymous_id']), bitNot(toUInt64(1))),
			mapContains(numbers, 'anonymous_id'), bitAnd(sipHash64(toString(numbers['anonymous_id'])), bitNot(toUInt64(1))),
			0
		) CODEC(ZSTD(1)),
	ADD COLUMN IF NOT EXISTS person UInt64 MATERIALIZED
		if(user_id != '', bitOr(sipHash64(user_id), toUInt64(1)), anonymous) CODEC(ZSTD(1));
