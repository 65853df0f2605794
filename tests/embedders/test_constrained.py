"""Networks and losses with torch's parametrizations are pickled as all others are."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_array_equal
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from skfer import CrossEntropyEmbedder, MetricLossEmbedder
from skfer.training import on_cpu

QUICK = {"embedding_dim": 8, "max_epochs": 2, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore::skfer.EmbeddingCollapseWarning")
CONSTRAINTS = [
    parametrizations.weight_norm,
    parametrizations.spectral_norm,
    parametrizations.orthogonal,
]


class Products(nn.Module):
    """Cross-entropy of products with constrained vectors, one of each class."""

    def __init__(self, n_classes, embedding_dim, constraint=parametrizations.weight_norm):
        super().__init__()
        self.linear = constraint(nn.Linear(embedding_dim, n_classes, bias=False))

    def forward(self, embeddings, labels):
        return F.cross_entropy(self.linear(embeddings), labels)


def _same(one, other):
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("kept", [lambda m: pickle.loads(pickle.dumps(m)), copy.deepcopy])
def test_a_fitted_embedder_is_kept(constraint, kept, rows):
    X, y = rows
    backbone = nn.Sequential(constraint(nn.Linear(5, 6)), nn.ReLU())
    for model in (
        CrossEntropyEmbedder(backbone=backbone, **QUICK),
        MetricLossEmbedder(Products, loss_params={"constraint": constraint}, **QUICK),
    ):
        again = kept(model.fit(X, y))
        assert_array_equal(again.transform(X), model.transform(X))
        again = kept(again)  # once more
        _same(again.net_.criterion_, model.net_.criterion_)
        _same(again.net_.module_, model.net_.module_)
        assert_array_equal(
            again.partial_fit(X, y).transform(X), kept(model).partial_fit(X, y).transform(X)
        )
    assert type(backbone[0]) is type(copy.deepcopy(backbone)[0])  # the caller's is as it was
    with pytest.raises(RuntimeError, match="Serialization of parametrized modules"):
        pickle.dumps(backbone)


def test_an_unfitted_embedder_goes_to_another_process(rows):
    model = MetricLossEmbedder(Products(3, 8), **QUICK)
    there = pickle.loads(pickle.dumps(model)).fit(*rows)
    assert_array_equal(there.transform(rows[0]), model.fit(*rows).transform(rows[0]))


def test_it_is_what_torch_makes():
    layer = parametrizations.spectral_norm(nn.Linear(3, 2)).eval()
    again = pickle.loads(pickle.dumps(on_cpu(layer)))
    assert parametrize.type_before_parametrizations(again) is nn.Linear
    assert type(again).__module__ == type(layer).__module__
    assert torch.equal(again.weight, layer.weight)
    parametrize.remove_parametrizations(again, "weight")
    assert type(again) is nn.Linear


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


def test_one_of_ones_own_and_several_of_a_module():
    layer = nn.Linear(3, 2)
    for name in ("weight", "bias"):
        parametrize.register_parametrization(layer, name, Doubled())
    parametrize.register_parametrization(layer, "weight", Doubled())
    x = torch.ones(1, 3)
    again = pickle.loads(pickle.dumps(on_cpu(layer)))
    assert torch.equal(again(x), layer(x))
    _same(again, layer)
