"""What people read and fill in, made from the dictionary."""
