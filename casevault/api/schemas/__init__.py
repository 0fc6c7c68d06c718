"""Shapes of requests and answers. Unknown fields are refused; documents follow the dictionary."""
