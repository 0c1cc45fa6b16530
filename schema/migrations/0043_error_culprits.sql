-- The call that an error is best known by, for lists of issues and the search in them. Errors of before have none stored.
ALTER TABLE {{local:errors}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS culprit LowCardinality(String) AFTER issue_id;

-- On a cluster the table over the shards has it too; on a single server this is the same table.
ALTER TABLE {{everywhere:errors}} {{on_cluster}}
	ADD COLUMN IF NOT EXISTS culprit LowCardinality(String) AFTER issue_id;
