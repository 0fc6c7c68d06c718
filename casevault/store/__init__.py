"""Rows and transactions: the only package that talks to a database."""
