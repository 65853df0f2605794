"""Scorers that an embedder cannot be scored by are told of before it is trained."""

import pytest
from sklearn.metrics import make_scorer

from skfer import CrossEntropyEmbedder
from skfer.embedders import BaseEmbedder, ClassifierEmbedder
from skfer.embedders.fitting._scoring import EMBEDDING_SCORERS, find_scorers
from skfer.embedders.fitting._scoring_check import check_scorable
from skfer.exceptions import ArgumentError
from skfer.losses import GaussianMetricLoss
from skfer.training import Objective


class Embeds(BaseEmbedder):
    """It does not predict."""

    def make_objective(self):
        return Objective(GaussianMetricLoss(), self.classification_weight)


class Predicts(ClassifierEmbedder):
    """It predicts too."""

    make_objective = Embeds.make_objective


def _check(embedder, scoring):
    scorers = find_scorers(scoring, early_stopping=True)
    check_scorable(embedder, scorers, EMBEDDING_SCORERS)


@pytest.mark.parametrize(
    ("scoring", "asked"),
    [
        ("balanced_accuracy", "predict"),
        (["recall_at_1", "roc_auc_ovr"], "decision_function or predict_proba|predict_proba"),
        ({"mine": make_scorer(lambda y, p: 1.0)}, "predict"),
    ],
)
def test_what_an_embedder_does_not_answer(scoring, asked):
    with pytest.raises(ArgumentError, match=rf"calls ({asked}), and Embeds .*ClassifierEmbedder"):
        _check(Embeds(), scoring)
    _check(Predicts(), scoring)
    _check(CrossEntropyEmbedder(), scoring)


def test_a_fit_tells_it_before_it_trains(rows):
    model = Embeds(early_stopping=True, validation_fraction=0.3, scoring="balanced_accuracy")
    with pytest.raises(ArgumentError, match="calls predict, and Embeds"):
        model.fit(*rows)
    assert not hasattr(model, "history_")


@pytest.mark.parametrize("scoring", [list(EMBEDDING_SCORERS), lambda model, X, y: 1.0, None])
def test_what_every_embedder_answers(scoring):
    _check(Embeds(), scoring)


def test_a_public_base_predicts(rows):
    X, y = rows
    quick = {"embedding_dim": 8, "max_epochs": 20, "samples_per_class": 4, "random_state": 0}
    for weight in (1.0, 0.0):
        model = Predicts(**quick, classification_weight=weight).fit(X, y)
        assert model.score(X, y) > 0.8
        assert model.predict_proba(X).shape == (len(X), 3)
    settings = {"early_stopping": True, "validation_fraction": 0.3, "scoring": "accuracy"}
    assert "valid_accuracy" in Predicts(**quick, **settings).fit(X, y).history_[0]
