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

__all__ = [
    "MLP",
    "CompactResNet",
    "Embedded",
    "EmbeddingNet",
    "FaceAugment",
    "SelectiveAttention",
    "TimmBackbone",
    "feature_shape",
    "make_backbone",
    "standardize_images",
]
