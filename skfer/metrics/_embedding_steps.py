"""Which steps of a fitted model embed."""

from typing import Any

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline


def embedding_steps(model: Any) -> list[Any]:
    """Return the steps of a fitted model whose transforms, one after another, give its embedding.

    It is what the last step is given, if that predicts and is no embedder: a classifier is left
    out, even one that transforms, as LinearDiscriminantAnalysis does. (With "passthrough" after it
    a pipeline predicts nothing.)

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    list of estimator
        One at least. What cannot embed has a step without ``transform``.
    """
    steps = steps_of(model)
    # Embedders predict, too.
    makes_one = not hasattr(model, "predict") or hasattr(steps[-1], "embedding_dim")
    return steps if makes_one or len(steps) == 1 else steps[:-1]


def steps_of(model: Any) -> list[Any]:
    """Return the fitted steps of a model, in order, be they in pipelines within others.

    A model that answers by one other is opened: a search, a frozen or calibrated one, one of
    labeled samples only. What calibrates several, or averages them, is a step itself.

    Parameters
    ----------
    model : estimator
        Fitted.

    Returns
    -------
    list of estimator
    """
    if isinstance(model, Pipeline):
        return [inner for _, step in model.steps if _is_used(step) for inner in steps_of(step)]
    held = _held_by(model)
    return [model] if held is None else steps_of(held)


def _held_by(model: Any) -> Any:
    """Return the one model that another asks for all its answers, if it does."""
    if isinstance(model, FrozenEstimator):
        return model.estimator
    if hasattr(model, "best_estimator_"):
        return model.best_estimator_
    calibrated: Any = getattr(model, "calibrated_classifiers_", ())
    if len(calibrated) == 1:
        return calibrated[0].estimator
    # Beside estimators_ it is what those were cloned from; transformers select by theirs.
    if hasattr(model, "estimators_") or hasattr(model, "transform"):
        return None
    return getattr(model, "estimator_", None)


def _is_used(step: Any) -> bool:
    """Whether a step of a pipeline does anything outside of ``fit``: resampling does not."""
    return step not in (None, "passthrough") and not hasattr(step, "fit_resample")
