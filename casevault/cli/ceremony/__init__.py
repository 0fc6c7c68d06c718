"""The key ceremony: the plan of an organisation, recovery shares, how the root is sealed."""
