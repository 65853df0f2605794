"""Torch's modes around calls of an embedder change nothing, and stay as they are."""

import contextlib

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from skfer import TripletCenterEmbedder


@contextlib.contextmanager
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


AMBIENT = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),
    "default dtype": float64_by_default,
}
ANSWERS = ["transform", "predict_proba", "decision_function", "class_scores", "score_samples"]


def results(embedder, X, y):
    """Return what all methods give, in order."""
    found = [getattr(embedder, name)(X) for name in ANSWERS if hasattr(embedder, name)]
    if hasattr(embedder, "attention_maps"):
        found += [part for part in embedder.attention_maps(X) if part is not None]
    return [*found, embedder.partial_fit(X, y).transform(X)]


def assert_no_part(embedder, faces, modes, global_state):
    X, y = faces.images[:24], faces.target[:24]
    embedder.set_params(max_epochs=1, image_size=24)
    expected = results(embedder.fit(X, y), X, y)
    with contextlib.ExitStack() as stack:
        for mode in modes:
            stack.enter_context(mode())
        state = global_state()
        found = results(embedder.fit(X, y), X, y)
        assert global_state() == state
    for ours, plain in zip(found, expected, strict=True):
        assert ours.dtype == plain.dtype
        assert_array_equal(ours, plain)
    parameters = [*embedder.backbone_.parameters()]
    assert all(p.dtype == torch.float32 and not p.is_inference() for p in parameters)
    assert np.isfinite(embedder.transform(X)).all()


def test_modes_have_no_part(embedder, faces, global_state):
    assert_no_part(embedder, faces, AMBIENT.values(), global_state)


@pytest.mark.parametrize("ambient", AMBIENT.values(), ids=AMBIENT)
def test_one_mode_has_no_part(faces, ambient, global_state):
    embedder = TripletCenterEmbedder(16, backbone="scratch", random_state=0)
    assert_no_part(embedder, faces, [ambient], global_state)


def test_autocast_has_no_part_in_bfloat16_either(faces, global_state):
    """It keeps rounded weights as long as it is on; after a step they would be old ones."""
    embedder = TripletCenterEmbedder(
        16, backbone="scratch", precision="bfloat16", random_state=0, samples_per_class=2
    )
    assert_no_part(embedder, faces, [AMBIENT["autocast"]], global_state)
