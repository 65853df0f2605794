"""What a Display needs of a fitted model: its embedding, its embedder, its predictions."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from skfer._typing import NDArray
from skfer.embedders import BaseEmbedder, ClassifierEmbedder
from skfer.embedders.composed._within import embedders_in, inside, named
from skfer.exceptions import ArgumentError
from skfer.metrics._embedding_steps import embedding_steps
from skfer.metrics._embedding_steps import steps_of as fitted_steps
from skfer.validation import check_rows


class Parts(NamedTuple):
    """An embedder, and the steps that prepare its input."""

    before: list[Any]
    embedder: Any

    def prepared(self, X: Any) -> Any:
        """X as it comes to the embedder."""
        return _through(self.before, X)


def embed(estimator: Any, X: Any) -> NDArray[Any]:
    """Embed X by a fitted embedder, or by a pipeline or search that holds one.

    A last step that predicts is left out, unless it is what embeds.
    """
    _check_is_object(estimator)
    steps = embedding_steps(estimator)
    if any(embedders_in(estimator)) and not any(any(embedders_in(step)) for step in steps):
        raise ArgumentError(
            "{estimator} must embed: in its {} each embedder has an embedding of its own. Give one "
            "of them.",
            type(steps_of(estimator)[-1]).__name__,
        )
    for step in steps:
        if not hasattr(step, "transform"):
            raise ArgumentError(
                "{estimator} must embed: {} has no transform. Give a fitted embedder, or a "
                "pipeline that holds one.",
                type(step).__name__,
            )
    return check_rows(_through(steps, X), "the embedding of X")


def steps_of(estimator: Any) -> list[Any]:
    """Return the fitted steps of a model, in order: of pipelines, searches, frozen ones.

    Of a calibrated classifier too, unless it is the mean of several.
    """
    _check_is_object(estimator)
    return fitted_steps(estimator)


def _check_is_object(estimator: Any) -> None:
    if isinstance(estimator, type):
        raise ArgumentError(
            "{estimator} is the class {}: give a fitted object.", estimator.__name__
        )


def take_apart(estimator: Any, needs: str, method: str | None = None) -> Parts:
    """Find the embedder of a model, and what prepares its input.

    Of a pipeline it is the last one; beside other transformers the only one.

    Parameters
    ----------
    estimator : object
        A fitted embedder, pipeline, union or search.
    needs : str
        What the caller does, for the error.
    method : str, optional
        What the embedder must have.
    """
    step = _step_with(estimator, method)
    if step is not None:
        return step
    found = [parts for parts in _places(estimator, []) if _has(parts.embedder, method)]
    if len(found) == 1:
        return found[0]
    lacks = "" if method is None else f" with {method}"
    several = named(one for one in embedders_in(estimator) if _has(one, method))
    raise ArgumentError(
        f"{{estimator}} must be a fitted embedder{lacks}, or a pipeline with one, to {needs}: "
        "got {}{}.",
        type(estimator).__name__,
        f", which holds {', '.join(several)}: give one of them" if several else "",
    )


def _step_with(estimator: Any, method: str | None) -> Parts | None:
    """Return the last embedder among the steps of a model."""
    steps = steps_of(estimator)
    for place in reversed(range(len(steps))):
        if _embeds(steps[place]) and _has(steps[place], method):
            return Parts(steps[:place], steps[place])
    return None


def _places(model: Any, before: list[Any]) -> Iterator[Parts]:
    """Yield the embedders of a model that get X as `before` prepares it, and labels as they are."""
    if _embeds(model):
        yield Parts(before, model)
    if isinstance(model, ColumnTransformer) or hasattr(model, "estimators_"):
        return  # each part has columns of its own, or codes of the labels
    for part in inside(model):
        yield from _places(part, before)
        if isinstance(model, Pipeline):
            before = [*before, part]


def _has(embedder: Any, method: str | None) -> bool:
    return method is None or hasattr(embedder, method)


def predictions(estimator: Any, X: Any) -> NDArray[Any] | None:
    """Return what a model predicts; None if it does not."""
    return np.asarray(estimator.predict(X)) if hasattr(estimator, "predict") else None


def answers(estimator: Any, X: Any) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
    """Return what a model predicts, and how probable each class is; None where it does not.

    An embedder whose answers are those of all is asked once for both.
    """
    kind, usual = type(estimator), ClassifierEmbedder
    if (
        isinstance(estimator, usual)
        and kind.predict is usual.predict
        and kind.predict_proba is usual.predict_proba
    ):
        scores = estimator.class_scores(X)
        return estimator.classes_[scores.argmax(axis=1)], softmax(scores, axis=1)
    proba = estimator.predict_proba(X) if hasattr(estimator, "predict_proba") else None
    return predictions(estimator, X), proba


def subclasses(estimator: Any, X: Any, y: Any = None) -> NDArray[Any] | None:
    """Return the sub-class of each sample, if the embedder has found several in a class."""
    parts = _step_with(estimator, "predict_subclass")
    if parts is None or np.max(parts.embedder.n_subclasses_) < 2:
        return None
    return parts.embedder.predict_subclass(parts.prepared(X), y)


def image_shape_of(estimator: Any) -> tuple[int, ...] | None:
    """Return the shape of the pictures that a model takes, if an embedder comes first in it."""
    first = (parts.embedder for parts in _places(estimator, []) if not parts.before)
    return next((getattr(embedder, "input_shape_", None) for embedder in first), None)


def name_of(estimator: Any) -> str:
    """Return a short name: that of the embedder, or of the last step."""
    if hasattr(estimator, "calibrated_classifiers_"):  # shown beside what it mends
        return type(estimator).__name__
    steps = steps_of(estimator)
    return type(next(filter(_embeds, reversed(steps)), steps[-1])).__name__


def _through(steps: list[Any], X: Any) -> Any:
    for step in steps:
        X = step.transform(X)
    return X


def _embeds(model: Any) -> bool:
    return isinstance(model, BaseEmbedder)
