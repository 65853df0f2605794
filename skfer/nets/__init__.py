"""Networks, as torch modules: backbones, attention, augmentation, the whole embedding net."""

from skfer.nets.attention import SelectiveAttention
from skfer.nets.augment import FaceAugment
from skfer.nets.backbones import MLP, CompactResNet
from skfer.nets.embedding import Embedded, EmbeddingNet, standardize_images
from skfer.nets.expressions import EXPRESSIONS_FILE, ExpressionNet, expression_network
from skfer.nets.making import Trial, make_backbone, try_backbone
from skfer.nets.start import (
    LARGE_START_FILE,
    START_FILE,
    FaceBackbone,
    face_backbone,
    load_start,
    save_start,
)
from skfer.nets.timm_backbone import TimmBackbone

__all__ = [
    "EXPRESSIONS_FILE",
    "LARGE_START_FILE",
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
    "Trial",
    "expression_network",
    "face_backbone",
    "load_start",
    "make_backbone",
    "save_start",
    "standardize_images",
    "try_backbone",
]
