"""How the embedders train: history, resuming, stopping, callbacks, transfer, collapse."""

import contextlib
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    InputShapeSetter,
    LRScheduler,
    TrainEndCheckpoint,
)
from torch import nn

from skfer import (
    CrossEntropyEmbedder,
    EmbeddingCollapseWarning,
    MultiThresholdEmbedder,
    TripletCenterEmbedder,
)
from skfer.exceptions import ArgumentError
from skfer.nets import CompactResNet, FaceAugment


def test_history_tells_every_epoch(embedder_case, faces):
    embedder = embedder_case.make().fit(faces.images, faces.target)
    assert embedder.n_iter_ == len(embedder.history_) == 2
    for epoch in embedder.history_:
        assert epoch["train_loss"] >= 0
        assert 0 <= epoch["embedding_spread"] <= 1
        assert epoch["dur"] > 0
        assert epoch["lr"] > 0
        assert "batches" not in epoch
        assert ("active_fraction" in epoch) == embedder_case.has_active_fraction
        assert 0 <= epoch.get("active_fraction", 0) <= 1


def test_verbose_prints_a_line_an_epoch(embedder, faces, capsys):
    embedder.fit(faces.images, faces.target)
    assert capsys.readouterr() == ("", "")
    embedder.set_params(verbose=1).fit(faces.images, faces.target)
    assert "train_loss" in capsys.readouterr().out


def test_warm_start_goes_on(embedder, faces):
    embedder.set_params(warm_start=True).fit(faces.images, faces.target)
    embedder.fit(faces.images, faces.target)
    assert embedder.n_iter_ == 4
    assert len(embedder.history_) == 4
    again = clone(embedder).set_params(warm_start=False).fit(faces.images, faces.target)
    again.fit(faces.images, faces.target)
    assert again.n_iter_ == 2


def test_warm_start_with_other_classes_is_refused(embedder, faces):
    embedder.set_params(warm_start=True).fit(faces.images, faces.target)
    before = embedder.transform(faces.images)
    with pytest.raises(ValueError, match="warm_start"):
        embedder.fit(faces.images, faces.target + 1)
    assert_array_equal(embedder.transform(faces.images), before)


def test_partial_fit_counts_passes(embedder, faces):
    for _ in range(3):
        embedder.partial_fit(faces.images[:40], faces.target[:40], classes=[0, 3, 4, 5, 7])
    assert embedder.n_iter_ == 3
    assert_array_equal(embedder.classes_, [0, 3, 4, 5, 7])
    with pytest.raises(ValueError, match="takes all that will come as classes="):
        embedder.partial_fit(faces.images[:40], faces.target[:40] + 1)


def test_partial_fit_learns(embedder, rows):
    X, y = rows
    for _ in range(15):
        embedder.partial_fit(X, y)
    losses = [epoch["train_loss"] for epoch in embedder.history_]
    assert losses[-1] < losses[0]


class SamplesSeen(Callback):
    """Notes the samples that are trained and validated on."""

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.train = dataset_train.sampler.subset
        self.valid = np.unique(np.concatenate(dataset_valid.sampler))


def test_early_stopping_keeps_subjects_apart(embedder, faces):
    seen = SamplesSeen()
    embedder.set_params(
        early_stopping=True, n_iter_no_change=2, max_epochs=40, schedule="constant", lr=0.03
    )
    embedder.set_params(callbacks=[seen]).fit(faces.images, faces.target, groups=faces.groups)
    assert len(seen.train) + len(seen.valid) == 64
    assert len(seen.valid) > 0
    assert not set(faces.groups[seen.train]) & set(faces.groups[seen.valid])
    losses = [epoch["valid_loss"] for epoch in embedder.history_]
    assert np.argmin(losses) >= len(losses) - 3
    assert embedder.n_iter_ < 40


def test_early_stopping_goes_back_to_the_best_epoch(embedder, rows):
    """Module and criterion, such as learned centers, as after a training that ends there."""
    X, y = rows
    embedder.set_params(early_stopping=True, n_iter_no_change=3, schedule="constant", lr=0.05)
    embedder.set_params(max_epochs=150, validation_fraction=0.3).fit(X, y)
    best = int(np.argmin([epoch["valid_loss"] for epoch in embedder.history_])) + 1
    assert best < embedder.n_iter_
    again = clone(embedder).set_params(max_epochs=best).fit(X, y)
    assert_array_equal(again.transform(X), embedder.transform(X))
    pairs = zip(
        embedder.net_.criterion_.state_dict().values(),
        again.net_.criterion_.state_dict().values(),
        strict=True,
    )
    for ours, theirs in pairs:
        assert_array_equal(ours, theirs)


def test_validation_is_of_the_same_samples_in_every_epoch(rows):
    X, y = rows
    model = MultiThresholdEmbedder(16, early_stopping=True, validation_fraction=0.4)
    model.set_params(standardize_embedding=False, schedule="constant", lr=1e-12, max_epochs=5)
    model.set_params(random_state=0, samples_per_class=3).fit(X, y)
    losses = [epoch["valid_loss"] for epoch in model.history_]
    assert_allclose(losses, losses[0], rtol=1e-6)


def test_validation_without_triplets(rows):
    """Of ten classes with two samples each, one of each is set aside."""
    X, y = rows[0][:20], np.arange(20) // 2
    model = MultiThresholdEmbedder(16, early_stopping=True, validation_fraction=0.5, max_epochs=1)
    model.set_params(schedule="constant", random_state=0)
    assert "valid_loss" in model.fit(X, y).history_[0]
    model.set_params(classification_weight=0)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.5 sets 10 samples aside.* no"):
        model.fit(X, y)
    model.fit(rows[0], rows[1])


def test_validation_fraction_that_leaves_nothing(embedder, rows):
    X, y = rows
    embedder.set_params(early_stopping=True, validation_fraction=0.999)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.999 leaves too few"):
        embedder.fit(X, y)
    with pytest.raises(ValueError, match=r"validation_fraction=0\.999 leaves too few subjects"):
        embedder.fit(X, y, groups=np.arange(40) % 3)


def test_partial_fit_has_nothing_to_stop_early(embedder, rows):
    embedder.set_params(early_stopping=True).partial_fit(*rows)
    assert embedder.n_iter_ == 1


def test_partial_fit_of_one_sample(embedder, rows):
    X, y = rows
    embedder.partial_fit(X, y)
    with pytest.raises(ValueError, match="needs at least two"):
        embedder.partial_fit(X[:1], y[:1])


def test_warm_start_takes_new_settings(embedder, faces):
    embedder.set_params(warm_start=True).fit(faces.images, faces.target)
    before = embedder.transform(faces.images)
    embedder.set_params(lr=1e-12, weight_decay=0.0, classification_weight=3.0, verbose=0)
    embedder.fit(faces.images, faces.target)
    assert embedder.net_.criterion_.classification_weight == 3.0
    assert embedder.n_iter_ == 4
    # Only the running statistics of the norms still move.
    weights = embedder.net_.module_.project.weight.detach().clone()
    embedder.fit(faces.images, faces.target)
    assert_allclose(embedder.net_.module_.project.weight.detach(), weights, atol=1e-6)
    assert before.shape == embedder.transform(faces.images).shape


@pytest.mark.parametrize(
    "callback",
    [
        LRScheduler(),
        LRScheduler,
        EpochScoring("accuracy"),
        Checkpoint(),
        TrainEndCheckpoint(),
        ("shape", InputShapeSetter()),
        EarlyStopping(),
        EarlyStopping,
        "ProgressBar",
        ("name",),
        3,
    ],
)
def test_callbacks_that_do_not_suit(callback, rows):
    parts = callback if isinstance(callback, tuple) else (callback,)
    kind = parts[-1] if isinstance(parts[-1], type) else type(parts[-1])
    word = kind.__name__ if issubclass(kind, Callback) else str(parts[-1])
    with pytest.raises(ValueError, match=f"callbacks holds .*{word}"):
        CrossEntropyEmbedder(callbacks=[callback]).fit(*rows)


def test_early_stopping_of_skorch(rows):
    model = CrossEntropyEmbedder(16, max_epochs=50, random_state=0, schedule="constant", lr=0.05)
    model.set_params(callbacks=[EarlyStopping(monitor="train_loss", patience=3)])
    assert model.fit(*rows).n_iter_ < 50
    model.set_params(callbacks=[EarlyStopping(patience=3, threshold=9)], early_stopping=True)
    model.set_params(n_iter_no_change=40)
    assert model.fit(*rows).n_iter_ < 40
    with pytest.raises(ValueError, match="EarlyStopping for 'valid_loss', which only fit with"):
        model.partial_fit(*rows)


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_loss_that_is_not_finite_stops(embedder, rows, how):
    """The error tells the epoch and what to change, and the embedder keeps what it had."""
    X, y = rows
    embedder.set_params(schedule="constant", max_epochs=9, warm_start=True)
    before = embedder.fit(X, y).transform(X)
    embedder.set_params(lr=1e30)
    if how == "partial_fit":  # all of a loss of one pass may come before the first step
        with contextlib.suppress(ArgumentError):
            embedder.partial_fit(X, y)
    with pytest.raises(ArgumentError, match=r"is (nan|inf) in epoch 1\d .train_loss.* lr=1e\+30"):
        getattr(embedder, how)(X, y)
    if how == "fit":
        assert embedder.n_iter_ == 9
        assert_array_equal(embedder.transform(X), before)


def test_weights_that_the_last_step_made_infinite_stop(rows):
    """No loss tells of them: there is one batch in one epoch."""
    X, y = rows[0][:6], rows[1][:6]
    model = CrossEntropyEmbedder(
        4, lr=1e39, schedule="constant", max_epochs=1, samples_per_class=2, random_state=0
    )
    with pytest.raises(ArgumentError, match=r"is nan in epoch 1 .next_loss"):
        model.fit(X, y)
    assert set(vars(model)) == set(model.get_params())


def test_a_weight_too_large_stops(rows):
    model = TripletCenterEmbedder(4, classification_weight=1e39, max_epochs=2, random_state=0)
    with pytest.raises(ArgumentError, match=r"is (nan|inf) in epoch 1 .train_loss"):
        model.fit(*rows)
    assert set(vars(model)) == set(model.get_params())


def test_early_stopping_with_one_subject(embedder, faces):
    embedder.set_params(early_stopping=True)
    with pytest.raises(ValueError, match="one subject only"):
        embedder.fit(faces.images, faces.target, groups=np.zeros(64))


def test_callbacks_of_skorch(embedder, faces):
    class Count(Callback):
        epochs = 0

        def on_epoch_end(self, net, **kwargs):
            self.epochs += 1

    count = Count()
    embedder.set_params(callbacks=[count]).fit(faces.images, faces.target)
    assert count.epochs == 2


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine", "constant"])
def test_schedules(embedder, faces, schedule):
    embedder.set_params(schedule=schedule, max_epochs=6, lr=0.01)
    rates = [e["lr"] for e in embedder.fit(faces.images, faces.target).history_]
    assert max(rates) <= 0.01
    assert (rates[-1] == rates[0]) == (schedule == "constant")


def test_a_given_module_is_trained_as_a_copy(embedder, faces):
    first = clone(embedder).fit(faces.images, faces.target)
    shared = embedder.set_params(backbone=first.backbone_)
    weights = {k: v.clone() for k, v in first.backbone_.state_dict().items()}
    shared.fit(faces.images, faces.target).partial_fit(faces.images, faces.target)
    assert shared.backbone is first.backbone_
    for name, value in first.backbone_.state_dict().items():
        assert torch.equal(value, weights[name])


def test_fitted_backbone_starts_another_embedder(embedder, faces):
    first = clone(embedder).fit(faces.images, faces.target)
    weights = {k: v.clone() for k, v in first.backbone_.state_dict().items()}
    second = clone(embedder).set_params(backbone=first.backbone_, lr=1e-12, weight_decay=0)
    second = clone(second).fit(faces.images, faces.target)
    for name, parameter in second.backbone_.named_parameters():
        torch.testing.assert_close(parameter, weights[name], atol=1e-6, rtol=0)
    second.set_params(lr=0.1).fit(faces.images, faces.target)
    for name, value in first.backbone_.state_dict().items():
        assert torch.equal(value, weights[name]), "the first embedder's weights were trained on"


@pytest.mark.cuda
@pytest.mark.parametrize("device", ["cuda", "cpu"])
def test_backbone_fitted_on_cuda_starts_another_embedder(embedder, faces, device):
    first = clone(embedder).set_params(device="cuda").fit(faces.images, faces.target)
    second = clone(embedder).set_params(backbone=first.backbone_, device=device)
    assert np.isfinite(second.fit(faces.images, faces.target).transform(faces.images)).all()
    assert next(first.backbone_.parameters()).is_cuda


def test_backbone_lr(embedder, faces):
    start = CompactResNet((1, 24, 24))
    embedder.set_params(backbone=start, backbone_lr=0, weight_decay=0).fit(
        faces.images, faces.target
    )
    trained = dict(embedder.backbone_.named_parameters())
    for name, parameter in start.named_parameters():
        assert torch.equal(parameter, trained[name])


def test_backbone_of_rows_and_factories(embedder, faces, rows):
    flat = nn.Sequential(nn.Flatten(), nn.Linear(576, 7), nn.ReLU())
    embedder.set_params(backbone=flat)
    assert pickle.loads(pickle.dumps(embedder.fit(faces.images, faces.target))).n_iter_ == 2
    embedder.set_params(backbone=lambda shape: nn.Linear(shape[0], 3))
    assert embedder.fit(*rows).transform(rows[0]).shape == (40, 16)


def test_augment_is_copied_and_off_at_transform(embedder, faces):
    augment = FaceAugment(shift=0.5)
    embedder.set_params(augment=augment).fit(faces.images, faces.target)
    assert embedder.net_.module_.augment is not augment
    assert_array_equal(embedder.transform(faces.images), embedder.transform(faces.images))
    embedder.set_params(augment=None).fit(faces.images, faces.target)
    assert embedder.net_.module_.augment is None


def test_bfloat16_learns_too(embedder, faces):
    embedder.set_params(precision="bfloat16").fit(faces.images, faces.target)
    assert np.isfinite(embedder.transform(faces.images)).all()
    assert embedder.net_.module_.project.weight.dtype == torch.float32


@pytest.fixture
def collapsing():
    """Batch-hard mining without the standardized embedding shrinks it to a point."""
    return MultiThresholdEmbedder(
        32,
        mining="batch-hard",
        standardize_embedding=False,
        classification_weight=0,
        backbone="scratch",
        max_epochs=30,
        samples_per_class=8,
        random_state=0,
    )


@pytest.mark.parametrize("how", ["fit", "fit_transform", "pipeline", "search"])
def test_collapse_is_not_silent(collapsing, faces, how):
    model = {
        "fit": lambda: collapsing.fit,
        "fit_transform": lambda: collapsing.fit_transform,
        "pipeline": lambda: make_pipeline(collapsing, KNeighborsClassifier()).fit,
        "search": lambda: (
            GridSearchCV(make_pipeline(collapsing, KNeighborsClassifier()), {}, cv=2).fit
        ),
    }[how]()
    with pytest.warns(EmbeddingCollapseWarning, match="standardize_embedding=True") as caught:
        model(faces.images, faces.target)
    assert 'mining="batch-all"' in str(caught[0].message)
    assert {warning.filename for warning in caught} == {__file__}


def test_collapse_in_partial_fit(collapsing, faces):
    """It is told after some passes: in the first ones every triplet may be active."""
    collapsing.set_params(lr=0.02)
    for _ in range(9):
        collapsing.partial_fit(faces.images, faces.target)
    with pytest.warns(EmbeddingCollapseWarning, match="set standardize_embedding=True") as caught:
        collapsing.partial_fit(faces.images, faces.target)
    assert [warning.filename for warning in caught] == [__file__]
