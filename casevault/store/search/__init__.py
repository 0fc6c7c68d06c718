"""Finding people: search cards, and the processes that match them."""
