"""MetricLossEmbedder: any loss, how it is made, mined for, trained, kept and searched over."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from pytorch_metric_learning import distances, losses, miners, reducers
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from torch import nn

import skfer
from skfer import GaussianMetricEmbedder, MetricLossEmbedder
from skfer.embedders.any_loss._recipes import MinedLoss, as_triplets
from skfer.exceptions import ArgumentError, ModelFileError
from skfer.losses import GaussianMetricLoss, MultiThresholdTripletLoss, TripletCenterLoss

QUICK = {"embedding_dim": 8, "max_epochs": 2, "random_state": 0}


def pull(embeddings, labels):
    """A loss that is a plain function."""
    return (embeddings[:, None] - embeddings).square().sum(2)[labels[:, None] == labels].mean()


def proxies(num_classes, embedding_size, scale=8):
    """A function that makes a loss."""
    return losses.NormalizedSoftmaxLoss(num_classes, embedding_size, temperature=1 / scale)


LOSSES = {
    "ours": (GaussianMetricLoss, {}),
    "ours, with centers": (TripletCenterLoss, {"miner": miners.MultiSimilarityMiner()}),
    "ours, triplets": (
        MultiThresholdTripletLoss([0.2, 0.7]),
        {"miner": miners.TripletMarginMiner(margin=0.5)},
    ),
    "ours, pairs": (
        MultiThresholdTripletLoss,
        {"loss_params": {"thresholds": [0.5]}, "miner": miners.PairMarginMiner(0.1, 1.9)},
    ),
    "triplets": (
        losses.TripletMarginLoss(
            margin=0.5, distance=distances.LpDistance(power=2), reducer=reducers.MeanReducer()
        ),
        {"miner": miners.BatchHardMiner},
    ),
    "pairs": (losses.MultiSimilarityLoss, {"miner": miners.MultiSimilarityMiner()}),
    "proxies": (losses.ProxyAnchorLoss, {"loss_params": {"alpha": 16}, "loss_lr": 0.1}),
    "angles": (losses.ArcFaceLoss, {}),
    "angles, inherited arguments": (losses.SubCenterArcFaceLoss, {}),
    "many proxies": (losses.SoftTripleLoss, {"loss_params": {"centers_per_class": 2}}),
    "other batches": (losses.CrossBatchMemory, {"loss_params": {"loss": losses.SupConLoss()}}),
    "function": (pull, {}),
    "factory": (proxies, {"loss_params": {"scale": 4}}),
    "partial": (partial(losses.CosFaceLoss, margin=0.1), {}),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_trains_clones_and_is_pickled(name, rows):
    X, y = rows
    loss, params = LOSSES[name]
    model = MetricLossEmbedder(loss, **QUICK, **params)
    Z = model.fit(X, y).transform(X)
    assert np.isfinite(Z).all()
    assert_array_equal(clone(model).fit(X, y).transform(X), Z)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.transform(X), Z)
    again.partial_fit(X, y)
    assert again.n_iter_ == 3


@pytest.mark.parametrize(
    ("loss", "trusted"),
    [
        (GaussianMetricLoss, []),
        (TripletCenterLoss, []),
        (MultiThresholdTripletLoss([0.5, 1.0]), []),
        (losses.ProxyAnchorLoss, [losses.ProxyAnchorLoss]),
        (losses.ArcFaceLoss, ["pytorch_metric_learning.losses.arcface_loss.ArcFaceLoss"]),
        (pull, [pull]),
    ],
)
def test_saved_and_loaded(loss, trusted, rows, tmp_path):
    X, y = rows
    model = MetricLossEmbedder(loss, **QUICK).fit(X, y)
    skfer.save(model, tmp_path / "model.skfer")
    if trusted:
        with pytest.raises(ModelFileError, match="if you trust it"):
            skfer.load(tmp_path / "model.skfer")
    again = skfer.load(tmp_path / "model.skfer", trusted=trusted)
    assert_array_equal(again.transform(X), model.transform(X))
    if isinstance(loss, type):
        assert_array_equal(
            again.partial_fit(X, y).transform(X), model.partial_fit(X, y).transform(X)
        )


def test_search_over_losses(rows):
    model = make_pipeline(MetricLossEmbedder(**QUICK), KNeighborsClassifier(3))
    wanted = [losses.ProxyAnchorLoss, losses.SupConLoss(), pull, GaussianMetricLoss]
    search = GridSearchCV(model, {"metriclossembedder__loss": wanted}, cv=2).fit(*rows)
    assert search.best_params_["metriclossembedder__loss"] in wanted
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_the_default_is_the_gaussian_embedders_loss(rows):
    X, y = rows
    ours = GaussianMetricEmbedder(**QUICK).fit(X, y)
    assert_array_equal(MetricLossEmbedder(**QUICK).fit(X, y).transform(X), ours.transform(X))


def test_what_the_loss_learns(rows):
    """With its own learning rate, undecayed, from the start that the module had."""
    X, y = rows
    start = losses.ProxyAnchorLoss(3, 8)
    before = start.proxies.detach().clone()
    model = MetricLossEmbedder(start, loss_lr=0, **QUICK).fit(X, y)
    assert torch.equal(model.loss_.proxies, before)
    moved = model.set_params(loss_lr=None).fit(X, y).loss_.proxies
    assert not torch.equal(moved, before)
    assert torch.equal(start.proxies, before)
    (group,) = [g for g in model.net_.optimizer_.param_groups if g["params"][0] is moved]
    assert (group["initial_lr"], group["weight_decay"]) == (model.lr, 0)


def test_resuming_keeps_what_was_learned_and_refuses_another_loss(rows):
    X, y = rows
    model = MetricLossEmbedder(losses.ProxyAnchorLoss, loss_lr=0, **QUICK).fit(X, y)
    learned = model.loss_.proxies.detach().clone()
    assert torch.equal(model.partial_fit(X, y).loss_.proxies, learned)
    for changed in ({"loss": losses.ArcFaceLoss}, {"loss_params": {"alpha": 3}}):
        with pytest.raises(ValueError, match=f"{next(iter(changed))}=.* goes on with"):
            clone(model).set_params(warm_start=True).fit(X, y).set_params(**changed).fit(X, y)


class Counting(nn.Module):
    """Counts its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("n_calls", torch.zeros(()))

    def forward(self, embeddings, labels):
        self.n_calls += 1
        return embeddings.square().mean()


@pytest.mark.parametrize("goes_on", ["partial_fit", "warm_start"])
def test_a_loss_remembers_more_than_parameters(goes_on, rows):
    X, y = rows
    memory = losses.CrossBatchMemory(losses.ContrastiveLoss(), 8, memory_size=1000)
    for loss, n in ((Counting(), lambda m: int(m.n_calls)), (memory, lambda m: m.queue_idx)):
        model = MetricLossEmbedder(loss, **QUICK).set_params(max_epochs=1).fit(X, y)
        first, seen = model.loss_, n(model.loss_)
        if goes_on == "partial_fit":
            model.partial_fit(X, y)
        else:
            model.set_params(warm_start=True).fit(X, y)
        assert n(model.loss_) == 2 * seen > 0
        assert n(first) == seen  # a snapshot that another thread may have


@pytest.mark.parametrize(
    ("loss", "is_unit"),
    [
        (losses.MultipleLosses([losses.ContrastiveLoss(), losses.TripletMarginLoss()]), True),
        (
            losses.MultipleLosses(
                {
                    "angles": losses.SupConLoss(),
                    "lengths": losses.TripletMarginLoss(
                        distance=distances.LpDistance(normalize_embeddings=False)
                    ),
                }
            ),
            False,
        ),
        (losses.ProxyAnchorLoss, True),
        (losses.CrossBatchMemory(losses.SupConLoss(), 8), True),
        (
            losses.TripletMarginLoss(distance=distances.LpDistance(normalize_embeddings=False)),
            False,
        ),
        (GaussianMetricLoss, False),
    ],
)
def test_unit_length_is_as_the_loss_sees_it(loss, is_unit, rows):
    X, y = rows
    model = MetricLossEmbedder(loss, normalize_embedding=False, **QUICK).fit(X, y)
    lengths = np.linalg.norm(model.transform(X), axis=1)
    assert (np.abs(lengths - 1).max() < 1e-5) == is_unit
    model.set_params(unit_length=not is_unit).fit(X, y)
    lengths = np.linalg.norm(model.transform(X), axis=1)
    assert (np.abs(lengths - 1).max() < 1e-5) != is_unit


def short(embeddings, labels):
    """A miner that means another batch."""
    return torch.tensor([0, 1]), torch.tensor([1, 0]), torch.tensor([2, 300])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"loss": losses.ArcFaceLoss(2, 8)},
            r"loss failed: IndexError: .* It was called with embeddings of shape \(\d+, 8\) and "
            r"labels \[0, 1, 2\]\. .* give its class, with loss_params",
        ),
        ({"loss": losses.ProxyAnchorLoss(4, 5)}, "loss failed: RuntimeError: .*shape.* 8"),
        ({"loss": MultiThresholdTripletLoss([0.5]), "miner": short}, "return rows of .* 300"),
        ({"loss": losses.TripletMarginLoss(), "miner": short}, "loss failed: IndexError: .*300"),
        ({"miner": lambda embeddings: 3}, r"miner failed: TypeError: .*labels \[0, 1, 2\]\.$"),
        ({"loss": lambda Z, y: Z[300]}, r"loss failed: IndexError: .*labels \[0, 1, 2\]\.$"),
        ({"loss": "supcon"}, "Got 'supcon' instead, a name: .*make_methods.*LOSSES"),
    ],
)
def test_losses_that_do_not_fit_are_told(params, message, rows):
    with pytest.raises(ValueError, match=message):
        MetricLossEmbedder(**params, **QUICK).fit(*rows)


def test_early_stopping_restores_the_proxies(rows):
    X, y = rows
    model = MetricLossEmbedder(losses.ProxyAnchorLoss, **QUICK).set_params(
        early_stopping=True, n_iter_no_change=2, max_epochs=60, lr=0.05, schedule="constant"
    )
    model.fit(X, y)
    best = int(np.argmin([epoch["valid_loss"] for epoch in model.history_])) + 1
    again = clone(model).set_params(max_epochs=best).fit(X, y)
    assert torch.equal(again.loss_.proxies, model.loss_.proxies)


class TestMiners:
    points = torch.arange(6.0)[:, None] ** 2
    labels = torch.tensor([0, 0, 1, 1, 2, 2])

    def test_a_loss_with_indices_gets_them(self):
        loss, miner = losses.TripletMarginLoss(margin=0.5), miners.BatchHardMiner()
        expected = loss(self.points, self.labels, miner(self.points, self.labels))
        assert MinedLoss(loss, miner)(self.points, self.labels) == expected

    def test_a_loss_without_gets_the_samples_that_are_named(self):
        def miner(embeddings, labels):
            return torch.tensor([0]), torch.tensor([1]), torch.tensor([0, 0]), torch.tensor([3, 3])

        loss = MinedLoss(lambda embeddings, labels: embeddings.sum() + 100 * len(labels), miner)
        assert loss(self.points, self.labels) == 0 + 1 + 9 + 300

    @pytest.mark.parametrize("loss", [pull, MultiThresholdTripletLoss([0.5])])
    def test_nothing_mined_is_zero(self, loss):
        none = torch.empty(0, dtype=torch.int64)
        points = self.points.clone().requires_grad_()
        value = MinedLoss(loss, lambda *_: (none, none, none, none))(points, self.labels)
        value.backward()
        assert value == 0
        assert not points.grad.any()

    def test_pairs_of_one_anchor_make_triplets(self):
        pairs = [torch.tensor(rows) for rows in ([0, 0, 2], [1, 2, 0], [0, 2, 2], [5, 6, 7])]
        rows = torch.stack(as_triplets(pairs)).T.tolist()
        assert rows == [[0, 1, 5], [0, 2, 5], [2, 0, 6], [2, 0, 7]]
        assert as_triplets(pairs[:3]) == tuple(pairs[:3])

    def test_our_losses_take_the_miners_of_the_peer_library(self, rows):
        X, y = rows
        for miner in ("BatchHardMiner", "MultiSimilarityMiner", "TripletMarginMiner"):
            for loss in (MultiThresholdTripletLoss([0.5]), TripletCenterLoss, GaussianMetricLoss):
                model = MetricLossEmbedder(loss, miner=getattr(miners, miner)(), **QUICK)
                assert np.isfinite(model.fit(X, y).history_[-1]["train_loss"])


@pytest.mark.parametrize(
    "mined", [None, torch.arange(3), [np.arange(3)] * 3, (torch.arange(3), torch.arange(3))]
)
def test_what_a_miner_must_return(mined, rows):
    with pytest.raises(ArgumentError, match="miner must return three or four index tensors"):
        MetricLossEmbedder(pull, miner=lambda *_: mined, **QUICK).fit(*rows)


def test_statistics_are_those_of_the_loss(rows):
    history = MetricLossEmbedder(MultiThresholdTripletLoss([0.5]), **QUICK).fit(*rows).history_
    assert 0 < history[0]["active_fraction"] <= 1
    assert "active_fraction" not in MetricLossEmbedder(pull, **QUICK).fit(*rows).history_[0]


def test_what_a_loss_keeps_moves_with_it():
    """Embeddings of other batches, which are no buffers: a pickle must not depend on a GPU."""
    loss = MinedLoss(losses.CrossBatchMemory(losses.SupConLoss(), 4))
    loss(torch.randn(6, 4), torch.arange(6) % 2)
    assert loss.to(torch.float64).loss.embedding_memory.dtype == torch.float64
    assert loss.loss.label_memory.dtype == torch.int64


@pytest.mark.cuda
@pytest.mark.parametrize("name", LOSSES)
def test_on_cuda(name, rows):
    loss, params = LOSSES[name]
    settings = QUICK | {"device": "cuda", "precision": "float32"}
    model = MetricLossEmbedder(loss, **settings, **params).fit(*rows)
    again = pickle.loads(pickle.dumps(model)).set_params(device="cpu")
    assert_allclose(again.transform(rows[0]), model.transform(rows[0]), atol=1e-4)


def test_a_batch_that_has_nothing_to_learn_may_be_a_constant(rows):
    def nothing(embeddings, labels):
        return torch.zeros((), device=embeddings.device)

    model = MetricLossEmbedder(nothing, **QUICK).fit(*rows)
    assert np.isfinite(model.transform(rows[0])).all()


class Vector(nn.Module):
    def forward(self, embeddings, labels):
        return embeddings.sum(1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": Vector()}, r"loss must return a tensor with one number, got \(\d+,\)"),
        ({"loss": lambda embeddings, labels: 0.5}, "loss must return .* got float"),
        ({"loss": lambda embeddings, labels: embeddings.detach().abs().mean()}, "have a gradient"),
        ({"loss": pull, "loss_params": {"a": 1}}, "loss_params=.* is made already"),
        ({"loss": losses.ProxyAnchorLoss, "loss_params": {"betta": 1}}, "cannot be made by .*bett"),
        ({"loss": dict}, r"loss must make what is called as .*, and .*dict.* makes \{\}"),
        ({"loss": losses.RankedListLoss}, "cannot be made by .*margin.* as loss_params"),
        ({"loss": "triplet"}, "The 'loss' parameter"),
    ],
)
def test_losses_that_cannot_be_used(params, message, rows):
    with pytest.raises(ValueError, match=message) as caught:
        MetricLossEmbedder(**QUICK, **params).fit(*rows)
    if params["loss"] != "triplet":
        assert isinstance(caught.value, ArgumentError)
