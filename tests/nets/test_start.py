"""The start that comes with the package: its file, its card, and what it says of a picture."""

import hashlib
import re

import numpy as np
import pytest
import torch

from skfer.exceptions import ArgumentError
from skfer.nets import (
    LARGE_START_FILE,
    START_FILE,
    FaceBackbone,
    face_backbone,
    load_start,
    save_start,
    try_backbone,
)

SHIPPED = {
    False: (START_FILE, "1d5bde2e96bb0dd13e34f361778c65b1cd3825cf08b4ba4ee262c99eba91345e"),
    True: (LARGE_START_FILE, "0ffe41d39a7c6c846aa57415153ac267e52eee67b20d0b767b8189ca7b6d059d"),
}
"""The files, whether they are the large one, and their hashes."""
GOLDEN = {
    False: [0.1276, 0.1045, 0.3123, 0.1429, 0.1353, 0.0],
    True: [0.1226, 0.145, 0.011, 0.1044, 0.1558, 0.5537],
}
"""The first pooled features of the picture below."""


def picture(height=48, width=48):
    """Waves that no library function draws, alike at every size."""
    y = (np.arange(height) + 0.5) / height
    x = (np.arange(width) + 0.5) / width
    waves = (4 * x * (1 - x))[None, :] * y[:, None] + (8 * y * (1 - y) ** 2)[:, None] * (x > 0.3)
    return torch.tensor(waves, dtype=torch.float32)[None, None]


def pooled(backbone, x):
    backbone.eval()
    with torch.inference_mode():
        return backbone(x).mean((2, 3))


@pytest.mark.parametrize("large", [False, True])
def test_file_is_the_one_on_its_card(large):
    path, sha256 = SHIPPED[large]
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256
    assert sha256 in path.with_suffix(".md").read_text(encoding="utf-8")
    assert len(content) < 1_000_000


@pytest.mark.parametrize("large", [False, True])
def test_golden_embedding(large):
    features = pooled(face_backbone(large=large), picture())
    golden = GOLDEN[large]
    np.testing.assert_allclose(features[0, : len(golden)], golden, rtol=1e-3, atol=1e-3)


def test_large_is_twice_as_wide():
    small, large = face_backbone(), face_backbone(large=True)
    assert large.width == 2 * small.width
    with pytest.raises(ValueError, match="large must be left out where `weights` names a file"):
        face_backbone(large=True, weights=START_FILE)


@pytest.mark.parametrize("shape", [(16, 16), (48, 48), (64, 48), (224, 224), (30, 100)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_takes_any_image(shape, channels):
    backbone = face_backbone(channels)
    assert (
        try_backbone(backbone, (channels, *shape)).feature_shape[0]
        == pooled(backbone, torch.zeros(1, channels, *shape)).shape[1]
    )


def test_a_gray_image_says_the_same_in_all_channels():
    gray = pooled(face_backbone(), picture())
    for channels in (2, 3, 4):
        same = pooled(face_backbone(channels), picture().repeat(1, channels, 1, 1))
        torch.testing.assert_close(same, gray, rtol=1e-3, atol=1e-4)


def test_size_brightness_and_contrast_hardly_matter():
    backbone = face_backbone()
    want = pooled(backbone, picture())
    torch.testing.assert_close(pooled(backbone, 100 * picture() + 20), want, rtol=1e-3, atol=1e-3)
    smooth = torch.nn.functional.interpolate(
        picture(), (192, 192), mode="bilinear", align_corners=False
    )
    apart = (pooled(backbone, smooth) - want).norm() / want.norm()
    assert apart < 0.1


def test_modules_share_nothing():
    first, second = face_backbone(), face_backbone()
    with torch.no_grad():
        for weight in first.parameters():
            weight.zero_()
    assert any(weight.abs().sum() > 0 for weight in second.parameters())


def test_what_is_saved_is_loaded(tmp_path):
    backbone = FaceBackbone(width=8)
    named = {f"backbone.{name}": value for name, value in backbone.state_dict().items()}
    path = tmp_path / "own.safetensors"
    save_start(path, named, {"image_size": 48, "width": 8})
    assert [p.name for p in tmp_path.iterdir()] == ["own.safetensors"]
    again = face_backbone(weights=path)
    torch.testing.assert_close(
        pooled(again, picture()), pooled(backbone, picture()), rtol=1e-2, atol=1e-2
    )
    assert load_start(path)[1] == {"image_size": 48, "width": 8}


def test_errors_name_what_to_do(tmp_path):
    with pytest.raises(ValueError, match="in_channels must be a whole number of at least 1, got 0"):
        face_backbone(0)
    with pytest.raises(FileNotFoundError, match=re.escape("none.safetensors' is not a file")):
        face_backbone(weights=tmp_path / "none.safetensors")
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"no weights")
    with pytest.raises(ValueError, match=r"^weights must be a file that `python -m skfer"):
        face_backbone(weights=other)


def test_torchs_modes_and_generator_have_no_part():
    state = torch.manual_seed(5).get_state()
    want = pooled(face_backbone(), picture())
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            backbone = face_backbone()
    finally:
        torch.set_default_dtype(torch.float32)
    torch.testing.assert_close(pooled(backbone, picture()), want, rtol=0, atol=0)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_another_file_of_tensors_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    good = {f"backbone.{name}": value for name, value in FaceBackbone(width=8).state_dict().items()}
    for tensors, about in (
        (good, {"width": 8}),
        ({"backbone.w": torch.ones(2)}, {"image_size": 48, "width": 8}),
        (good, {"image_size": 48, "width": 16}),
        (good, {"image_size": 48, "width": "x"}),
    ):
        save_start(path, tensors, about)
        with pytest.raises(ArgumentError, match="weights must name a file that python -m skfer"):
            face_backbone(weights=path)


def test_weights_beyond_16_bits_are_refused_and_nothing_else_is_touched(tmp_path):
    mine = tmp_path / "start.tmp"
    mine.write_text("mine")
    path = tmp_path / "start.safetensors"
    save_start(path, {"backbone.w": torch.ones(2)}, {})
    kept = path.read_bytes()
    with pytest.raises(ArgumentError, match="tensors must be finite in 16 bits"):
        save_start(path, {"backbone.w": torch.full((2,), 1e6)}, {})
    assert path.read_bytes() == kept
    assert mine.read_text() == "mine"
