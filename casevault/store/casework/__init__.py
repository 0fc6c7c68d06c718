"""A case in somebody's hands: opened, listed, handed over, given new keys, spoken about."""
