"""`casevault import`, `search`, `dictionary`: cases taken over, found, and their fields."""
