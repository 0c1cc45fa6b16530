-- Several writers replace: of two that replace one version of a definition, the second one's insert is a no-op.
ALTER TABLE {{everywhere:definitions}} {{on_cluster}} MODIFY SETTING {{dedup}};
