"""Whatever is public refuses odd arguments by name."""

import sys
import types

import pytest
import torch
from helpers.arguments import Case
from torch import nn

import skfer.nets
from skfer.nets import (
    MLP,
    CompactResNet,
    EmbeddingNet,
    ExpressionNet,
    FaceAugment,
    FaceBackbone,
    SelectiveAttention,
    TimmBackbone,
    expression_network,
    face_backbone,
    make_backbone,
    standardize_images,
    try_backbone,
)

SHAPE = (1, 24, 24)
IMAGES = torch.rand(2, *SHAPE)
CONV = nn.Conv2d(1, 8, 3)
ATTENTION = SelectiveAttention(8, 4)
NET = EmbeddingNet(CONV, (8, 22, 22), 4)

CASES = {
    "CompactResNet": Case(CompactResNet, {"input_shape": SHAPE, "width": 4}),
    "EmbeddingNet": Case(
        EmbeddingNet,
        {
            "backbone": CONV,
            "feature_shape": (8, 22, 22),
            "embedding_dim": 4,
            "n_classes": 3,
            "attention": "both",
            "augment": FaceAugment(),
            "standardize_embedding": True,
            "channels_last": True,
            "mirror": False,
        },
        n_classes="None",
        attention="None",
        augment="None",
        standardize_embedding="True",
        channels_last="True",
        mirror="True",
    ),
    "EmbeddingNet.forward": Case(NET.forward, {"x": IMAGES[:, 0], "part": None}, part="None"),
    "EmbeddingNet.freeze_backbone": Case(NET.freeze_backbone, {"frozen": False}, frozen="True"),
    "ExpressionNet": Case(
        ExpressionNet,
        {"backbone": FaceBackbone(1), "classes": ("joy", "fear"), "temperature": 1.0},
        temperature="2.5",
    ),
    "FaceAugment": Case(
        FaceAugment,
        {
            "degrees": 10,
            "zoom": 0.1,
            "shift": 0.1,
            "flip": True,
            "contrast": 0.1,
            "brightness": 0.1,
        },
        degrees="0 2.5",
        zoom="0",
        shift="0",
        flip="True",
        contrast="0",
        brightness="0 2.5",
    ),
    "FaceAugment.forward": Case(FaceAugment().forward, {"images": IMAGES}),
    "FaceBackbone": Case(FaceBackbone, {"in_channels": 1, "image_size": 24, "width": 4}),
    "MLP": Case(MLP, {"input_shape": (5,), "width": 4}),
    "SelectiveAttention": Case(
        SelectiveAttention,
        {"in_channels": 8, "embedding_dim": 4, "pixel": True, "element": True},
        pixel="True",
        element="True",
    ),
    "SelectiveAttention.forward": Case(ATTENTION.forward, {"features": torch.rand(2, 8, 4, 4)}),
    "TimmBackbone": Case(
        TimmBackbone,
        {"name": "cnn", "input_shape": SHAPE, "weights": None, "rename": None},
        name="text",
        weights="None",
        rename="None {}",
    ),
    "expression_network": Case(
        expression_network, {"in_channels": 1, "weights": None}, weights="None"
    ),
    "face_backbone": Case(
        face_backbone,
        {"in_channels": 1, "large": False, "weights": None},
        large="True",
        weights="None",
    ),
    "make_backbone": Case(
        make_backbone, {"backbone": "auto", "input_shape": SHAPE, "weights": None}, weights="None"
    ),
    "standardize_images": Case(standardize_images, {"images": IMAGES[:, 0]}),
    "try_backbone": Case(try_backbone, {"backbone": CONV, "input_shape": SHAPE}),
}
"""Tuples of results, and what reads and writes files, are tried elsewhere."""
FILES = {"START_FILE", "LARGE_START_FILE", "EXPRESSIONS_FILE"}
ELSEWHERE = {"Embedded", "Trial", *FILES, "load_start", "save_start"}
# What users give an embedder is called as there.
NAMES = {
    "TimmBackbone": {"weights": "backbone_weights"},
    "make_backbone": {"weights": "backbone_weights"},
}


@pytest.fixture
def timm(monkeypatch):
    fake = types.ModuleType("timm")
    fake.is_model = lambda name: True
    fake.get_pretrained_cfg_value = lambda name, key: None
    fake.create_model = lambda name, **settings: nn.Identity()
    monkeypatch.setitem(sys.modules, "timm", fake)


@pytest.mark.parametrize("name", CASES)
def test_odd_arguments_are_refused_by_name(timm, name):
    case, names = CASES[name], NAMES.get(name, {})
    assert case.covers()
    faults = [
        fault for argument in case.valid for fault in case.faults(argument, names.get(argument))
    ]
    assert not faults, "\n".join(faults)


def test_all_that_is_public_is_tried():
    tried = {name.partition(".")[0] for name in CASES}
    assert tried | ELSEWHERE == set(skfer.nets.__all__)
