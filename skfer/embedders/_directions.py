"""Whether an embedding is given as directions from a center, and where that is."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from skfer._typing import NDArray
from skfer.training import SamplePart, Source

GAUSSIAN_SHARE_OF_MEAN = 0.5
"""Which part of the mean of the samples is the center of directions, with the Gaussian loss: 0
would be amid the classes, from where rare ones are found less often; the mean itself lies in the
largest of skewed classes, whose samples would be scattered."""

_LEAST_LENGTH = 8
_LEAST_MOVE = 0.5
_MOST_SAMPLES = 4096  # of which the mean is taken: a large training set is not embedded once more


def gives_directions(normalize: bool | str, length: int, n_classes: int) -> bool:
    """Return whether embeddings are normalized.

    Parameters
    ----------
    normalize : bool or "auto"
        The parameter ``normalize_embedding``.
    length : int
        Of what is normalized. A short one has no direction to spare: two coordinates would be a
        circle.
    n_classes : int
        Number of classes, each of which needs a direction of its own.
    """
    return length >= max(_LEAST_LENGTH, n_classes) if normalize == "auto" else bool(normalize)


def some_labeled(source: Source, codes: NDArray[np.intp]) -> SamplePart:
    """Return those that a mean is taken of: some at random, where there are many.

    Parameters
    ----------
    source : Source
        The inputs.
    codes : array of int of shape (n_samples,)
        Classes, -1 for samples without a label, which are left out.
    """
    rows = np.flatnonzero(codes >= 0)
    if len(rows) > _MOST_SAMPLES:  # every so many-th row might be of one class
        rows = np.sort(np.random.RandomState(0).choice(rows, _MOST_SAMPLES, replace=False))
    return SamplePart(source, rows)


def mean_of(batches: Iterator[Tensor]) -> NDArray[np.float32]:
    """Return the mean of the rows of several tensors."""
    total, n_rows = torch.zeros(1, dtype=torch.float64), 0
    for batch in batches:
        total = total + batch.cpu().double().sum(0)
        n_rows += len(batch)
    return (total / n_rows).numpy().astype(np.float32)


def moved(
    former: NDArray[np.float32], mean: NDArray[np.float32], n_new: int, counts: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return a mean that was moved towards that of the latest samples.

    By their share of all samples, but by half at least: the network has changed since it
    embedded the others, most of all in its first passes.

    Parameters
    ----------
    former, mean : array of shape (n_features,)
        What there was, and the mean of the latest samples.
    n_new : int
        How many these are.
    counts : array of int of shape (n_classes,)
        How many samples there were of each class, these among them.
    """
    share = np.float32(max(n_new / max(counts.sum(), 1), _LEAST_MOVE))
    return former + min(share, np.float32(1)) * (mean - former)
