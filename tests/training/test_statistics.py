"""What losses tell of their batches, as means of an epoch."""

import numpy as np
import pytest
import torch
from torch import nn

from skfer import ArgumentError, MetricLossEmbedder
from skfer.training._history import INTERNAL, OWN_KEYS
from skfer.training._statistics import Means


def test_means_are_of_the_batches_that_told():
    means = Means()
    for stats in ({"a": 1.0}, {}, {"a": torch.tensor(2.0), "b": np.float32(4)}):
        means.add(stats)
    assert means.all() == {"a": 1.5, "b": 4.0}


class Tells(nn.Module):
    """A loss that tells something."""

    def __init__(self, **stats):
        super().__init__()
        self.all_stats, self.n = stats, 0

    def forward(self, embeddings, labels):
        self.n += 1
        self.stats = self.all_stats if self.n % 2 else {}
        return embeddings.square().mean()


def test_history_has_the_mean_over_batches_that_told():
    rng = np.random.RandomState(0)
    model = MetricLossEmbedder(
        Tells(mean=torch.tensor(1.0)), embedding_dim=4, max_epochs=1, samples_per_class=4
    )
    model.set_params(random_state=0).fit(rng.normal(size=(40, 5)), np.arange(40) % 3)
    assert model.loss_.n > 1
    assert model.history_[-1]["mean"] == 1


@pytest.mark.parametrize(
    ("stats", "message"),
    [
        ({"epoch": 7.0}, "stats of the loss holds 'epoch', which the history has"),
        ({"valid_loss": 7.0}, "stats of the loss holds 'valid_loss'"),
        ({"each": torch.ones(3)}, "as 'each': give one number"),
        ({"each": "much"}, "holds 'much' as 'each'"),
    ],
)
def test_odd_statistics_are_named(stats, message):
    with pytest.raises(ArgumentError, match=message):
        Means().add(stats)


def test_no_statistic_is_lost_for_its_name():
    """Those of the net's own names are refused, and all others are kept."""
    rng = np.random.RandomState(0)
    stats = {"empty_batches": 1.0, "full_batch_count": 2.0, "batches_": 3.0}
    settings = {"embedding_dim": 4, "max_epochs": 1, "samples_per_class": 4, "random_state": 0}
    model = MetricLossEmbedder(Tells(**stats), **settings)
    (epoch,) = model.fit(rng.normal(size=(40, 5)), np.arange(40) % 3).history_
    assert {name: epoch.get(name) for name in stats} == stats
    assert {*epoch} & INTERNAL == set()
    assert {*epoch} <= {*stats} | OWN_KEYS


@pytest.mark.parametrize("name", sorted(OWN_KEYS))
def test_the_names_of_the_net_are_refused(name):
    with pytest.raises(ArgumentError, match=f"stats of the loss holds '{name}'"):
        Means().add({name: 1.0})
