"""The embedder for any loss, and what becomes of the losses that it is given."""
