"""Use cases: one verb each; no service knows another."""
