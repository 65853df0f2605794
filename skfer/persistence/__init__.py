"""Keeping a fitted model: files that run no code when they are loaded."""

from skfer.persistence._model import load, model_card, read_card, save

__all__ = ["load", "model_card", "read_card", "save"]
