"""What an embedder starts from, and how long it trains."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold

from skfer import CrossEntropyEmbedder
from skfer.datasets import make_expressions
from skfer.nets import MLP, CompactResNet, FaceBackbone, face_backbone


@pytest.fixture(scope="module")
def frozen():
    """Quick, and with a backbone that keeps what it started from."""
    return CrossEntropyEmbedder(8, backbone_lr=0.0, weight_decay=0.0, max_epochs=1, random_state=0)


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("size", [16, 48, 100])
def test_images_start_from_what_drawn_faces_taught(frozen, size, color):
    faces = make_expressions(3, 1, image_size=size, color=color, random_state=0)
    model = clone(frozen).fit(faces.images, faces.target)
    assert isinstance(model.backbone_, FaceBackbone)
    own, start = dict(model.backbone_.named_parameters()), face_backbone(3 if color else 1)
    assert all(torch.equal(own[name], value) for name, value in start.named_parameters())


def test_noise_and_rows(frozen, faces, rows):
    model = clone(frozen).set_params(backbone="scratch").fit(faces.images, faces.target)
    assert isinstance(model.backbone_, CompactResNet)
    assert isinstance(clone(frozen).fit(*rows).backbone_, MLP)
    with pytest.raises(ValueError, match="at least 16 x 16"):
        clone(frozen).fit(np.zeros((4, 12, 12)), [0, 1, 0, 1])


def test_a_search_over_both_starts(frozen, faces):
    search = GridSearchCV(
        clone(frozen), {"backbone": ["auto", "scratch"]}, cv=GroupKFold(2), error_score="raise"
    )
    search.fit(faces.images, faces.target, groups=faces.groups)
    assert len(search.cv_results_["params"]) == 2


def test_the_start_helps_on_persons_and_drawings_it_has_not_seen():
    faces = make_expressions(12, 1, random_state=3)
    new = faces.groups >= 6
    scores = {}
    for backbone in ("auto", "scratch"):
        model = CrossEntropyEmbedder(32, backbone=backbone, max_epochs=20, random_state=0)
        model.fit(faces.images[~new], faces.target[~new])
        scores[backbone] = model.score(faces.images[new], faces.target[new])
    assert scores["auto"] > scores["scratch"] + 0.1


@pytest.mark.parametrize(("n", "passes"), [(30, 160), (400, 100), (1000, 40), (5000, 12)])
def test_length_of_a_fit(n, passes):
    X, y = np.random.RandomState(0).normal(size=(n, 4)), np.arange(n) % 2
    X[:, 0] += 4 * y
    model = CrossEntropyEmbedder(4, samples_per_class=500, random_state=0).fit(X, y)
    assert model.n_iter_ == passes


@pytest.mark.parametrize(("n", "steps"), [(40, 5), (96, 8), (400, 25)])
def test_few_samples_make_small_batches(n, steps):
    X, y = np.random.RandomState(0).normal(size=(n, 4)), np.arange(n) % 2
    model = CrossEntropyEmbedder(4, max_epochs=1, random_state=0)
    sampler = model.make_sampler(y, seed=0)
    assert len(list(sampler)) == steps
    assert_array_equal(np.unique(y[next(iter(sampler))], return_counts=True)[0], [0, 1])
    assert model.fit(X, y).n_iter_ == 1
