"""What survivors may ask for about their own file, and what is kept for nothing."""
