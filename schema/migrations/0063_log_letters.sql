-- Words of log messages cut at their digits: numbers and ids are what most words of a message differ by, so without them a part has
-- few, and a part of a word is found by looking through those. Built for what is already there in the background; until then it is read.
ALTER TABLE {{local:logs}} {{on_cluster}}
	ADD INDEX IF NOT EXISTS message_letters translate(lower(message), '0123456789', '          ') TYPE text(tokenizer = splitByNonAlpha);

ALTER TABLE {{local:logs}} {{on_cluster}} MATERIALIZE INDEX message_letters;
