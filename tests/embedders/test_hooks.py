"""What the hooks of an embedder of one's own may return."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from skfer import ArgumentError
from skfer.embedders import BaseEmbedder
from skfer.nets import Embedded
from skfer.training import Objective


class Squares(nn.Module):
    """A loss."""

    def forward(self, embeddings, labels):
        return embeddings.square().mean()


class Own(BaseEmbedder):
    """An embedder with it."""

    learns_from_triplets = False

    def make_objective(self):
        return Objective(Squares(), self.classification_weight)


class NoBatch:
    """A sampler that draws nothing."""

    def __len__(self):
        return 0

    def __iter__(self):
        yield from ()


@pytest.mark.parametrize(
    ("hook", "returned", "message"),
    [
        ("make_network", None, r"make_network returned None.*EmbeddingNet, such as super\(\)"),
        ("make_network", Squares(), "make_network returned Squares"),
        ("make_objective", Squares(), r"make_objective returned Squares.*Objective\("),
        ("make_objective", None, "make_objective returned None"),
        ("make_callbacks", None, "make_callbacks returned None"),
        ("make_callbacks", Callback, "make_callbacks returned .*Callback"),
        ("make_callbacks", [Callback], "make_callbacks returned .*Callback"),
        ("make_callbacks", [("name", Callback())], "make_callbacks returned .*without names"),
        ("make_callbacks", ("name", Callback()), "make_callbacks returned .*without names"),
        ("prepare_training", None, "prepare_training returned None.* 40 labels"),
        ("prepare_training", np.zeros(3, int), "prepare_training returned .* 40 labels"),
        ("make_sampler", NoBatch(), "make_sampler returned .*length of 0"),
    ],
)
def test_hooks_that_return_the_wrong_thing_are_named(rows, monkeypatch, hook, returned, message):
    monkeypatch.setattr(Own, hook, lambda self, *given: returned)
    with pytest.raises(ArgumentError, match=message):
        Own(4, max_epochs=1, random_state=0).fit(*rows)


def test_callbacks_may_come_one_by_one(rows, monkeypatch):
    monkeypatch.setattr(Own, "make_callbacks", lambda self, data: (Callback() for _ in range(2)))
    assert Own(4, max_epochs=1, random_state=0).fit(*rows).n_iter_ == 1


class OneByOne:
    """A sampler that cannot cover all samples."""

    def __len__(self):
        return 2

    def __iter__(self):
        yield from (np.arange(8), np.arange(8, 16))


def test_a_sampler_for_early_stopping_covers_all_samples(rows, monkeypatch):
    monkeypatch.setattr(Own, "make_sampler", lambda self, codes, seed: OneByOne())
    assert Own(4, max_epochs=1, random_state=0).fit(*rows).n_iter_ == 1
    with pytest.raises(ArgumentError, match=r"make_sampler returned .*no method covering"):
        Own(4, max_epochs=1, early_stopping=True, random_state=0).fit(*rows)


class OwnMetric(Objective):
    """Has its loss in itself."""

    def metric(self, output, labels):
        return output.embedding.sum()


class OwnVotes(Objective):
    """Has one for votes alone."""

    def metric_of_votes(self, output, labels, votes):
        return output.embedding.sum()


def test_a_metric_that_is_overridden_needs_no_loss():
    output, labels = Embedded(torch.ones(2, 3)), torch.tensor([0, 1])
    assert OwnMetric(None)(output, labels) == 6
    assert OwnMetric(None, metric_weight=0.5)(output, labels, votes=torch.eye(2)) == 3
    assert OwnVotes(None)(output, labels, votes=torch.eye(2)) == 6
    assert OwnVotes(None)(output, labels) == 0
    assert Objective(None)(output, labels) == 0


@pytest.mark.parametrize("robustness", [0.0, 0.7])
def test_cross_entropy_of_no_label_is_0(robustness):
    logits = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    objective = Objective(None, 1.0)
    objective.robustness = robustness
    loss = objective(Embedded(torch.zeros(2, 1), logits), torch.tensor([-1, -1]))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()
    logits = torch.full((2, 3), torch.nan)
    assert objective(Embedded(torch.zeros(2, 1), logits), torch.tensor([0, -1])).isnan()
