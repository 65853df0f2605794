"""What the shared tests run on: every embedder of the table, and small sets to fit it on."""

import numpy as np
import pytest
import torch
from helpers.embedders import CASES

from skfer.datasets import make_expressions


@pytest.fixture(params=CASES, ids=lambda case: case.cls.__name__)
def embedder_case(request):
    """Each embedder, as a row of the table."""
    return request.param


@pytest.fixture
def embedder(embedder_case):
    """Each embedder, unfitted, quick to fit."""
    return embedder_case.make()


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
