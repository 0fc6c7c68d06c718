"""Rows and transactions: the only package that talks to a database.

Its rooms lie one above the other, and a contract holds them so: from `engine`, which knows no
meaning, over `keys`, `log` and `case` to what people do with cases.
"""
