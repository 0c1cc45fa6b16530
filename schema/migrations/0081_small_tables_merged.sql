-- What nearly every answer reads, and what is small: a part more costs a question as much as a hundred thousand rows, and merging it
-- costs next to nothing. ClickHouse would leave several parts for hours.
ALTER TABLE {{local:signals}} {{on_cluster}} MODIFY SETTING min_age_to_force_merge_seconds = 15;

ALTER TABLE {{local:sketch_total_1h}} {{on_cluster}} MODIFY SETTING min_age_to_force_merge_seconds = 60;

ALTER TABLE {{local:sketch_total_1d}} {{on_cluster}} MODIFY SETTING min_age_to_force_merge_seconds = 60;

-- Of money and subscriptions an answer reads the whole history: older than a quarter of a day it is one part.
ALTER TABLE {{local:billing_records}} {{on_cluster}} MODIFY SETTING min_age_to_force_merge_seconds = 21600;

ALTER TABLE {{local:subscription_records}} {{on_cluster}} MODIFY SETTING min_age_to_force_merge_seconds = 21600;
