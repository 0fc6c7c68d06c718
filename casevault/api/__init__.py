"""The HTTP face of the use cases: the only package that knows FastAPI."""
