"""The mean of the weights that a training came past."""

from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from skfer.validation import check_int


class AverageWeights(Callback):
    """Ends a training with the mean of the weights after each of its later epochs [1]_.

    With few samples the weights of one epoch owe much to its last batches; their mean lies in a
    flatter place, nearer to where the training began, and embeds new samples better. Parameters
    and running statistics of the module and of the criterion are averaged; counts stay those of
    the last epoch. Where one of them gets another shape, as with a class that is split, the mean
    starts anew.

    Parameters
    ----------
    skip : int
        Number of epochs at the beginning whose weights do not count. A training that does not go
        beyond them keeps the weights of its last epoch.

    References
    ----------
    .. [1] P. Izmailov, D. Podoprikhin, T. Garipov, D. Vetrov, A. Wilson, "Averaging weights leads
       to wider optima and better generalization", UAI 2018.

    See Also
    --------
    StopAtBest : Ends a training with the weights of its best epoch.

    Examples
    --------
    >>> from skfer.training import AverageWeights
    >>> AverageWeights(skip=30).skip
    30
    """

    def __init__(self, skip: int) -> None:
        self.skip = check_int(skip, "skip", at_least=0)
        self.epoch = 0
        self._forget()

    def _forget(self) -> None:
        self._n_averaged = 0
        self._means: list[Tensor] = []

    @torch.no_grad()
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Take in the weights of an epoch."""
        if self.epoch >= self.skip:
            tensors = _averaged(net)
            if [mean.shape for mean in self._means] != [tensor.shape for tensor in tensors]:
                self._forget()
            self._n_averaged += 1
            if self._n_averaged == 1:
                self._means = [tensor.clone() for tensor in tensors]
            else:
                pairs = zip(self._means, tensors, strict=True)
                share = 1 / self._n_averaged
                self._means = [mean.to(tensor.device).lerp(tensor, share) for mean, tensor in pairs]
        self.epoch += 1

    @torch.no_grad()
    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Set the weights to their mean."""
        if self._n_averaged > 1:
            for tensor, mean in zip(_averaged(net), self._means, strict=True):
                tensor.copy_(mean)
        self._forget()

    def state_dict(self) -> dict[str, Any]:
        """Return the mean so far, and of how many epochs it is."""
        return {"epoch": self.epoch, "n_averaged": self._n_averaged, "means": self._means}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another training was."""
        self.epoch, self._n_averaged = state["epoch"], state["n_averaged"]
        self._means = state["means"]


def _averaged(net: Any) -> list[Tensor]:
    parts = (net.module_, net.criterion_)
    tensors = [t for part in parts for t in (*part.parameters(), *part.buffers())]
    return [tensor for tensor in tensors if tensor.is_floating_point()]
