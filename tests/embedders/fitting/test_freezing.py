"""A backbone that does not learn, for a while or for good, and the mode that it trains in."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from skfer import CrossEntropyEmbedder
from skfer.nets import CompactResNet


class Watch(Callback):
    """Notes the backbone of every epoch, and whether it was in training mode."""

    seen = ()

    def on_epoch_end(self, net, **kwargs):
        state = {k: v.clone() for k, v in net.module_.backbone.state_dict().items()}
        type(self).seen = (*self.seen, state)


@pytest.fixture
def watch(monkeypatch):
    monkeypatch.setattr(Watch, "seen", ())
    return Watch


def changed(states):
    """Whether weights and statistics changed, all or none, from each state to the next."""
    changes = []
    for before, after in pairwise(states):
        found = {not torch.equal(before[name], after[name]) for name in before}
        assert len(found) == 1
        changes.append(found.pop())
    return changes


@pytest.fixture
def start():
    torch.manual_seed(0)
    return CompactResNet((1, 24, 24), width=4)


@pytest.mark.parametrize(
    ("freeze_backbone", "expected"),
    [
        (False, [True, True, True, True]),
        (True, [False, False, False, False]),
        (1, [False, True, True, True]),
        (3, [False, False, False, True]),
        (9, [False, False, False, False]),
        (0.5, [False, False, True, True]),
        (0.1, [False, True, True, True]),
    ],
)
def test_for_how_long(faces, start, watch, freeze_backbone, expected):
    first = {k: v.clone() for k, v in start.state_dict().items()}
    model = CrossEntropyEmbedder(
        4,
        backbone=start,
        freeze_backbone=freeze_backbone,
        max_epochs=4,
        callbacks=[Watch],
        random_state=0,
    ).fit(faces.images, faces.target)
    assert changed([first, *watch.seen]) == expected
    assert not model.net_.module_.backbone_frozen


def test_every_embedder_takes_it(embedder, faces, start):
    embedder.set_params(backbone=start, freeze_backbone=True).fit(faces.images, faces.target)
    state = embedder.backbone_.state_dict()
    assert not any(changed([start.state_dict(), state]))
    assert np.isfinite(embedder.transform(faces.images)).all()
    # It is frozen while it trains; whoever gets it may train it.
    assert all(parameter.requires_grad for parameter in embedder.backbone_.parameters())


def test_partial_fit_counts_its_passes(faces, start):
    model = CrossEntropyEmbedder(4, backbone=start, freeze_backbone=2, random_state=0)
    states = [start.state_dict()]
    for _ in range(3):
        model.partial_fit(faces.images, faces.target)
        states.append({k: v.clone() for k, v in model.backbone_.state_dict().items()})
    assert changed(states) == [False, False, True]


def test_a_failed_fit_leaves_nothing_frozen(faces, start):
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("on purpose")

    model = CrossEntropyEmbedder(4, backbone=start, max_epochs=1, random_state=0)
    model.fit(faces.images, faces.target)
    model.set_params(freeze_backbone=True, warm_start=True, callbacks=[Fails()])
    with pytest.raises(RuntimeError, match="on purpose"):
        model.fit(faces.images, faces.target)
    assert not model.net_.module_.backbone_frozen


@pytest.mark.parametrize("value", [0, -1, 1.0, 1.5, "yes", None])
def test_odd_values(faces, value):
    with pytest.raises(ValueError, match="'freeze_backbone' parameter"):
        CrossEntropyEmbedder(4, freeze_backbone=value).fit(faces.images, faces.target)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_mode_of_a_backbone_does_not_matter(faces, start, early_stopping):
    """One that has answered before is in inference mode."""
    model = CrossEntropyEmbedder(
        4, backbone=start.train(), max_epochs=2, early_stopping=early_stopping, random_state=0
    )
    expected = clone(model).fit(faces.images, faces.target).transform(faces.images)
    start.eval()
    actual = clone(model).fit(faces.images, faces.target).transform(faces.images)
    np.testing.assert_array_equal(actual, expected)
    assert not start.training


def test_the_mode_of_an_augmentation_does_not_matter(faces, start):
    augment = nn.Dropout(0.5)
    model = CrossEntropyEmbedder(4, backbone=start, augment=augment, max_epochs=1, random_state=0)
    expected = clone(model).fit(faces.images, faces.target).transform(faces.images)
    augment.eval()
    actual = clone(model).fit(faces.images, faces.target).transform(faces.images)
    np.testing.assert_array_equal(actual, expected)
    assert not augment.training


def test_an_answer_does_not_change_the_next_fit(faces, start):
    def transferred(first):
        second = CrossEntropyEmbedder(4, backbone=first.backbone_, max_epochs=1, random_state=0)
        return second.fit(faces.images, faces.target).transform(faces.images)

    first = CrossEntropyEmbedder(4, backbone=start, max_epochs=1, random_state=0)
    first.fit(faces.images, faces.target)
    before = transferred(first)
    first.transform(faces.images)
    np.testing.assert_array_equal(transferred(first), before)
