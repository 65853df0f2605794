"""Keeping a fitted model: files that run no code when they are loaded."""

from skfer.persistence._model import load, read_card, save

__all__ = ["load", "read_card", "save"]
