"""How long cases are kept, and how they end."""
