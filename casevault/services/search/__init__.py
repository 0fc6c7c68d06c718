"""Finding people and duplicates, and the cards by which they are found."""
