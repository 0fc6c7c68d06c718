"""Colleagues: their sessions, guesses at their passphrases, lockdowns, how they leave."""
