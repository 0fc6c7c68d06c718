"""`casevault retention` and `certificate`: what is due, and proof that it is gone."""
