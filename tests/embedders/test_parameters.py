"""Parameters that change after a fit: what was learned is not read through them."""

import copy

import numpy as np
import pytest
from helpers.embedders import Case
from numpy.testing import assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

import skfer
from skfer import MultiThresholdEmbedder
from skfer.losses import GaussianMetricLoss
from skfer.nets import FaceAugment

OTHER = {
    "attention": None,
    "augment": FaceAugment(degrees=1),
    "average_weights": 0.5,
    "backbone": nn.Flatten(),
    "backbone_lr": 1e-3,
    "backbone_weights": "weights.pth",
    "callbacks": [Callback()],
    "center_lr": 0.1,
    "center_weight": 0.5,
    "checkpoint": "folder",
    "class_weight": "balanced",
    "classes_per_batch": 2,
    "classification_weight": 0.5,
    "color": True,
    "covariance_type": "diag",
    "device": "cpu",
    "early_stopping": True,
    "embedding_dim": 32,
    "freeze_backbone": True,
    "image_size": 20,
    "label_noise": True,
    "loss": "dual-triplet",
    "loss_lr": 0.1,
    "loss_params": {"alpha": 16},
    "lr": 1e-3,
    "margin": 0.1,
    "max_epochs": 1,
    "max_subclasses": 2,
    "miner": None,
    "mirror": False,
    "mining": "batch-hard",
    "mixup": 2.0,
    "n_iter_no_change": 2,
    "n_thresholds": 2,
    "on_error": "skip",
    "negatives": "nearest",
    "precision": "bfloat16",
    "priors": "uniform",
    "random_state": 1,
    "relative_sigma": False,
    "samples_per_class": 2,
    "sampling": "random",
    "schedule": "constant",
    "scale": 2.0,
    "scoring": "accuracy",
    "sigma": 0.3,
    "split_dimensions": 2,
    "standardize_embedding": False,
    "normalize_embedding": False,
    "synthesis_fraction": 0.2,
    "synthesis_size": 4,
    "threshold_range": (0.2, 0.6),
    "thresholds": [0.5, 1.0],
    "unit_length": False,
    "unlabeled_threshold": 0.5,
    "validation_fraction": 0.5,
    "verbose": 1,
    "warm_start": True,
    "weight_decay": 0.1,
}
"""Of each parameter another value that it may have."""
OF_METRIC_LOSS = OTHER | {"loss": GaussianMetricLoss}
ANSWERS = ["transform", "predict", "predict_proba", "score_samples", "predict_subclass"]


def answers(model, X):
    return {name: getattr(model, name)(X) for name in ANSWERS if hasattr(model, name)}


def changed_copies(model):
    """Yield the name of each parameter, and a copy of a model that has another value of it."""
    values = OF_METRIC_LOSS if isinstance(model, skfer.MetricLossEmbedder) else OTHER
    for name in model.get_params(deep=False):
        yield name, copy.deepcopy(model).set_params(**{name: values[name]})


def flat_net(shape):
    return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 8), nn.ReLU())


def fitted(case, faces, **params):
    model = case.make().set_params(image_size=24, backbone=flat_net, max_epochs=1, **params)
    return model.fit(faces.data[:16], faces.target[:16])


def test_answers_do_not_depend_on_parameters_that_changed(embedder_case, faces):
    """Nor on rows, which are images, being taken for rows; nor do answers fail."""
    X = faces.data[:8]
    model = fitted(embedder_case, faces)
    before = answers(model, X)
    for name, changed in changed_copies(model):
        for method, answer in answers(changed, X).items():
            if name == "precision":  # how to compute is no part of what was learned
                assert np.isfinite(answer).all()
            else:
                assert_array_equal(answer, before[method], err_msg=f"{method}, {name}")


def test_training_goes_on_with_parameters_that_changed(embedder_case, faces):
    """Those that the network is built from are refused by name."""
    X, y = faces.data[:16], faces.target[:16]
    model = fitted(embedder_case, faces)
    for name, changed in changed_copies(model):
        if name in model.network_parameters:
            with pytest.raises(ValueError, match=f"{name}=.* but partial_fit goes on"):
                changed.partial_fit(X, y)
        else:
            changed.partial_fit(X, y)
        for method, answer in answers(changed, X).items():
            assert answer.dtype.kind in "iu" or np.isfinite(answer).all(), (method, name)


@pytest.mark.parametrize("before", ["tied", "full", "diag", "spherical"])
def test_gaussians_of_another_type_come_with_another_fit(faces, before):
    X, y = faces.data[:16], faces.target[:16]
    case = Case(skfer.GaussianMetricEmbedder)
    model = fitted(case, faces, covariance_type=before, warm_start=True)
    shape = model.covariances_.shape
    after = "full" if before == "tied" else "tied"
    model.set_params(covariance_type=after).partial_fit(X[y == y[0]], y[y == y[0]])
    assert model.covariances_.shape == shape
    assert np.isfinite(model.predict_proba(X)).all()
    model.fit(X, y)
    assert model.covariances_.shape == ((4, 16, 16) if after == "full" else (16, 16))


@pytest.mark.parametrize(
    "change",
    [{"n_thresholds": 2}, {"classification_weight": 0}, {"image_size": 20}, {"embedding_dim": 8}],
)
def test_a_model_is_kept_as_it_was_trained(faces, change, tmp_path):
    model = fitted(Case(skfer.MultiThresholdEmbedder, {"backbone": "scratch"}), faces)
    Z = model.transform(faces.data)
    model.set_params(**change)
    skfer.save(model, tmp_path / "model.skfer")
    loaded = skfer.load(tmp_path / "model.skfer", trusted=[flat_net])
    assert_array_equal(loaded.transform(faces.data), Z)
    assert loaded.get_params().keys() == model.get_params().keys()
    assert loaded.thresholds_.tolist() == model.thresholds_.tolist()


class Shortened(MultiThresholdEmbedder):
    """One that takes few of the shared parameters, as the guide to embedders of one's own does."""

    def __init__(
        self, scale=8.0, *, max_epochs=1, checkpoint=None, warm_start=False, random_state=0
    ):
        super().__init__(
            max_epochs=max_epochs,
            checkpoint=checkpoint,
            warm_start=warm_start,
            random_state=random_state,
        )
        self.scale = scale


def test_parameters_that_a_signature_leaves_out_have_their_defaults(faces, tmp_path):
    X, y = faces.images, faces.target
    expected = MultiThresholdEmbedder(max_epochs=1, random_state=0).fit(X, y)
    model = Shortened().fit(X, y)
    assert_array_equal(model.transform(X), expected.transform(X))
    assert_array_equal(
        model.partial_fit(X, y).transform(X), expected.partial_fit(X, y).transform(X)
    )
    again = Shortened(warm_start=True).fit(X, y).fit(X, y)
    warm = MultiThresholdEmbedder(max_epochs=1, warm_start=True, random_state=0)
    assert_array_equal(again.transform(X), warm.fit(X, y).fit(X, y).transform(X))
    kept = Shortened(checkpoint=tmp_path).fit(X, y)
    assert len(list(tmp_path.iterdir())) == 1
    assert_array_equal(kept.transform(X), Shortened().fit(X, y).transform(X))
    twice = Shortened().partial_fit(X, y).partial_fit(X, y)
    assert_array_equal(clone(twice).fit(X, y).transform(X), kept.transform(X))
    model.embedding_dim = 64
    with pytest.raises(ValueError, match="embedding_dim=64, but"):
        model.partial_fit(X, y)
