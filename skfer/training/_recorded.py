"""Steps of a training, recorded on a GPU and replayed as a whole.

A small network computes a batch in less time than it takes to launch its several hundred kernels
one by one. Recorded as a CUDA graph they are launched as one.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from skfer.nets import Embedded, EmbeddingNet
from skfer.training._modes import autocast
from skfer.training._replay import (
    NetworkReplay,
    Part,
    StepReplay,
    n_hooks,
    n_hooks_of_all,
    n_hooks_of_gradient,
)

_LARGEST_BATCH = 2**25
"""Numbers; of a larger batch a GPU computes longer than its kernels take to launch."""
_LIBRARIES = (
    *("torch.nn.", "skfer."),
    *("torchvision.models.", "torchvision.ops.", "timm.models.", "timm.layers."),
)
"""What is in them takes from Python nothing that changes from batch to batch. (The transforms of
torchvision are modules too, and draw there.)"""
_SHARE = 0.4
"""Of a GPU's memory: no more may be in use when a recording is made, which takes as much again."""
_WORTH = 50
"""Steps that a recording is made for: it takes the time of a few."""
_PATIENCE = 8
"""So many batches in a row that are not like the recorded one have another one recorded."""
_MOST = 8
"""Recordings of a training; one that needs more goes on without."""
_FEWEST = 4
"""So many are kept for the network alone, where a step changes ever again."""


class RecordedTraining:
    """Takes the steps of a training, or runs its network alone, recorded where that is faster.

    Only networks are recorded of which every batch of a shape gets the same kernels: those made of
    layers of torch, of this package and of a few others, and of modules whose class says so by an
    attribute ``recordable = True``. Others may draw at random in Python, and a recording would
    repeat that draw for ever. Whole steps are recorded where the objective says that it can be;
    otherwise it is called between the network's forward and backward pass.

    Parameters
    ----------
    device : torch.device
        Where the network is; on another device than a GPU nothing is recorded.
    precision : {"float32", "bfloat16"}
        Arithmetic of the layers.
    """

    def __init__(self, device: torch.device, precision: str) -> None:
        self.device = device
        self.precision = precision
        self._n_left = _MOST if device.type == "cuda" else 0
        self._replay: Any = None
        self._n_unlike = 0
        self._takes_steps = True

    def step(
        self,
        part: Part,
        x: Tensor,
        targets: dict[str, Tensor],
        n_steps_left: int,
        *,
        looks: bool = True,
    ) -> tuple[Embedded, Tensor, dict[str, Tensor]] | None:
        """Take a step, if it is recorded: return the output, the loss and its statistics.

        Parameters
        ----------
        part : Part
            Network, objective and optimizer.
        x : Tensor
            The inputs of a batch on the device.
        targets : dict of str to Tensor
            What the objective is called with beside the output; only labels alone are recorded.
        n_steps_left : int
            How many more are to come whose norms have the momentum of this one, since a recording
            keeps it.
        looks : bool, default=True
            Whether anything but weights may have changed since the last batch.
        """
        if not self._records_step(part, targets):
            return None
        if not self._finds(part, (x, targets["labels"]), n_steps_left, looks):
            return None
        return self._replay(x, targets["labels"])

    def output(self, network: Any, x: Tensor, n_steps_left: int, *, looks: bool = True) -> Embedded:
        """Return the network's output for a batch; the arguments are those of a step."""
        part, inputs = Part(network), (x,)
        # Beside a recorded step only batches unlike it come here, which were looked at before.
        replay = self._replay
        is_unlike = replay is not None and replay.is_whole and replay.is_of(part, inputs, looks)
        if not is_unlike and self._finds(part, inputs, n_steps_left, looks):
            return self._replay(x)
        with autocast(self.device, self.precision):
            return network(x)

    def forget(self) -> None:
        """Give the memory of a recording back, where gradients lie too, and record no more."""
        self._n_left = 0
        if self._replay is not None:
            self._replay.drop_gradients()
            self._replay = None

    def _records_step(self, part: Part, targets: dict[str, Tensor]) -> bool:
        """Whether a whole step may be recorded, or has been."""
        is_there = self._replay is not None and self._replay.is_whole
        return (
            (is_there or self._n_left > _FEWEST)
            and self._takes_steps
            and targets.keys() == {"labels"}
            and part.is_known()
        )

    def _finds(
        self, part: Part, inputs: tuple[Tensor, ...], n_steps_left: int, looks: bool
    ) -> bool:
        """Whether there is a recording for a batch, if need be a new one."""
        if (self._replay is None and not self._n_left) or not part.network.training:
            return False
        if self._replay is not None and not self._replay.is_of(part, inputs, looks):
            self._replay = None
        enough = n_steps_left >= _WORTH and inputs[0].numel() <= _LARGEST_BATCH
        may_be_made = self._n_left > (0 if part.objective is None else _FEWEST)
        if may_be_made and self._wants(inputs) and enough and self._has_room():
            self._record(part, inputs)
        return self._replay is not None and self._replay.takes(inputs)

    def _has_room(self) -> bool:
        """Whether a GPU has memory for a step as often as it takes: recorded, and beside it."""
        if self.device.type != "cuda":
            return True
        total = torch.cuda.get_device_properties(self.device).total_memory
        return torch.cuda.memory_reserved(self.device) < _SHARE * total

    def _wants(self, inputs: tuple[Tensor, ...]) -> bool:
        """Whether a batch like this one should be recorded."""
        if self._replay is not None:
            self._n_unlike = 0 if self._replay.takes(inputs) else self._n_unlike + 1
        return self._replay is None or self._n_unlike >= _PATIENCE

    def _record(self, part: Part, inputs: tuple[Tensor, ...]) -> None:
        if not is_recordable(part.network):
            self._n_left = 0
            return
        self._n_left, self._n_unlike, self._replay = self._n_left - 1, 0, None
        # The network is run a few times, which is to leave no trace.
        generator = _generator_of(inputs[0].device)
        drawn, state = generator.get_state(), generator.clone_state()
        buffers = [buffer.clone() for buffer in part.buffers()]
        try:
            kind = NetworkReplay if part.objective is None else StepReplay
            self._replay = kind(part, inputs, self.precision)
        except RuntimeError:  # torch cannot record it; of a step, maybe the network's passes
            if part.objective is None:
                self._n_left = 0
            self._takes_steps = False
        finally:
            if self._replay is None:
                generator.graphsafe_set_state(state)  # the other one is still being recorded
            else:
                generator.set_state(drawn)
            with torch.no_grad():
                for buffer, before in zip(part.buffers(), buffers, strict=True):
                    buffer.copy_(before)


def _generator_of(device: torch.device) -> torch.Generator:
    number = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[number]


def is_recordable(network: nn.Module) -> bool:
    """Whether a network is made of modules alone that are known to be, without hooks."""
    return (
        type(network) is EmbeddingNet
        and not n_hooks_of_all()
        and all(_is_known(module) and not n_hooks(module) for module in network.modules())
        and not any(map(n_hooks_of_gradient, network.parameters()))
    )


def _is_known(module: nn.Module) -> bool:
    # A norm without momentum counts its batches in Python.
    counts = getattr(module, "track_running_stats", False) and module.momentum is None
    # A class is asked itself, since one that is made from it may have another forward pass.
    kind = next(k for k in type(module).__mro__ if k.__module__ != parametrize.__name__)
    says_so = vars(kind).get("recordable") is True
    return (says_so or kind.__module__.startswith(_LIBRARIES)) and not counts
