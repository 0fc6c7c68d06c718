"""Colleagues: accounts, sessions, second factors, resets, leaving, lockdowns."""
