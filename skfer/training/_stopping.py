"""How a training stops early, and what restores all of the best epoch."""

import copy
from collections.abc import Iterable
from typing import Any

from skorch.callbacks import Callback, EarlyStopping
from torch import Tensor, nn

from skfer.training._module_state import set_tensors, tensors_of
from skfer.validation import check_int


class StopTraining(Exception):  # noqa: N818
    """Ends a training as if it were over, when a callback raises it.

    An epoch that it breaks off has no line in the history.

    See Also
    --------
    StopAtBest : Stops when the validation loss no longer falls.

    Examples
    --------
    >>> from skfer.training import StopTraining
    >>> issubclass(StopTraining, Exception)
    True
    """


class StopAtBest(EarlyStopping):
    """skorch's early stopping, restoring what the criterion has learned along with the module.

    Where another early stopping of the same training has ``load_best``, the training ends with the
    best epoch of that one.

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
                self._best, self._extra = _parts_of(net)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best epoch."""
        if self._best and not ends_elsewhere(net):
            _set_parts(net, self._best, self._extra)
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


class ReturnToBest(Callback):
    """Has skorch's early stopping with ``load_best`` end a training with all of its best epoch.

    By itself it restores the module alone, and what the criterion has learned, such as centers,
    would be that of another epoch. It stays in its place, as a user may ask it for its epoch.

    Parameters
    ----------
    stopping : EarlyStopping
        It is told of each epoch and of the end before this callback.
    """

    only_watches = True

    def __init__(self, stopping: EarlyStopping) -> None:
        self.stopping = stopping
        self._forget()

    def _forget(self) -> None:
        self._epoch = 0
        self._best: list[dict[str, Tensor]] = []
        self._extra: list[dict[str, Any]] = []

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget earlier trainings."""
        self._forget()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Keep the best weights so far."""
        epoch = net.history[-1, "epoch"]
        if _best_epoch(self.stopping) == epoch:
            self._epoch = epoch
            self._best, self._extra = _parts_of(net)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Go back to the best epoch."""
        # One that this was not told of, as another callback ended the training, is the last one.
        if self._best and self._epoch == _best_epoch(self.stopping):
            _set_parts(net, self._best, self._extra)
        self._forget()

    def state_dict(self) -> dict[str, Any]:
        """Return the best weights so far."""
        return {"epoch": self._epoch, "best": self._best, "extra": self._extra}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where another training was."""
        self._epoch, self._best, self._extra = state["epoch"], state["best"], state["extra"]


def returning_to_best(callbacks: Iterable[tuple[str, Any]]) -> list[EarlyStopping]:
    """Return those of a net's callbacks that load the best weights at the end of a training."""
    return [
        callback
        for _, callback in callbacks
        if isinstance(callback, EarlyStopping) and callback.load_best
    ]


def ends_elsewhere(net: Any) -> bool:
    """Whether a training ends with the best epoch of a callback that loads its weights."""
    return any(map(_best_epoch, returning_to_best(net.callbacks_)))


def _best_epoch(stopping: EarlyStopping) -> int:
    """Return the best epoch so far, 0 if there is none: a class of a user's may not look for it."""
    return getattr(stopping, "best_epoch_", 0)


def _parts_of(net: Any) -> tuple[list[dict[str, Tensor]], list[dict[str, Any]]]:
    """Return copies of what module and criterion have learned: tensors, and what is beside them."""
    parts = (net.module_, net.criterion_)
    tensors = [
        {name: tensor.detach().clone() for name, tensor in tensors_of(part).items()}
        for part in parts
    ]
    return tensors, [copy.deepcopy(_extra_state(part)) for part in parts]


def _set_parts(net: Any, tensors: list[dict[str, Tensor]], extra: list[dict[str, Any]]) -> None:
    for part, learned, beside in zip((net.module_, net.criterion_), tensors, extra, strict=True):
        set_tensors(part, learned)
        if beside:
            part.load_state_dict(beside, strict=False)


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
        after cannot be compared. What skorch's early stopping with ``load_best`` has found is
        forgotten too: weights from before may not go with what has changed.

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
    for callback in returning_to_best(net.callbacks_):
        EarlyStopping.on_train_begin(callback, net)
