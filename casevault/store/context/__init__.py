"""What every use case works with: the stores, the caller, intents, a second person's word."""
