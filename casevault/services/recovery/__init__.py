"""Ceremony, backups, rolls, rotations, shares: the vault kept running and brought back."""
