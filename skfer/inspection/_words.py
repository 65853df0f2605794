"""Labels as a model knows them: codes or names, in its own words."""

from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.datasets._labels import canonical
from skfer.embedders.composed._within import embedders_in
from skfer.exceptions import ArgumentError, warn_caller
from skfer.validation import as_column, shown, unlabeled_mask


def as_fitted(model: Any, y: NDArray[Any], names: Any) -> NDArray[Any]:
    """Return labels of the kind that a model was fitted on.

    Codes become names where it knows names. A name that it does not know is taken for the one that
    is the same word of the vocabulary, such as "happy" for "happiness".

    Parameters
    ----------
    model : fitted estimator
        Its classes, or those of the first embedder in it, are what it knows.
    y : ndarray of shape (n,)
        Codes, or names.
    names : array-like of str or None
        What the codes mean.

    Raises
    ------
    ArgumentError
        If it knows none of them. If it does not know some, there is a warning.
    """
    classes = getattr(model, "classes_", None)
    if classes is None:
        classes = next(embedders_in(model)).classes_
    if classes.dtype.kind not in "biuf":
        y = np.asarray(names)[y] if names is not None and y.dtype.kind in "iu" else y
        y = _in_its_words(y, classes)
    unknown = unknown_to(model, y)
    told = (shown(unknown), shown(classes.tolist()))
    if len(unknown) == len(np.unique(y)):
        raise ArgumentError(
            "{bunch} has the classes {}, of which {model} knows none: it knows {}.", *told
        )
    if unknown:
        warn_caller("the model does not know the classes {}: it knows {}.".format(*told))
    return y


def are_other_classes(model: Any, y: Any) -> bool:
    """Return whether labels are of another kind of classes than a model's, such as finer ones.

    Numbers beside words are no such ones: nobody knows what they mean.
    """
    column, classes = as_column(y, "y"), getattr(model, "classes_", None)
    labels = column[~unlabeled_mask(column)]
    if classes is None or not len(labels):
        return False
    are_alike = (labels.dtype.kind in "biuf") == (classes.dtype.kind in "biuf")
    return are_alike and not np.isin(labels, classes).any()


def unknown_to(model: Any, y: NDArray[Any]) -> list[Any]:
    """Return the classes among labels that a model, if it predicts some, does not know."""
    present = np.unique(y)
    return present[~np.isin(present, getattr(model, "classes_", present))].tolist()


def _in_its_words(y: NDArray[Any], classes: NDArray[Any]) -> NDArray[Any]:
    known = set(classes.tolist())
    meant = {canonical(str(name)): name for name in known}
    other = {name: meant.get(canonical(str(name))) for name in np.unique(y).tolist()}
    other = {name: word for name, word in other.items() if word is not None and name not in known}
    if not other or len(meant) < len(known):  # as where it knows two words for one thing
        return y
    return np.array([other.get(name, name) for name in y.tolist()])
