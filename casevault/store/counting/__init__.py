"""Numbers: facts read in bulk, releases, the programme register."""
