"""Drawn faces: what is random, the face, the renderer, the camera."""

from skfer.datasets.drawn._make import make_expressions
from skfer.datasets.drawn._portraits import draw_portraits

__all__ = ["draw_portraits", "make_expressions"]
