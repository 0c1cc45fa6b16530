-- Several processes append: of two that put a row in at one place of a project's chain, the second one's insert is a no-op.
ALTER TABLE {{everywhere:audit_log}} {{on_cluster}} MODIFY SETTING {{dedup}};
