"""`casevault release`, `report`, `register`: numbers for others."""
