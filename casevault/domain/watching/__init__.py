"""The watch over the log: what the rules look at, their limits, and the rules themselves. Pure."""
