"""Processes that die at the worst moment."""
