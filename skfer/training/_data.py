"""What a training learns from."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from skfer._typing import NDArray
from skfer.training._source import Source


@dataclass(frozen=True)
class TrainingData:
    """The samples of one training of an embedder.

    Attributes
    ----------
    source : ImageSource or RowSource
        The inputs of all n samples.
    codes : array of int of shape (n,)
        Position of each sample's label in ``classes_``; -1 for a sample without a label.
    train : array of int
        Indices of the samples that are trained on.
    valid : array of int or None
        Indices of the samples that early stopping sets aside, if it does.
    epochs : int
        How many passes the training has.
    partial : bool
        Whether this is one pass of ``partial_fit``, and not a whole ``fit``.
    votes : array of float of shape (n, n_classes), default=None
        Shares of the classes in what people said of each sample, if they were given.
    groups : array of shape (n,), default=None
        Subjects, if they were given.

    See Also
    --------
    skfer.embedders.BaseEmbedder : Its hooks get one.

    Examples
    --------
    >>> import numpy as np
    >>> from skfer.training import ImageSource, TrainingData
    >>> source = ImageSource(np.zeros((6, 16, 16), np.uint8), (16, 16))
    >>> data = TrainingData(source, codes=np.arange(6) % 2, train=np.arange(6), epochs=3)
    >>> data.epochs, data.valid is None
    (3, True)
    """

    source: Source
    codes: NDArray[np.intp]
    train: NDArray[np.intp]
    valid: NDArray[np.intp] | None = None
    epochs: int = 1
    partial: bool = False
    votes: NDArray[np.float32] | None = None
    groups: NDArray[Any] | None = None
