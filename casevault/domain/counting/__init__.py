"""The programme register, the pledge's indicators, codes for others' data sets."""
