"""What the shared tests run over: every public embedder, and small sets to fit it on."""

import numpy as np
import pytest
import torch

import skfer
from skfer.datasets import make_expressions
from skfer.embedders import __all__ as public

EMBEDDERS = [getattr(skfer, name) for name in public]


@pytest.fixture(params=EMBEDDERS, ids=lambda cls: cls.__name__)
def embedder(request):
    """Each embedder, unfitted, quick to fit."""
    return request.param(embedding_dim=16, max_epochs=2, samples_per_class=4, random_state=0)


@pytest.fixture(scope="session")
def faces():
    """Sixty-four drawn faces of four expressions and eight subjects, 24 px."""
    return make_expressions(
        8,
        2,
        image_size=24,
        classes=["anger", "happiness", "neutral", "surprise"],
        random_state=0,
    )


@pytest.fixture
def rows():
    """Forty rows of five features in three classes, by names."""
    rng = np.random.RandomState(0)
    y = np.array(["joy", "rage", "awe"])[np.arange(40) % 3]
    return rng.normal(size=(40, 5)) + np.eye(5)[np.arange(40) % 3] * 3, y


@pytest.fixture
def global_state():
    """Call it twice: the generators and threads are the same, or it fails."""

    def state():
        numpy = np.random.mtrand._rand.get_state(legacy=True)
        return (
            numpy[1].tobytes(),
            numpy[2:],
            torch.get_rng_state().numpy().tobytes(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
        )

    return state
