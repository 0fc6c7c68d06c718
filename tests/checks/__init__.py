"""Rules about the source that no linter knows, each proved by a planted violation."""
