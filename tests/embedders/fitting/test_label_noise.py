"""Labels of which many are wrong."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import make_blobs
from torch.nn import functional as F

from skfer import CrossEntropyEmbedder, MultiThresholdEmbedder
from skfer.exceptions import ArgumentError
from skfer.nets import Embedded
from skfer.training import Objective


def robust(q, class_weight=None):
    objective = Objective(None, 1.0, class_weight=class_weight)
    objective.robustness = q
    return objective


def drawn(n=12, n_classes=4, seed=0):
    rng = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, n_classes, generator=rng, dtype=torch.float64)
    return logits, torch.arange(n) % n_classes


def loss_of(objective, logits, *rest):
    return objective(Embedded(embedding=torch.zeros(len(logits), 2), logits=logits), *rest)


@pytest.mark.parametrize("q", [0.1, 0.85, 1.0])
def test_is_the_published_formula(q):
    logits, labels = drawn()
    own = logits.softmax(1)[torch.arange(len(labels)), labels]
    expected = ((1 - own**q) / q).mean()
    assert_allclose(loss_of(robust(q), logits, labels), expected)


def test_approaches_cross_entropy():
    logits, labels = drawn()
    assert_allclose(loss_of(robust(1e-9), logits, labels), F.cross_entropy(logits, labels))


def test_gradient():
    logits, labels = drawn()
    logits.requires_grad_()
    weights = torch.tensor([1.0, 0.5, 2.0, 1.0], dtype=torch.float64)
    objective = robust(0.85, weights)
    assert torch.autograd.gradcheck(lambda z: loss_of(objective, z, labels), logits)


def test_an_improbable_label_teaches_less():
    logits = torch.tensor([[5.0, 0.0], [5.0, 0.0]], requires_grad=True)
    loss_of(robust(0.85), logits, torch.tensor([0, 1])).backward()
    wrong = logits.grad[1].abs().sum()
    plain = torch.tensor([[5.0, 0.0], [5.0, 0.0]], requires_grad=True)
    loss_of(robust(0.0), plain, torch.tensor([0, 1])).backward()
    p = torch.tensor([[5.0, 0.0]]).softmax(1)[0, 1]
    assert_allclose(wrong / plain.grad[1].abs().sum(), p**0.85, rtol=1e-5)


def test_unlabeled_samples_and_class_weights():
    logits, labels = drawn()
    weights = torch.tensor([1.0, 0.5, 2.0, 1.0], dtype=torch.float64)
    labels[::5] = -1
    known = labels >= 0
    own = logits.softmax(1)[known, labels[known]]
    terms = weights[labels[known]] * (1 - own**0.85) / 0.85
    expected = terms.sum() / weights[labels[known]].sum()
    assert_allclose(loss_of(robust(0.85, weights), logits, labels), expected)


def test_votes_are_mixed():
    logits, labels = drawn()
    votes = torch.softmax(torch.flip(logits, (1,)), 1)
    expected = (votes * (1 - logits.softmax(1) ** 0.85) / 0.85).sum(1).mean()
    assert_allclose(loss_of(robust(0.85), logits, labels, votes), expected)


@pytest.fixture(scope="module")
def blobs():
    """Rows of which three in ten have another label, and others with the right ones."""
    X, y = make_blobs(900, 24, centers=6, cluster_std=5.0, random_state=3)
    X = X.astype(np.float32) / 5
    given = y[:300].copy()
    rng = np.random.RandomState(0)
    wrong = rng.permutation(300)[:90]
    given[wrong] = (given[wrong] + rng.randint(1, 6, 90)) % 6
    return X[:300], given, X[300:], y[300:]


def test_wrong_labels_cost_less(blobs):
    X, y, X_test, y_test = blobs
    plain, robust = (
        CrossEntropyEmbedder(label_noise=noise, random_state=0).fit(X, y).score(X_test, y_test)
        for noise in (False, True)
    )
    assert robust > plain + 0.05


def test_passes_are_a_third(blobs):
    X, y, *_ = blobs
    passes = [
        CrossEntropyEmbedder(label_noise=noise, random_state=0).fit(X, y).n_iter_
        for noise in (False, True)
    ]
    assert passes == [133, 44]


@pytest.mark.parametrize("label_noise", [True, 0.2, "auto"])
def test_needs_a_classifier(blobs, label_noise):
    X, y, *_ = blobs
    model = MultiThresholdEmbedder(label_noise=label_noise, classification_weight=0)
    told = f"label_noise={label_noise!r} has .* set classification_weight above 0"
    with pytest.raises(ArgumentError, match=told):
        model.fit(X, y)
