"""Looks at a case in words, and how alerts and acts are reviewed."""
