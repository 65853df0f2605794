"""Drawn faces: what is random, the face, the renderer, the camera."""

from skfer.datasets.drawn._make import make_expressions

__all__ = ["make_expressions"]
