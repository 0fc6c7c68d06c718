"""The ledger in the database: entries, the tree, checkpoints, proofs, files of the log."""
