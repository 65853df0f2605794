"""A network's kernels in training, recorded on a GPU and replayed as a whole.

A small network computes a batch in less time than it takes to launch its several hundred kernels
one by one. Recorded as a CUDA graph, forward and backward, they are launched as two.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.module import _has_any_global_hook

from skfer.nets import Embedded, EmbeddingNet
from skfer.training._modes import autocast

_LARGEST_BATCH = 2**22
"""Numbers; of a larger batch a GPU computes longer than its kernels take to launch."""
_WORTH = 50
"""Steps that a recording is made for: it takes the time of a few."""
_PATIENCE = 8
"""So many batches in a row that are not like the recorded one have another one recorded."""
_MOST = 8
"""Recordings of a training; one that needs more goes on without."""


class RecordedNetwork:
    """Runs a network on the batches of a training, recorded where that is faster.

    Only networks made of torch's layers and this package's are recorded: every batch of a shape
    gets the same kernels from them. Others may draw at random in Python, and a recording would
    repeat that draw for ever.

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
        self._replay: _Replay | None = None
        self._n_unlike = 0

    def __call__(self, network: Any, x: Tensor, n_steps_left: int) -> Any:
        """Return the output for a batch on the device.

        `n_steps_left` tells how many more are to come whose norms have the momentum of this one,
        since a recording keeps it.
        """
        if (self._replay is None and not self._n_left) or not network.training:
            return self._run(network, x)
        if self._replay is not None and not self._replay.is_of(network):
            self._replay = None
        if self._wants(x) and n_steps_left >= _WORTH and x.numel() <= _LARGEST_BATCH:
            self._record(network, x)
        if self._replay is None or not self._replay.takes(x):
            return self._run(network, x)
        return self._replay(x)

    def forget(self) -> None:
        """Give the memory of a recording back, where gradients lie too, and record no more."""
        self._n_left = 0
        if self._replay is not None:
            self._replay.drop_gradients()
            self._replay = None

    def _run(self, network: nn.Module, x: Tensor) -> Any:
        with autocast(self.device, self.precision):
            return network(x)

    def _wants(self, x: Tensor) -> bool:
        """Whether a batch like this one should be recorded."""
        if self._replay is not None:
            self._n_unlike = 0 if self._replay.takes(x) else self._n_unlike + 1
        return self._n_left > 0 and (self._replay is None or self._n_unlike >= _PATIENCE)

    def _record(self, network: nn.Module, x: Tensor) -> None:
        if not is_recordable(network):
            self._n_left = 0
            return
        self._n_left, self._n_unlike, self._replay = self._n_left - 1, 0, None
        # The network is run a few times, which is to leave no trace.
        generator = _generator_of(x.device)
        drawn, state = generator.get_state(), generator.clone_state()
        buffers = [buffer.clone() for buffer in network.buffers()]
        try:
            with autocast(self.device, self.precision):
                self._replay = _Replay(network, x)
        except RuntimeError:  # torch cannot record it
            self._n_left = 0
        finally:
            if self._replay is None:
                generator.graphsafe_set_state(state)  # the other one is still being recorded
            else:
                generator.set_state(drawn)
            with torch.no_grad():
                for buffer, before in zip(network.buffers(), buffers, strict=True):
                    buffer.copy_(before)


class _Replay:
    """The kernels of a network, forward and backward, for batches like one of them.

    Parameters
    ----------
    network : EmbeddingNet
        The network, in training mode.
    x : Tensor
        A batch on the device.
    """

    def __init__(self, network: Any, x: Tensor) -> None:
        self._batch = x.shape, x.dtype
        self._network, self._made_of = network, _made_of(network)
        self._x = x.clone()
        self._parameters = [p for p in network.parameters() if p.requires_grad]
        self._anchor = x.new_empty(0, dtype=torch.float32, requires_grad=True)
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        here, stream = torch.cuda.current_stream(x.device), torch.cuda.Stream(x.device)
        stream.wait_stream(here)
        try:
            # Entered here, too: where a recording fails, torch leaves its stream the present one.
            with torch.cuda.device(x.device), torch.cuda.stream(stream):
                self._warm_up(network)
                self._record(network, stream)
        finally:
            here.wait_stream(stream)

    def _warm_up(self, network: nn.Module) -> None:
        """Have torch get ready what it gets ready at first use, which cannot be recorded."""
        for _ in range(3):
            present = [tensor for tensor in network(self._x) if tensor is not None]
            self._differentiate(present, [torch.zeros_like(tensor) for tensor in present])

    def _record(self, network: nn.Module, stream: torch.cuda.Stream) -> None:
        # Another thread may get pictures ready meanwhile.
        how: Any = {"stream": stream, "capture_error_mode": "thread_local"}
        with torch.cuda.graph(self._forward, **how):
            output: Any = network(self._x)
        present = [tensor for tensor in output if tensor is not None]
        self._pulls = [torch.empty_like(tensor) for tensor in present]
        with torch.cuda.graph(self._backward, self._forward.pool(), **how):
            self._gradients = self._differentiate(present, self._pulls)
        # Without what autograd knows: its nodes belong to the stream that they were recorded on.
        self._present = [tensor.detach() for tensor in present]
        self._is_there = [tensor is not None for tensor in output]
        # Memory of modules that the kernels use, such as the augmentation's grid: a batch of
        # another shape replaces it.
        self._used = [vars(module).get("_cache") for module in network.modules()]

    def _differentiate(self, outputs: list[Tensor], pulls: list[Tensor]) -> list[Tensor | None]:
        """Return the gradient of each parameter; None where a frozen backbone gets none."""
        gradients = torch.autograd.grad(outputs, self._parameters, pulls, allow_unused=True)
        return [
            g if g is None or g.stride() == p.stride() else torch.empty_like(p).copy_(g)
            for p, g in zip(self._parameters, gradients, strict=True)
        ]

    def is_of(self, network: Any) -> bool:
        """Whether a network is the one that was recorded, and nothing of it has changed since."""
        return network is self._network and _made_of(network) == self._made_of

    def takes(self, x: Tensor) -> bool:
        """Whether a batch is like the one that was recorded."""
        return (x.shape, x.dtype) == self._batch

    def __call__(self, x: Tensor) -> Embedded:
        """Return the output for a batch; the backward pass sets the gradients, and adds nothing."""
        self._x.copy_(x)
        values: Any = iter(_Replayed.apply(self._anchor, self))
        return Embedded._make(next(values) if there else None for there in self._is_there)

    def forward(self) -> tuple[Tensor, ...]:
        """Run the forward pass; the next one leaves what it returned as it is."""
        self._forward.replay()
        return tuple(tensor.clone() for tensor in self._present)

    def backward(self, pulls: tuple[Tensor, ...]) -> None:
        """Set the gradients of the parameters, given those of the outputs."""
        for mine, pull in zip(self._pulls, pulls, strict=True):
            mine.copy_(pull)
        self._backward.replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient

    def drop_gradients(self) -> None:
        """Take the gradients from the parameters."""
        for parameter in self._parameters:
            parameter.grad = None


class _Replayed(torch.autograd.Function):
    """Stands for the network in what autograd knows of a step."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, replay: _Replay) -> tuple[Tensor, ...]:
        ctx.replay = replay
        return replay.forward()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *pulls: Tensor) -> tuple[None, None]:
        ctx.replay.backward(pulls)
        return None, None


def _generator_of(device: torch.device) -> torch.Generator:
    number = torch.cuda.current_device() if device.index is None else device.index
    return torch.cuda.default_generators[number]


def _made_of(network: Any) -> list[Any]:
    """Return what decides on the kernels of a network, beside a batch.

    These are its modules and their settings, such as a dropout's share, who watches them, and where
    its parameters and buffers lie and which of them learn.
    """
    modules = [
        (
            id(module),
            _n_hooks(module),
            [v for v in vars(module).values() if isinstance(v, float | int)],
        )
        for module in network.modules()
    ]
    tensors = [*network.parameters(), *network.buffers()]
    return [modules, [(tensor.data_ptr(), tensor.requires_grad) for tensor in tensors]]


def is_recordable(network: nn.Module) -> bool:
    """Whether a network is made of torch's layers and this package's alone, without hooks."""
    return (
        type(network) is EmbeddingNet
        and not _has_any_global_hook()
        and all(_is_ours(module) and not _n_hooks(module) for module in network.modules())
        and not any(map(_n_hooks_of_gradient, network.parameters()))
    )


def _is_ours(module: nn.Module) -> bool:
    # A norm without momentum counts its batches in Python.
    counts = getattr(module, "track_running_stats", False) and module.momentum is None
    return type(module).__module__.startswith(("torch.nn.", "skfer.")) and not counts


def _n_hooks(module: nn.Module) -> int:
    kinds = ("forward", "forward_pre", "backward", "backward_pre")
    return sum(len(getattr(module, f"_{kind}_hooks")) for kind in kinds)


def _n_hooks_of_gradient(parameter: nn.Parameter) -> int:
    kinds = ("_backward_hooks", "_post_accumulate_grad_hooks")
    return sum(len(getattr(parameter, kind, None) or ()) for kind in kinds)
