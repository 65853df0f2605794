"""The mean of the weights that a training came past."""

from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

from skfer.training._module_state import tensors_of
from skfer.training._stopping import ends_elsewhere
from skfer.validation import check_int


class AverageWeights(Callback):
    """Ends a training with the mean of the weights after each of its later epochs [1]_.

    With few samples the weights of one epoch owe much to its last batches; their mean lies in a
    flatter place, nearer to where the training began, and embeds new samples better. Parameters
    of the module and of the criterion are averaged, and running statistics; counts stay those of
    the last epoch, and so does what a loss remembers in its buffers. Where a parameter gets another
    shape the mean starts anew. A training that ends with the best epoch of skorch's early stopping
    (``load_best``) is left there.

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
        self._means: dict[str, Tensor] = {}

    @torch.no_grad()
    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Take in the weights of an epoch."""
        if self.epoch >= self.skip:
            tensors = _averaged(net)
            if _shapes(self._means, tensors) != _shapes(tensors, tensors):
                self._forget()
            self._n_averaged += 1
            share, means = 1 / self._n_averaged, self._means
            self._means = {n: _nearer(means.get(n), t, share) for n, t in tensors.items()}
        self.epoch += 1

    @torch.no_grad()
    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Set the weights to their mean."""
        if self._n_averaged > 1 and not ends_elsewhere(net):
            for name, tensor in _averaged(net).items():
                tensor.copy_(self._means[name])
        self._forget()

    def state_dict(self) -> dict[str, Any]:
        """Return the mean so far, and of how many epochs it is."""
        return {"epoch": self.epoch, "n_averaged": self._n_averaged, "means": self._means}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another training was."""
        self.epoch, self._n_averaged = state["epoch"], state["n_averaged"]
        self._means = state["means"]


def _averaged(net: Any) -> dict[str, Tensor]:
    """Return parameters and running statistics by name."""
    tensors = {f"module.{name}": tensor for name, tensor in tensors_of(net.module_).items()}
    for name, part in net.criterion_.named_modules():
        # Other buffers of a loss are what it remembers, such as embeddings of earlier batches.
        statistics = part.named_buffers(recurse=False) if isinstance(part, _NormBase) else ()
        for short, tensor in (*part.named_parameters(recurse=False), *statistics):
            tensors[f"criterion.{name}.{short}"] = tensor
    return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}


def _shapes(found: dict[str, Tensor], tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    """Return the shapes of what is found of the parameters among the tensors."""
    learned = [name for name, tensor in tensors.items() if isinstance(tensor, nn.Parameter)]
    return {name: found[name].shape for name in learned if name in found}


def _nearer(mean: Tensor | None, tensor: Tensor, share: float) -> Tensor:
    """Return a mean with another tensor in it; the tensor alone where it is of another shape."""
    if mean is None or mean.shape != tensor.shape:
        return tensor.clone()
    return mean.to(tensor.device).lerp(tensor, share)
