"""How the weights that come with the package are made: ``python -m skfer.pretraining``."""

from skfer.pretraining._ready import make_ready
from skfer.pretraining._recipe import Recipe, make_start

__all__ = ["Recipe", "make_ready", "make_start"]
