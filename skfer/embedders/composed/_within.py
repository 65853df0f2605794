"""The embedders inside a fitted model of scikit-learn."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from skfer.embedders.base import BaseEmbedder
from skfer.embedders.composed._labeled_only import LabeledOnly
from skfer.embedders.composed._with_labels import WithLabels

_SIDE_BY_SIDE = (Pipeline, FeatureUnion, ColumnTransformer)
"""Models whose parts make one embedding, be they several."""


def inside(model: Any) -> list[Any]:
    """Return the estimators that a fitted model asks for its answers, in order; [] if it has none.

    They are those that were fitted, not what they were cloned from.
    """
    return [part for part in _parts(model) if part is not None and not isinstance(part, str)]


def _parts(model: Any) -> Iterable[Any]:
    if isinstance(model, BaseEmbedder | type):
        return ()
    if isinstance(model, FrozenEstimator):  # which has all attributes of what it holds
        return (model.estimator,)
    if isinstance(model, WithLabels):
        return (getattr(model, "embedder_", model.embedder),)
    if isinstance(model, LabeledOnly):
        return (getattr(model, "estimator_", model.estimator),)
    if isinstance(model, Pipeline):
        return (step for _, step in model.steps)
    if isinstance(model, FeatureUnion):
        return (part for _, part in model.transformer_list)
    if isinstance(model, ColumnTransformer):
        return (part for _, part, _ in getattr(model, "transformers_", ()))
    if hasattr(model, "best_estimator_"):
        return (model.best_estimator_,)
    if hasattr(model, "calibrated_classifiers_"):
        return (fit.estimator for fit in model.calibrated_classifiers_)
    several = getattr(model, "estimators_", ())  # of votes, of what is stacked
    last = getattr(model, "final_estimator_", None)
    return (*several, last) if isinstance(several, list) else ()


def embedders_in(model: Any) -> Iterator[BaseEmbedder]:
    """Yield the embedders inside a model, however deep, in order; or the one that it is.

    It looks into pipelines, unions, searches, frozen and calibrated models, and those that vote.
    """
    if isinstance(model, BaseEmbedder):
        yield model
    for part in inside(model):
        yield from embedders_in(part)


def named(embedders: Iterable[BaseEmbedder]) -> dict[str, BaseEmbedder]:
    """Give each embedder a name of its own: its class, with a number where there are several."""
    several = list(embedders)
    kinds = [type(embedder).__name__ for embedder in several]
    counts, seen = Counter(kinds), Counter[str]()
    names = {}
    for kind, embedder in zip(kinds, several, strict=True):
        seen[kind] += 1
        names[kind if counts[kind] == 1 else f"{kind} {seen[kind]}"] = embedder
    return names


def makes_one_embedding(model: Any) -> bool:
    """Whether what the embedders in a model give is one embedding, and not one for each."""
    parts = [part for part in inside(model) if any(embedders_in(part))]
    if isinstance(model, BaseEmbedder):
        return True
    if not parts or not (isinstance(model, _SIDE_BY_SIDE) or len(inside(model)) == 1):
        return False
    return all(map(makes_one_embedding, parts))
