"""The pledge report: what the register and published releases say about a period.

Data in, bytes out. Sees nothing of a case: of people it reads only files that were published.
"""
