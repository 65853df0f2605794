"""The classifier that comes with the package."""

import hashlib

import numpy as np
import pytest
import torch

from skfer.datasets import EXPRESSIONS
from skfer.nets import EXPRESSIONS_FILE, START_FILE, expression_network, load_start, save_start

SHA256 = "252337ed3a85043ab3e4b8855a4a3d40ff3d3a065bb14fec2a6325b35759170e"
GOLDEN = [0.0387, 0.3025, 0.0133, 0.0314, 0.0017, 0.0177, 0.5894, 0.0053]
"""Posterior of the picture below."""


def picture():
    """Waves that no library function draws."""
    x = (torch.arange(64) + 0.5) / 64
    return ((4 * x * (1 - x))[None, :] * x[:, None] + (8 * x * (1 - x) ** 2)[:, None])[None, None]


def test_file_is_the_one_on_its_card():
    content = EXPRESSIONS_FILE.read_bytes()
    assert hashlib.sha256(content).hexdigest() == SHA256
    assert SHA256 in EXPRESSIONS_FILE.with_suffix(".md").read_text(encoding="utf-8")
    assert len(content) + len(START_FILE.read_bytes()) < 1_000_000


def test_golden_posterior():
    network = expression_network()
    assert network.classes == EXPRESSIONS
    with torch.inference_mode():
        posterior = network(picture()).logits.softmax(1)[0]
    np.testing.assert_allclose(posterior, GOLDEN, atol=2e-3)


def test_temperature_divides_the_logits():
    network = expression_network().requires_grad_(False)
    logits = network(picture()).logits
    network.temperature *= 2
    torch.testing.assert_close(network(picture()).logits, logits / 2)


def test_a_backbone_alone_is_no_classifier(tmp_path):
    tensors, about = load_start(START_FILE)
    path = tmp_path / "backbone.safetensors"
    save_start(path, {k: v for k, v in tensors.items() if k.startswith("backbone")}, about)
    with pytest.raises(ValueError, match="must hold a classifier"):
        expression_network(weights=path)
