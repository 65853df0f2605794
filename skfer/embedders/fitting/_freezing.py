"""Keeps the backbone frozen at the start of a training, or for all of it."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral
from typing import Any

from skorch.callbacks import Callback

from skfer.nets import EmbeddingNet


def count_frozen_epochs(
    freeze_backbone: bool | float, n_epochs: int, *, n_passes: int | None = None
) -> float:
    """Return for how many epochs from now on the backbone is frozen; may be infinite.

    Parameters
    ----------
    freeze_backbone : bool, int or float
        The parameter: never or always, a number of epochs, or a fraction of a training.
    n_epochs : int
        How many epochs the training has.
    n_passes : int, default=None
        For ``partial_fit``, how many epochs there were before. A fraction has no meaning there.
    """
    if isinstance(freeze_backbone, bool):
        return math.inf if freeze_backbone else 0
    if isinstance(freeze_backbone, Integral):
        return max(0, int(freeze_backbone) - (n_passes or 0))
    return math.ceil(freeze_backbone * n_epochs) if n_passes is None else 0


class Thaw(Callback):
    """Lets the backbone learn after some epochs.

    Parameters
    ----------
    n_epochs : float
        For how many epochs of the training it stays frozen.
    """

    def __init__(self, n_epochs: float) -> None:
        self.n_epochs = n_epochs
        self.epoch = 0

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Thaw the backbone when its time has come."""
        if self.epoch == self.n_epochs:
            net.module_.freeze_backbone(False)
        self.epoch += 1


@contextmanager
def frozen_backbone(network: EmbeddingNet, n_epochs: float) -> Iterator[list[Callback]]:
    """Freeze the backbone of a network; yield the callbacks that thaw it.

    Parameters
    ----------
    network : EmbeddingNet
        In the end its backbone is not frozen.
    n_epochs : float
        For how many epochs it is frozen.
    """
    network.freeze_backbone(n_epochs > 0)
    try:
        yield [Thaw(n_epochs)] if 0 < n_epochs < math.inf else []
    finally:
        network.freeze_backbone(False)
