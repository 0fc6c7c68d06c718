"""Rows of the keyring: people and what they hold; principals, vouches, grants, trust."""
