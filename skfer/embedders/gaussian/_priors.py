"""The prior probabilities of the classes, and what each component has of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError
from skfer.validation import shown


def check_priors(priors: Any) -> None:
    """Raise ArgumentError unless `priors` is a name, None or a list of probabilities."""
    if priors is None or isinstance(priors, str):
        return
    if isinstance(priors, Mapping):
        raise ArgumentError(
            "{priors} must be a list in the order of classes_, not a dict: give [priors[c] for "
            "c in np.unique(y)]."
        )
    if hasattr(priors, "reindex") and list(priors.index) != list(range(len(priors))):
        raise ArgumentError(
            "{priors} must be a list in the order of classes_, not a Series with names {}: give "
            "priors.reindex(np.unique(y)).tolist().",
            shown(list(priors.index)),
        )
    try:
        values = np.asarray(priors, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.full(1, np.nan)
    if values.ndim != 1 or not (values >= 0).all() or not np.isclose(values.sum(), 1):
        raise ArgumentError(
            "{priors} must be one probability for each class, and sum to 1; got {}.", shown(priors)
        )


def check_number_of_priors(priors: Any, n_classes: int) -> None:
    """Raise ValueError if `priors` is a list of another length than there are classes."""
    if priors is None or isinstance(priors, str) or len(priors) == n_classes:
        return
    raise ValueError(f"priors holds {len(priors)} probabilities, but y has {n_classes} classes.")


def component_weights(
    priors: Any, component_classes: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Return the prior of the class of each component, times its share of that class.

    Parameters
    ----------
    priors : array-like of shape (n_classes,), "uniform" or None
        Prior of each class; None takes the shares of the samples.
    component_classes : array of int of shape (n_components,)
        Class of each component.
    counts : array of int of shape (n_components,)
        Number of samples of each component.

    Returns
    -------
    array of shape (n_components,)
    """
    in_class = np.bincount(component_classes, counts)
    if priors is None:
        shares = in_class / in_class.sum()
    elif isinstance(priors, str):
        shares = np.full(len(in_class), 1 / len(in_class))
    else:
        shares = np.asarray(priors)
    shares_of_samples = shares / np.maximum(in_class, 1)
    return shares_of_samples[component_classes] * counts
