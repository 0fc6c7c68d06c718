"""`casevault staff` and `lockdown`: colleagues, and shutting the vault."""
