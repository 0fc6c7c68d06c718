"""Released tables in the forms that other programs read. Made from the published file alone.

Whatever the form, a withheld number stays withheld: it is left out or empty, and never zero.
"""
