"""Early stopping that restores all of the best epoch."""

import copy
from typing import Any

from skorch.callbacks import EarlyStopping
from torch import Tensor, nn

from skfer.training._module_state import set_tensors, tensors_of
from skfer.validation import check_int


class StopAtBest(EarlyStopping):
    """skorch's early stopping, restoring what the criterion has learned along with the module.

    Parameters
    ----------
    patience : int
        Epochs without a lower validation loss after which training stops.

    See Also
    --------
    restart_stopping : Makes it forget the epochs so far.

    Examples
    --------
    >>> from skfer.training import StopAtBest
    >>> StopAtBest(patience=5).patience
    5
    """

    def __init__(self, patience: int) -> None:
        # skorch restores the module alone: learned centers would stay those of the last epoch.
        super().__init__(patience=check_int(patience, "patience", at_least=1), load_best=False)
        self._best: list[dict[str, Tensor]] = []  # of the module and of the criterion

    def restart(self) -> None:
        """Compare the epochs to come with each other alone."""
        self.on_train_begin(None)

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier trainings."""
        super().on_train_begin(net, **kwargs)
        self._best = []
        self._extra: list[dict[str, Any]] = [{}, {}]

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the best weights so far; stop after too many epochs without an improvement."""
        try:
            super().on_epoch_end(net, **kwargs)
        finally:
            if self.best_epoch_ == net.history[-1, "epoch"]:
                parts = (net.module_, net.criterion_)
                self._best = [
                    {name: tensor.detach().clone() for name, tensor in tensors_of(part).items()}
                    for part in parts
                ]
                self._extra = [copy.deepcopy(_extra_state(part)) for part in parts]

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best epoch."""
        if self._best:
            set_tensors(net.module_, self._best[0])
            set_tensors(net.criterion_, self._best[1])
            for part, extra in zip((net.module_, net.criterion_), self._extra, strict=True):
                if extra:
                    part.load_state_dict(extra, strict=False)
        self._best, self._extra = [], [{}, {}]

    def state_dict(self) -> dict[str, Any]:
        """Return the best weights so far, and how long ago they were reached."""
        return {
            "misses": self.misses_,
            "threshold": self.dynamic_threshold_,
            "epoch": self.best_epoch_,
            "best": self._best,
            "extra": self._extra,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another training was."""
        self.misses_, self.dynamic_threshold_ = state["misses"], state["threshold"]
        self.best_epoch_, self._best = state["epoch"], state["best"]
        self._extra = state["extra"]


def _extra_state(part: nn.Module) -> dict[str, Any]:
    """Return what modules keep by ``get_extra_state``, as `load_state_dict` takes it."""
    found = {}
    for name, module in part.named_modules():
        if type(module).get_extra_state is not nn.Module.get_extra_state:
            found[f"{name}.".lstrip(".") + "_extra_state"] = module.get_extra_state()
    return found


def restart_stopping(net: Any) -> None:
    """Make early stopping, if there is any, forget the losses of the epochs so far.

    Parameters
    ----------
    net : MetricNet
        A net in training. Call this when what is minimized has changed, since losses before and
        after cannot be compared.

    See Also
    --------
    StopAtBest : What it restarts.

    Examples
    --------
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.datasets import make_expressions
    >>> from skfer.training import restart_stopping
    >>> faces = make_expressions(3, 1, image_size=16, random_state=0)
    >>> model = CrossEntropyEmbedder(8, max_epochs=1, random_state=0)
    >>> restart_stopping(model.fit(faces.images, faces.target).net_)  # none: nothing to do
    """
    for _, callback in net.callbacks_:
        if isinstance(callback, StopAtBest):
            callback.restart()
