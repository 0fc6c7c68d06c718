"""Who may do what: roles, vouches, whose signature counts, acts that need two people."""
