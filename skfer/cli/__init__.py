"""The command `skfer`: a thin layer over the package."""

from skfer.cli._main import main

__all__ = ["main"]
