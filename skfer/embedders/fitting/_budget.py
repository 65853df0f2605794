"""How long a training is, and how large its batches are."""

import numpy as np

from skfer._typing import NDArray

IMAGES_SEEN = 40_000
"""How many images the network is shown, each of them again in every pass, if nothing else binds."""
FEWEST, MOST = 12, 160
"""Bounds of the number of passes."""


SMALLEST, LARGEST = 4, 8
"""Bounds of the samples of a class in a batch."""
_BATCHES = 8


def batch_samples(
    samples_per_class: int | str, classes_per_batch: int, codes: NDArray[np.intp]
) -> int:
    """Return the number of samples that a ``samples_per_class`` parameter stands for.

    Parameters
    ----------
    samples_per_class : int or "auto"
        "auto" gives a pass eight batches, of 4 to 8 samples of each class.
    classes_per_batch : int
        How many classes a batch holds, if there are so many.
    codes : array of int of shape (n,)
        Class of each sample to train on, -1 for one without a label.

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> [batch_samples("auto", 8, np.arange(n) % 7) for n in (100, 350, 1000)]
    [4, 6, 8]
    """
    if samples_per_class != "auto":
        return int(samples_per_class)
    known = codes[codes >= 0]
    classes = min(classes_per_batch, len(np.unique(known)))
    return int(np.clip(round(len(known) / (_BATCHES * max(1, classes))), SMALLEST, LARGEST))


def count_epochs(
    max_epochs: int | str, codes: NDArray[np.intp], *, label_noise: bool = False
) -> int:
    """Return the number of passes that a ``max_epochs`` parameter stands for.

    Parameters
    ----------
    max_epochs : int or "auto"
        "auto" shows the network 40,000 images, in 12 to 160 passes.
    codes : array of int of shape (n,)
        Class of each sample to train on, -1 for one without a label.
    label_noise : bool
        Whether "auto" ends before the network learns the wrong ones among the labels: at a third.

    Returns
    -------
    int

    Examples
    --------
    >>> import numpy as np
    >>> [count_epochs("auto", np.arange(n) % 7) for n in (100, 1000, 100_000)]
    [160, 40, 12]
    >>> [count_epochs("auto", np.arange(n) % 7, label_noise=True) for n in (100, 1000, 100_000)]
    [53, 13, 12]
    """
    if max_epochs != "auto":
        return int(max_epochs)
    # A pass draws as many samples of either kind as there are: see ``BalancedBatchSampler``.
    drawn = max((codes >= 0).sum(), (codes < 0).sum())
    passes = int(np.clip(round(IMAGES_SEEN / drawn), FEWEST, MOST))
    return max(FEWEST, round(passes / 3)) if label_noise else passes
