"""Decisions, pure: no third-party import, no I/O, no clock of its own."""
