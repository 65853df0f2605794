"""What the multi-threshold embedder has of its own: slices, thresholds, mining."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from skorch.callbacks import Callback

from skfer import MultiThresholdEmbedder
from skfer.losses import MultiThresholdTripletLoss


def small(**params):
    return MultiThresholdEmbedder(
        16, **{"max_epochs": 2, "samples_per_class": 4, "random_state": 0} | params
    )


# -- slices and thresholds ------------------------------------------------------------------


def test_slices_and_thresholds(faces):
    model = MultiThresholdEmbedder(
        32, n_thresholds=4, max_epochs=1, threshold_range=(0.5, 2.0), random_state=0
    )
    Z = model.fit(faces.images, faces.target).transform(faces.images)
    assert_allclose(model.thresholds_, [0.5, 1.0, 1.5, 2.0])
    assert model.slices_ == [slice(0, 8), slice(8, 16), slice(16, 24), slice(24, 32)]
    for part in model.slices_:
        assert_allclose(np.linalg.norm(Z[:, part], axis=1), 0.5, rtol=1e-5)
    names = model.get_feature_names_out()
    assert list(names[7:9]) == [
        "multithresholdembedder_slice0_7",
        "multithresholdembedder_slice1_0",
    ]
    model.set_params(thresholds=[1.0, 2.0]).fit(faces.images, faces.target)
    assert len(model.slices_) == 2
    # What is set after the fit names nothing that is there.
    model.set_params(embedding_dim=64, thresholds=None)
    assert list(model.get_feature_names_out()[15:17]) == [
        "multithresholdembedder_slice0_15",
        "multithresholdembedder_slice1_0",
    ]
    frame = model.set_output(transform="pandas").transform(faces.images)
    assert frame.shape == (64, 32)
    model.set_params(embedding_dim=32).set_output(transform="default")
    model.set_params(thresholds=None, n_thresholds=1).fit(faces.images, faces.target)
    assert_allclose(model.thresholds_, [1.25])


def test_distance_is_the_root_mean_square_over_the_slices(rows):
    X, y = rows
    model = small(n_thresholds=4).fit(X, y)
    Z = model.transform(X)
    squared = [np.square(2 * Z[0, part] - 2 * Z[1, part]).sum() for part in model.slices_]
    assert_allclose(np.square(Z[0] - Z[1]).sum(), np.mean(squared), rtol=1e-5)
    assert_allclose(np.square(Z).sum(axis=1), 1, rtol=1e-5)


def test_objective_is_the_loss_on_the_slices_and_cross_entropy(rows):
    X, y = rows
    model = small(thresholds=[0.2, 1.5], loss="triplet", classification_weight=0.5).fit(X, y)
    standardized = torch.from_numpy(((X - X.mean(0)) / X.std(0)).astype(np.float32))
    labels = torch.from_numpy(np.searchsorted(model.classes_, y))
    output = model.net_.module_.eval()(standardized)
    expected = MultiThresholdTripletLoss([0.2, 1.5], dual=False)(output.embedding, labels)
    expected += 0.5 * torch.nn.functional.cross_entropy(output.logits, labels)
    torch.testing.assert_close(model.net_.criterion_.eval()(output, labels), expected)


# -- mining ---------------------------------------------------------------------------------


def test_mining_schedule(faces):
    seen = []

    class Watch(Callback):
        def on_epoch_begin(self, net, **kwargs):
            seen.append(net.criterion_.metric_loss.mining)

    mining = {0: "batch-all", 0.5: "batch-hard"}
    model = MultiThresholdEmbedder(
        16, mining=mining, max_epochs=4, callbacks=[Watch()], random_state=0
    )
    model.fit(faces.images, faces.target)
    assert seen == ["batch-all"] * 2 + ["batch-hard"] * 2


def test_a_schedule_of_one_way_is_that_way(rows):
    X, y = rows
    expected = small(mining="batch-hard").fit(X, y).transform(X)
    assert_array_equal(small(mining={0: "batch-hard"}).fit(X, y).transform(X), expected)


def test_each_fit_starts_the_schedule_anew(faces):
    model = small(mining={0: "batch-all", 0.5: "batch-hard"}, warm_start=True)
    model.fit(faces.images, faces.target)
    assert model.net_.criterion_.metric_loss.mining == "batch-hard"
    model.partial_fit(faces.images, faces.target)
    assert model.net_.criterion_.metric_loss.mining == "batch-all"


def test_thresholds_and_mining_may_change(faces):
    model = MultiThresholdEmbedder(16, samples_per_class=4, random_state=0)
    model.partial_fit(faces.images, faces.target)
    model.set_params(n_thresholds=4, mining="batch-hard").partial_fit(faces.images, faces.target)
    assert len(model.thresholds_) == len(model.slices_) == 4
    assert model.net_.criterion_.metric_loss.mining == "batch-hard"


def test_learning_is_silent_and_real(faces):
    model = MultiThresholdEmbedder(32, max_epochs=30, samples_per_class=12, random_state=0)
    model.fit(faces.images, faces.target)
    losses = [epoch["train_loss"] for epoch in model.history_]
    assert losses[-1] < 0.9 * losses[0]


# -- bad and odd parameters -----------------------------------------------------------------


BAD_THRESHOLDS = {
    "indivisible": ({"n_thresholds": 5}, "embedding_dim=16 must be a multiple"),
    "outside": ({"thresholds": [1.0, 4.5]}, r"thresholds must lie in \(0, 4\]"),
    "zero": ({"thresholds": [0.0, 1.0]}, r"thresholds must lie in \(0, 4\]"),
    "range order": ({"threshold_range": (2.0, 1.0)}, "threshold_range"),
    "range equal": ({"threshold_range": (1.0, 1.0)}, "threshold_range"),
    "range length": ({"threshold_range": (1.0,)}, "threshold_range must be"),
    "range too far": ({"threshold_range": (1.0, 5.0)}, "threshold_range"),
    "words": ({"thresholds": ["a", "b"]}, r"thresholds must be a list of numbers.*\['a', 'b'\]"),
    "none": ({"thresholds": []}, r"thresholds must be a list of numbers in \(0, 4\], .* got \[\]"),
    "table": ({"thresholds": np.ones((2, 2))}, "thresholds must be a list of numbers"),
    "nan": ({"thresholds": [1.0, np.nan]}, r"thresholds must lie in \(0, 4\]"),
    "mining": ({"mining": "semi-hard"}, "'mining' parameter"),
    "mining schedule": ({"mining": {0.5: "batch-hard"}}, "mining as a dict"),
    "mining in it": ({"mining": {0: "semi-hard"}}, "'semi-hard'"),
}


@pytest.mark.parametrize("case", BAD_THRESHOLDS)
def test_bad_thresholds(faces, case):
    params, message = BAD_THRESHOLDS[case]
    with pytest.raises(ValueError, match=message):
        MultiThresholdEmbedder(16, max_epochs=1, **params).fit(faces.images, faces.target)


def test_numbers_of_numpy(faces):
    model = MultiThresholdEmbedder(16, max_epochs=1, random_state=0)
    expected = clone(model).fit(faces.images, faces.target).transform(faces.images)
    mining = {np.int64(0): "batch-all", np.float32(0.5): "batch-all"}
    model.set_params(threshold_range=np.array([0.1, 1.0]), mining=mining)
    model = clone(model).set_params(image_size=np.array([24, 24]))
    assert_array_equal(model.fit(faces.images, faces.target).transform(faces.images), expected)
