"""What a case holds: its fields and states, records, facts, and how long each is kept."""
