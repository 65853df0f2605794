"""What losses and miners of users get wrong is told by name, and what is odd but right works."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning import losses, miners
from torch import nn

from skfer import MetricLossEmbedder
from skfer.embedders import ClassifierEmbedder
from skfer.embedders.any_loss._recipes import MinedLoss
from skfer.exceptions import ArgumentError, EmbeddingCollapseWarning
from skfer.losses import TripletCenterLoss
from skfer.training import Objective

QUICK = {"embedding_dim": 8, "max_epochs": 2, "random_state": 0}


def fitted(rows, loss, **params):
    return MetricLossEmbedder(loss, **QUICK, **params).fit(*rows)


class Proxies(nn.Module):
    """Cross-entropy of products with a vector of each class."""

    def __init__(self, n_classes, embedding_dim, scale=1.0):
        super().__init__()
        self.scale = scale
        self.proxies = nn.Parameter(torch.ones(n_classes, embedding_dim))

    def forward(self, embeddings, labels):
        return F.cross_entropy(self.scale * embeddings @ self.proxies.T, labels)


class Passing(Proxies):
    """Passes on all that it does not know, by name and by place."""

    def __init__(self, *args, shift=0.0, **kwargs):
        super().__init__(*args, **kwargs)


class NoModule:
    """Has parameters, and is no module."""

    def __init__(self, n_classes, embedding_dim):
        self.inner = Proxies(n_classes, embedding_dim)

    def __call__(self, embeddings, labels):
        return self.inner(embeddings, labels)


class InTheFirstCall(nn.Module):
    """Makes its parameter when it is called."""

    def __init__(self):
        super().__init__()
        self.proxies = None

    def forward(self, embeddings, labels):
        if self.proxies is None:
            self.proxies = nn.Parameter(torch.ones(3, embeddings.shape[1]))
        return F.cross_entropy(embeddings @ self.proxies.T, labels)


class Lazy(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.LazyLinear(3)

    def forward(self, embeddings, labels):
        return F.cross_entropy(self.linear(embeddings), labels)


OUTSIDE = Proxies(3, 8)


@pytest.mark.parametrize(
    "loss", [NoModule, NoModule(3, 8), InTheFirstCall, lambda Z, y: OUTSIDE(Z, y), OUTSIDE.forward]
)
def test_what_nothing_would_train_is_refused(loss, rows):
    message = r"learns a tensor of shape \(3, 8\) that is not among its parameters.*detach"
    with pytest.raises(ArgumentError, match=message):
        fitted(rows, loss)


def test_what_is_not_to_be_learned_may_lie_anywhere(rows):
    teacher = Proxies(3, 8).requires_grad_(False)
    model = fitted(rows, lambda Z, y: teacher(Z, y))
    assert np.isfinite(model.transform(rows[0])).all()
    model.partial_fit(*rows)


@pytest.mark.parametrize("loss", [Lazy, Lazy()])
def test_weights_without_a_shape_are_refused(loss, rows):
    with pytest.raises(ArgumentError, match=r"loss has weights whose shape is not known.*Linear"):
        fitted(rows, loss)


@pytest.mark.parametrize(
    "loss",
    [
        partial(Proxies, 3),
        partial(Proxies, 3, 8),
        partial(Proxies, 3, 8, 2.0),
        partial(partial(Proxies, 3), embedding_dim=8),
        partial(Passing, 3),
        partial(Passing, 3, scale=2.0),
        partial(lambda n_classes, embedding_dim: Proxies(n_classes, embedding_dim), 3),
    ],
)
def test_sizes_that_a_partial_has_by_place_are_not_given_twice(loss, rows):
    assert tuple(fitted(rows, loss).loss_.proxies.shape) == (3, 8)


class Wrapped(nn.Module):
    """A loss around another one, of whose arguments it knows nothing."""

    def __init__(self):
        super().__init__()
        self.inner = losses.TripletMarginLoss(margin=0.5)

    def forward(self, *args, **kwargs):
        return self.inner(*args, **kwargs)


def test_a_wrapped_loss_gets_what_was_mined():
    points, labels = torch.arange(6.0)[:, None] ** 2, torch.tensor([0, 0, 1, 1, 2, 2])
    miner = miners.BatchHardMiner()
    expected = MinedLoss(losses.TripletMarginLoss(margin=0.5), miner)(points, labels)
    assert MinedLoss(Wrapped(), miner)(points, labels) == expected


@pytest.mark.parametrize("dtype", [torch.bool, torch.float32])
def test_a_miner_returns_whole_numbers(dtype, rows):
    mined = (torch.ones(3).to(dtype),) * 3
    with pytest.raises(ArgumentError, match=r"miner must return .* of whole numbers, got"):
        fitted(rows, losses.TripletMarginLoss(), miner=lambda *_: mined)


def in_place(embeddings, labels):
    return embeddings.mul_(2).square().mean()


def of_labels(embeddings, labels):
    labels.add_(1)
    return embeddings.square().mean()


def of_votes(embeddings, labels, votes=None):
    return (embeddings.square().sum(1) * votes.sum(1)).mean()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (in_place, "loss must leave the embeddings and labels .* in place"),
        (of_labels, "loss must leave the embeddings and labels .* in place"),
        (lambda Z, y: Z.mean() * 1j, "loss must return a tensor with one number, got torch.compl"),
        (lambda Z, y: Z.nothing, r"loss failed: AttributeError: .* labels \[0, 1, 2\]"),
        (lambda Z, y: Z.mean() * (1 / 0), "loss failed: ZeroDivisionError"),
        (lambda Z, y: nobody(Z), "loss failed: NameError"),  # noqa: F821
        (of_votes, "loss failed: AttributeError.* Its votes were None, since fit was given none"),
    ],
)
def test_faults_of_losses_are_told(loss, message, rows):
    with pytest.raises(ArgumentError, match=message):
        fitted(rows, loss)


def test_a_constant_0_alone_trains_nothing_and_says_so(rows):
    with pytest.warns(EmbeddingCollapseWarning, match="did not learn: the loss was 0 in every"):
        model = fitted(rows, lambda Z, y: torch.zeros(()), classification_weight=0)
    assert np.isfinite(model.transform(rows[0])).all()


def test_no_triplet_in_any_batch_is_told(rows):
    X, y = rows
    first = np.unique(y, return_index=True)[1]
    one_each = X[first], y[first]
    with pytest.warns(EmbeddingCollapseWarning, match="two faces of one class"):
        fitted(one_each, losses.TripletMarginLoss(), classification_weight=0)
    fitted(one_each, losses.TripletMarginLoss())  # no warning: there is something to learn


def test_it_is_looked_at_once_and_again_in_a_copy():
    loss = MinedLoss(Proxies(3, 8))
    loss(torch.randn(3, 8, requires_grad=True), torch.arange(3))
    assert loss._is_known
    assert not pickle.loads(pickle.dumps(loss))._is_known


class Ignoring(nn.Module):
    """A loss with keyword arguments that it does not heed: a miner is to choose its samples."""

    def forward(self, embeddings, labels, **kwargs):
        assert not kwargs
        return embeddings.square().mean()


def test_a_miner_chooses_the_samples_of_a_loss_that_does_not_hear_of_it():
    def first_two(embeddings, labels):
        return torch.tensor([0]), torch.tensor([1]), torch.tensor([0]), torch.tensor([1])

    Z, y = torch.arange(8.0)[:, None], torch.arange(8) % 2
    assert MinedLoss(Ignoring(), first_two)(Z, y) == 0.5


class Remembers(nn.Module):
    """Pulls embeddings to a mean of all so far, which knows how it was computed."""

    def __init__(self, n_classes, embedding_dim):
        super().__init__()
        self.register_buffer("mean", torch.zeros(embedding_dim))

    def forward(self, embeddings, labels):
        self.mean = 0.9 * self.mean + 0.1 * embeddings.square().mean(0)
        return (embeddings - self.mean).square().mean()


class InAList(nn.Module):
    """Keeps embeddings where nobody looks."""

    def __init__(self):
        super().__init__()
        self.seen = [torch.zeros(())]

    def forward(self, embeddings, labels):
        self.seen.append(embeddings.square().mean())
        return embeddings.square().mean() + self.seen[-2]


class Own(ClassifierEmbedder):
    """An embedder of a loss."""

    def make_objective(self):
        return Objective(Remembers(len(self.classes_), self.embedding_dim), 1.0)


FROM_BEFORE = "a tensor of an earlier batch with its gradient: detach"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (MetricLossEmbedder(Remembers, **QUICK), f"^Remembers.mean holds {FROM_BEFORE}"),
        (MetricLossEmbedder(InAList, **QUICK), "^The loss, or the network, goes twice through"),
        (
            MetricLossEmbedder(losses.DynamicSoftMarginLoss, **QUICK),
            rf"^DynamicSoftMarginLoss.hist_ holds {FROM_BEFORE}\(\)",
        ),
        (Own(**QUICK), f"^Remembers.mean holds {FROM_BEFORE}"),
    ],
    ids=["buffer", "list", "library", "own"],
)
def test_what_is_kept_of_an_earlier_batch_is_told(model, message, rows):
    with pytest.raises(ArgumentError, match=message) as caught:
        model.fit(*rows)
    assert "second time" in str(caught.value.__cause__)
    assert "holds" not in message or "retain_graph" not in str(caught.value)


def test_another_fault_of_a_gradient_is_told_as_torch_does(rows):
    def overwritten(embeddings, labels):
        kept = embeddings.exp()
        loss = kept.mean()
        kept.zero_()
        return loss

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        fitted(rows, overwritten)


class OfThree(nn.Module):
    """A loss that needs one more."""

    def forward(self, embeddings, labels, *, weights):
        return embeddings.mean()


@pytest.mark.parametrize(
    ("loss", "needs"),
    [
        (nn.TripletMarginLoss(), r"\(anchor, positive, negative\)"),
        (nn.TripletMarginLoss, r"\(anchor, positive, negative\)"),
        (F.triplet_margin_loss, r"\(anchor, positive, negative\)"),
        (nn.CosineEmbeddingLoss(), r"\(input1, input2, target\)"),
        (OfThree(), r"\(embeddings, labels, weights\)"),
    ],
)
@pytest.mark.parametrize("miner", [None, miners.TripletMarginMiner])
def test_a_loss_that_needs_more_has_to_be_wrapped(loss, needs, miner, rows):
    message = rf"^loss is called as \(embeddings, labels\), and needs {needs}: give a function"
    with pytest.raises(ArgumentError, match=message) as caught:
        fitted(rows, loss, miner=miner)
    assert "loss_params" not in str(caught.value)


def test_a_loss_that_needs_a_miner(rows):
    def of_mined(embeddings, labels, triplets):
        return embeddings[torch.cat(triplets)].square().mean()

    with pytest.raises(ArgumentError, match="loss needs triplets, which a miner finds: give"):
        fitted(rows, of_mined)
    fitted(rows, of_mined, miner=miners.TripletMarginMiner(type_of_triplets="all"))


class ByDefault(Proxies):
    """Has sizes for whoever calls it with none."""

    def __init__(self, n_classes=7, embedding_dim=128, scale=1.0):
        super().__init__(n_classes, embedding_dim, scale)


class ByInheritance(ByDefault):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)


class SizedByItself(ByDefault):
    """Has no such parameters, but passes on what it does not know."""

    def __init__(self, classes, **kwargs):
        super().__init__(n_classes=classes, embedding_dim=8, **kwargs)


def by_default(num_classes=7, embedding_size=128):
    return Proxies(num_classes, embedding_size)


def by_name(*, n_classes=7, descriptors_dim=128):
    return Proxies(n_classes, descriptors_dim)


def with_settings(scale, num_classes, n_features=128):
    return Proxies(num_classes, n_features, scale)


@pytest.mark.parametrize(
    ("loss", "params", "shape"),
    [
        (ByDefault, None, (3, 8)),
        (ByDefault, {"n_classes": 5}, (5, 8)),
        (partial(ByDefault, 4), None, (4, 8)),
        (partial(ByDefault, n_classes=4), {"scale": 2.0}, (4, 8)),
        (ByInheritance, {"scale": 2.0}, (3, 8)),
        (SizedByItself, {"classes": 4}, (4, 8)),
        (by_default, None, (3, 8)),
        (by_default, {"num_classes": 5}, (5, 8)),
        (by_name, None, (3, 8)),
        (partial(by_default, 6), None, (6, 8)),
        (with_settings, {"scale": 2.0}, (3, 8)),
    ],
)
def test_sizes_are_those_of_fit_whatever_their_default(loss, params, shape, rows):
    assert tuple(fitted(rows, loss, loss_params=params).loss_.proxies.shape) == shape


def test_a_size_that_is_none_by_default_means_none(rows):
    params = {"learn_beta": True}  # one for all classes
    assert tuple(fitted(rows, losses.MarginLoss, loss_params=params).loss_.beta.shape) == (1,)


def test_a_loss_may_have_a_size_beside_embeddings_and_labels(rows):
    def of_classes(embeddings, labels, n_classes=7, embedding_dim=5):
        assert (n_classes, embedding_dim) == (7, 5)
        return embeddings.square().mean()

    fitted(rows, of_classes)
    fitted(rows, lambda *batch, n_classes=7: batch[0].square().mean())


A_MAKER = (
    r"\. A function that makes a loss has parameters named n_classes or num_classes.*itself\.$"
)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda n, d: losses.ArcFaceLoss(n, d), "loss failed: TypeError: "),
        (lambda n, d: TripletCenterLoss(n, d), "loss failed: ArgumentError: n_classes must be"),
        (lambda n, d, scale: Proxies(n, d, scale), r"loss is called as .* \(n, d, scale\)"),
        (lambda: losses.SupConLoss(), "loss failed: TypeError: .*0 positional arg"),
        (lambda n, d: losses.ArcFaceLoss(3, 8), "loss must return a tensor .* got ArcFaceLoss"),
    ],
)
def test_what_may_be_meant_to_make_a_loss(loss, message, rows):
    with pytest.raises(ArgumentError, match="(?s)" + message + ".*" + A_MAKER):
        fitted(rows, loss)


@pytest.mark.parametrize("given", [{}, {"n_classes": 3}])
def test_a_function_that_needs_a_size_makes_a_loss(given, rows):
    def of_classes(embeddings, labels, n_classes):
        return embeddings.square().mean()

    message = "loss cannot be made .*'embeddings' and 'labels'.* A function that is a loss itself"
    with pytest.raises(ArgumentError, match=message):
        fitted(rows, partial(of_classes, **given))
    with pytest.raises(ArgumentError, match=r"cannot be made .* as loss_params\.$"):
        fitted(rows, partial(losses.RankedListLoss, Tn=1))


def test_settings_of_what_makes_no_loss(rows):
    message = "loss_params=.*: give its class, or a function .* named n_classes .*, or leave"
    with pytest.raises(ArgumentError, match=message):
        fitted(rows, lambda n, d, scale=1.0: Proxies(n, d, scale), loss_params={"scale": 2.0})


def test_a_loss_that_fit_has_made_is_not_to_be_made_by_fit(rows):
    class Fails(Proxies):
        def forward(self, embeddings, labels):
            return embeddings[300].mean()

    for params in (None, {"n_classes": 2}):
        with pytest.raises(ArgumentError, match=r"loss failed: IndexError.*\[0, 1, 2\]\.$"):
            fitted(rows, Fails, loss_params=params)
    with pytest.raises(ArgumentError, match=r"loss failed: IndexError.*give its class"):
        fitted(rows, Fails(3, 8))


def test_a_loss_that_needs_the_classifier_has_an_embedder_of_its_own(rows):
    message = "logits must be given for negatives='prediction'.*TripletCenterEmbedder"
    with pytest.raises(ArgumentError, match=message):
        fitted(rows, TripletCenterLoss, loss_params={"negatives": "prediction"})


def test_a_type_error_within_a_loss_is_told_as_it_is(rows):
    with pytest.raises(ArgumentError, match=r"loss failed: TypeError: .*len"):
        fitted(rows, lambda embeddings, labels: len(3))
