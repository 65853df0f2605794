"""The command `skfer`: a thin face on the package."""

from skfer.cli._main import main

__all__ = ["main"]
