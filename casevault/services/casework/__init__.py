"""A case: opened, recorded, shared with colleagues, passed on, opened in an emergency."""
