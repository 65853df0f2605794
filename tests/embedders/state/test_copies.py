"""A copy that is made while another thread ends a fit is of one state, before it or after."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from torch import nn

import skfer
from skfer.embedders.state import _pickling
from skfer.embedders.state._snapshots import replace_state
from skfer.training import on_cpu

X = np.random.RandomState(0).standard_normal((24, 3))
Y = np.arange(24)


def saved(model, folder):
    skfer.save(model, folder / "model.skfer")
    return skfer.load(folder / "model.skfer")


WAYS = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "copy": lambda model, folder: copy.copy(model),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "file": saved,
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_of_one_state(monkeypatch, tmp_path, way):
    model = skfer.CrossEntropyEmbedder(
        embedding_dim=2, backbone=nn.Linear(3, 4), max_epochs=1, random_state=0
    )
    later = clone(model).fit(X, Y % 3)
    model.fit(X, Y % 2)
    before = model.predict_proba(X)

    def at_its_end(module):
        """Copy the backbone, when parameters are read and what was learned is not yet."""
        replace_state(model, later)
        return on_cpu(module)

    monkeypatch.setattr(_pickling, "on_cpu", at_its_end)
    made = WAYS[way](model, tmp_path)
    monkeypatch.undo()
    assert len(model.classes_) == 3
    np.testing.assert_array_equal(made.predict_proba(X), before)
