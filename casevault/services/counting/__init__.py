"""The programme register, and counts that cannot be turned back into people."""
