"""What survivors may ask for about their own file, and what they are given."""
