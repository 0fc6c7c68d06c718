"""CaseVault: a case store in which the key is the permission."""

__version__ = "0.1.0"
