"""What comes first in a fitted model, and what of it embeds."""

import copy
from collections.abc import Iterator
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline

from skfer.embedders.composed._describing import describe, title_of
from skfer.embedders.composed._within import embedders_in, inside, makes_one_embedding
from skfer.exceptions import ArgumentError
from skfer.metrics._embedding_steps import embedding_steps, steps_of
from skfer.preprocessing import FaceAligner


def first_in(model: Any) -> Iterator[Any]:
    """Yield the estimators that get what a model gets, and those that get it from an aligner.

    Parameters
    ----------
    model : estimator
        Fitted.

    Yields
    ------
    estimator
        One that has no others inside.
    """
    parts = inside(model)
    if not parts or isinstance(model, ColumnTransformer):  # each part gets some columns
        yield model
        return
    for part in parts:
        yield from first_in(part)
        if isinstance(model, Pipeline) and not isinstance(part, FaceAligner):
            return


def without_aligners(model: Any) -> Any:
    """Return a model that takes what its aligners return; itself if there are none at its start.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    estimator
        Its embedders are those of the model.
    """
    if isinstance(model, Pipeline) and isinstance(model[0], FaceAligner):
        return model[1:]
    aligners = [one for one in first_in(model) if isinstance(one, FaceAligner)]
    if not aligners:
        return model
    memo: dict[int, Any] = {id(embedder): embedder for embedder in embedders_in(model)}
    return copy.deepcopy(model, memo | {id(aligner): "passthrough" for aligner in aligners})


def embedding_part(model: Any) -> Any:
    """Return the part of a model whose ``transform`` gives its embedding.

    Parameters
    ----------
    model : estimator
        Fitted, with an embedder.

    Returns
    -------
    estimator
        Without the classifier at the end, and without what calibrates.

    Raises
    ------
    ArgumentError
        If there are several embeddings.
    """
    steps, kept = steps_of(model), embedding_steps(model)
    several = [step for step in steps if any(embedders_in(step)) and not makes_one_embedding(step)]
    if several:
        raise ArgumentError(
            "{model} is {}, in which each embedder has an embedding of its own: save one of them.",
            title_of(describe(several[0])),
        )
    if len(kept) == 1:
        return kept[0]
    whole = len(kept) == len(steps) and hasattr(model, "transform")
    return model if whole else make_pipeline(*kept)
