"""Networks, as torch modules: backbones, attention, augmentation, the whole embedding net."""

from skfer.nets.attention import SelectiveAttention
from skfer.nets.augment import FaceAugment
from skfer.nets.backbones import (
    MLP,
    CompactResNet,
    TimmBackbone,
    feature_shape,
    make_backbone,
)
from skfer.nets.embedding import Embedded, EmbeddingNet, standardize_images
from skfer.nets.expressions import EXPRESSIONS_FILE, ExpressionNet, expression_network
from skfer.nets.start import START_FILE, FaceBackbone, face_backbone, load_start, save_start

__all__ = [
    "EXPRESSIONS_FILE",
    "MLP",
    "START_FILE",
    "CompactResNet",
    "Embedded",
    "EmbeddingNet",
    "ExpressionNet",
    "FaceAugment",
    "FaceBackbone",
    "SelectiveAttention",
    "TimmBackbone",
    "expression_network",
    "face_backbone",
    "feature_shape",
    "load_start",
    "make_backbone",
    "save_start",
    "standardize_images",
]
