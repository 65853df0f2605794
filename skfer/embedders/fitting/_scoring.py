"""Scores on the samples that early stopping sets aside, epoch by epoch."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer, get_scorer_names
from skorch.callbacks import Callback

from skfer.embedders.fitting._scoring_check import check_scorable
from skfer.embedders.state._snapshots import snapshot
from skfer.exceptions import ArgumentError, shorten, warn_caller
from skfer.metrics import (
    clustering_nmi,
    make_embedding_scorer,
    mean_average_precision_at_r,
    recall_at_k,
)
from skfer.training import SamplePart, TrainingData
from skfer.training._history import OWN_KEYS
from skfer.validation import shown

EMBEDDING_SCORERS = {
    "recall_at_1": make_embedding_scorer(recall_at_k),
    "mean_average_precision_at_r": make_embedding_scorer(mean_average_precision_at_r),
    "clustering_nmi": make_embedding_scorer(clustering_nmi, random_state=0),
}
"""Names beside those of scikit-learn."""

_TAKEN = {name.removeprefix("valid_") for name in OWN_KEYS if name.startswith("valid_")}
_TAKEN.add("batch_size")
"""What the history has of the validation as it is, beside the scores."""

Scorer = Callable[[Any, Any, Any], float]


def find_scorers(scoring: Any, *, early_stopping: bool) -> dict[str, Scorer]:
    """Return the scorers that a ``scoring`` parameter stands for, by their names in the history.

    Parameters
    ----------
    scoring : str, callable, list of str, dict or None
        The parameter.
    early_stopping : bool
        Whether there will be samples to score.

    Raises
    ------
    ArgumentError
        If there are none, a name is unknown, or it is what the history calls the loss.
    """
    if scoring is None:
        return {}
    if not early_stopping:
        raise ArgumentError(
            "{scoring=} is measured on the samples that early stopping sets aside: set "
            "{early_stopping=True}, with {n_iter_no_change} as large as {max_epochs} if it shall "
            "not stop.",
            scoring=scoring,
        )
    if isinstance(scoring, str):
        named: Mapping[str, Any] = {scoring: scoring}
    elif isinstance(scoring, Mapping):
        named = scoring
    elif callable(scoring):
        named = {"score": scoring}
    else:
        nameless = [scorer for scorer in scoring if callable(scorer)]
        if nameless:
            raise ArgumentError(
                "{scoring} is a list that holds {}, by which nobody would find it in the history: "
                "give a dict of scorers by their names.",
                shorten(repr(nameless[0])),
            )
        named = {name: name for name in scoring}
    taken = sorted(_TAKEN.intersection(named))
    if taken:
        raise ArgumentError(
            "{scoring} has a scorer named {}, as the history calls what it has of the validation "
            "loss: give it another name.",
            taken[0],
        )
    return {f"valid_{name}": _find_scorer(scorer) for name, scorer in named.items()}


def _find_scorer(scorer: Any) -> Scorer:
    if callable(scorer):
        return scorer
    if scorer not in (*EMBEDDING_SCORERS, *get_scorer_names()):
        raise ArgumentError(
            "{scoring} has {}, which is neither a scorer of scikit-learn "
            "(sklearn.metrics.get_scorer_names()) nor one of {}.",
            shorten(repr(scorer)),
            ", ".join(EMBEDDING_SCORERS),
        )
    return EMBEDDING_SCORERS.get(scorer) or get_scorer(scorer)


class ScoreEachEpoch(Callback):
    """Scores an embedder that is being fitted as if its training had ended.

    Parameters
    ----------
    scorers : dict of str to callable
        Called as ``scorer(estimator, X, y)``, by their names in the history; those of an embedding
        with the groups too, if there are any.
    embedder : BaseEmbedder
        It is left as it is.
    data : TrainingData
        The samples. What the embedder learns at the end of a training, such as class means, it
        learns for the scores from those that it is trained on alone.
    """

    def __init__(self, scorers: Mapping[str, Scorer], embedder: Any, data: TrainingData) -> None:
        check_scorable(embedder, scorers, EMBEDDING_SCORERS)
        self.scorers = scorers
        self.embedder = embedder
        self.data = data
        valid: Any = data.valid
        rows = np.sort(valid)
        self._X = data.source.take(rows)
        self._y = embedder.classes_[data.codes[rows]]
        self._groups = None if data.groups is None else data.groups[rows]
        self._undefined: set[str] = set()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write the scores into the history."""
        model = self._finished(net)
        for name, scorer in self.scorers.items():
            net.history.record(name, self._score(name, scorer, model))

    def _score(self, name: str, scorer: Scorer, model: Any) -> float:
        """Return a score; NaN, with a warning, of one that needs a class that is not there."""
        told = {"groups": self._groups} if getattr(scorer, "takes_groups", False) else {}
        try:
            score = scorer(model, self._X, self._y, **told)
        except ValueError as error:
            absent = np.setdiff1d(self.embedder.classes_, self._y)
            if not len(absent):
                raise
            if name not in self._undefined:
                self._undefined.add(name)
                warn_caller(
                    f"{name} is NaN: the samples that early stopping sets aside have none of the "
                    f"classes {shown(absent.tolist())}, and the scorer says: {error}",
                    UserWarning,
                )
            return np.nan
        try:
            return float(score)
        except (TypeError, ValueError):
            raise ArgumentError(
                "{scoring} has a scorer that returned {} for {}, and no number: give one for each "
                "number.",
                shown(score),
                name,
            ) from None

    def state_dict(self) -> dict[str, Any]:
        """Return nothing: scores depend on no earlier ones."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Do nothing."""

    def _finished(self, net: Any) -> Any:
        """Return the embedder as it would be if the training ended now."""
        model = snapshot(self.embedder)
        model.__dict__.pop("feature_names_in_", None)  # samples come without names here
        model.history_, model.n_iter_ = list(net.history), len(net.history)
        rows = self.data.train
        model.keep_samples(rows)
        part = SamplePart(self.data.source, rows)
        codes = self.data.codes[rows]
        model._finish(dataclasses.replace(self.data, source=part, codes=codes))
        return model
