"""What waits for people, and what a second person's word carries out."""
