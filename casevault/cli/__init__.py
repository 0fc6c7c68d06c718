"""The command line: the same use cases, for operators and for people in person."""
