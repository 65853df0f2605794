"""Files that an earlier skfer has written: they load, and give the same embedding."""

import warnings

import numpy as np
import pytest
from helpers.golden import FOLDER, embedded, faces
from numpy.testing import assert_allclose

import skfer
from skfer.exceptions import InconsistentVersionWarning

NAMES = sorted(path.stem for path in FOLDER.glob("*.skfer"))


def test_each_embedder_has_one():
    wanted = {"cross_entropy", "gaussian", "metric_loss", "multi_threshold", "triplet_center"}
    assert set(NAMES) == wanted | {"pipeline"}


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_and_embeds(name):
    with warnings.catch_warnings():
        # They stay while versions go on.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        warnings.filterwarnings("ignore", message="Trying to unpickle estimator")
        model = skfer.load(FOLDER / f"{name}.skfer")
    with np.load(FOLDER / "embeddings.npz") as arrays:
        wanted = arrays[name]
    assert_allclose(embedded(model, faces()), wanted, rtol=1e-4, atol=1e-4)
    assert set(model.predict(faces())) <= {"anger", "fear"}
    assert "golden" in skfer.model_card(FOLDER / f"{name}.skfer")
