"""`casevault db` and `doctor`: backups, restores, how the machine stands."""
