"""Keeping a fitted model: files that run no code when they are loaded."""

from skfer.persistence._model import load, model_card, read_card, save
from skfer.persistence._onnx import export_onnx
from skfer.persistence._ready import load_expression_model

__all__ = ["export_onnx", "load", "load_expression_model", "model_card", "read_card", "save"]
