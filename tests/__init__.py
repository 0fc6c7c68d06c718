"""The tests of CaseVault; a package so that `python -m tests.checks` finds its parts."""
