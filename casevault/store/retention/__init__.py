"""The end of a case: holds, tombstones, erasures and their certificates."""
