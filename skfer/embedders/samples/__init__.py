"""What a user gives to an embedder: X, y, groups and votes, checked and in one form."""
