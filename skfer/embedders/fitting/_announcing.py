"""Says which fit runs, where a search or a cross-validation makes many."""

import itertools
from typing import Any

from skfer.exceptions import one_line
from skfer.training import TrainingData

_NUMBERS = itertools.count(1)


def announce(embedder: Any, data: TrainingData) -> None:
    """Print the number of a fit in this process, the embedder and what it learns from.

    Parameters
    ----------
    embedder : BaseEmbedder
        Its parameters that are not the default are told.
    data : TrainingData
        Its samples.
    """
    what = one_line(embedder, 300)
    n_classes = len(embedder.classes_)
    print(
        f"Fit {next(_NUMBERS)}: {what} on {len(data.train)} samples of {n_classes} classes, "
        f"{data.epochs} epochs at most"
    )
