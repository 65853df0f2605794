"""How long a training is, who is told of it, and what is found out from it."""
