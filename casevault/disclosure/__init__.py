"""Counts that cannot be turned back into people: tables, counting rules, mechanism, files.

Pure: no database, no key, no clock of its own. What is random is an argument.
"""
