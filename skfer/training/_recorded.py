"""A network's kernels in training, recorded on a GPU and replayed as a whole.

A small network computes a batch in less time than it takes to launch its several hundred kernels
one by one. Recorded as a CUDA graph, forward and backward, they are launched as two.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from skfer.nets import Embedded, EmbeddingNet
from skfer.training._modes import autocast

_LARGEST_BATCH = 2**22
"""Numbers; of a larger batch a GPU computes longer than its kernels take to launch."""
_WORTH = 50
"""Steps that a recording is made for: it takes the time of a few."""


class RecordedNetwork:
    """Runs a network on the batches of a training, recorded where that is faster.

    Only networks made of torch's layers and this package's are recorded: every batch of a shape
    gets the same kernels from them. Others may draw at random in Python, and a recording would
    repeat that draw for ever.

    Parameters
    ----------
    network : nn.Module
        The network.
    device : torch.device
        Where it is; on another device than a GPU nothing is recorded.
    precision : {"float32", "bfloat16"}
        Arithmetic of the layers.
    """

    def __init__(self, network: nn.Module, device: torch.device, precision: str) -> None:
        self.network = network
        self.device = device
        self.precision = precision
        self._may_record = device.type == "cuda"
        self._replay: _Replay | None = None

    def __call__(self, x: Tensor, n_steps_left: int) -> Any:
        """Return the output for a batch on the device.

        `n_steps_left` tells how many more are to come whose norms have the momentum of this one,
        since a recording keeps it.
        """
        if not (self._may_record and self.network.training):
            return self._run(x)
        if self._replay is not None and not self._replay.is_of(self.network):
            self._replay = None
        if self._replay is None and n_steps_left >= _WORTH and x.numel() <= _LARGEST_BATCH:
            self._record(x)
        if self._replay is None or not self._replay.takes(x):
            return self._run(x)
        return self._replay(x)

    def forget(self) -> None:
        """Give the memory of a recording back; gradients lie in it."""
        if self._replay is not None:
            self._replay = None
            self.network.zero_grad()

    def _run(self, x: Tensor) -> Any:
        with autocast(self.device, self.precision):
            return self.network(x)

    def _record(self, x: Tensor) -> None:
        if not is_recordable(self.network):
            self._may_record = False
            return
        # Recording runs the network a few times, which is to leave no trace.
        generator = torch.cuda.default_generators[x.get_device()]
        drawn, state = generator.get_state(), generator.clone_state()
        buffers = [buffer.clone() for buffer in self.network.buffers()]
        try:
            with torch.cuda.device(x.device), autocast(self.device, self.precision):
                self._replay = _Replay(self.network, x)
            generator.set_state(drawn)
        except RuntimeError:  # torch cannot record it
            self._may_record = False
            generator.graphsafe_set_state(state)  # the other one is still being recorded
        with torch.no_grad():
            for buffer, before in zip(self.network.buffers(), buffers, strict=True):
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
        self._modes = _modes(network)
        self._x = x.clone()
        self._parameters = [p for p in network.parameters() if p.requires_grad]
        self._anchor = x.new_empty(0, dtype=torch.float32, requires_grad=True)
        self._warm_up(network)
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        # Another thread may get pictures ready meanwhile.
        with torch.cuda.graph(self._forward, capture_error_mode="thread_local"):
            output = network(self._x)
        present = [tensor for tensor in output if tensor is not None]
        self._pulls = [torch.empty_like(tensor) for tensor in present]
        pool = self._forward.pool()
        with torch.cuda.graph(self._backward, pool, capture_error_mode="thread_local"):
            self._gradients = self._differentiate(present, self._pulls)
        # Without what autograd knows: its nodes belong to the stream that they were recorded on.
        self._present = [tensor.detach() for tensor in present]
        self._is_there = [tensor is not None for tensor in output]
        # Memory of modules that the kernels use, such as the augmentation's grid: a batch of
        # another shape replaces it.
        self._used = [vars(module).get("_cache") for module in network.modules()]

    def _warm_up(self, network: nn.Module) -> None:
        """Have torch get ready what it gets ready at first use, which cannot be recorded."""
        here, stream = torch.cuda.current_stream(self._x.device), torch.cuda.Stream(self._x.device)
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            for _ in range(3):
                present = [tensor for tensor in network(self._x) if tensor is not None]
                self._differentiate(present, [torch.zeros_like(tensor) for tensor in present])
        here.wait_stream(stream)

    def _differentiate(self, outputs: list[Tensor], pulls: list[Tensor]) -> list[Tensor | None]:
        """Return the gradient of each parameter; None where a frozen backbone gets none."""
        gradients = torch.autograd.grad(outputs, self._parameters, pulls, allow_unused=True)
        return [
            g if g is None or g.stride() == p.stride() else torch.empty_like(p).copy_(g)
            for p, g in zip(self._parameters, gradients, strict=True)
        ]

    def is_of(self, network: Any) -> bool:
        """Whether the network learns what it learned then: a part may be frozen meanwhile."""
        return _modes(network) == self._modes

    def takes(self, x: Tensor) -> bool:
        """Whether a batch is like the one that was recorded."""
        return (x.shape, x.dtype) == self._batch

    def __call__(self, x: Tensor) -> Embedded:
        """Return the output for a batch; the backward pass sets the gradients."""
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


def _modes(network: Any) -> tuple[Any, ...]:
    """Return what of the network decides on its kernels, beside a batch."""
    learn = [parameter.requires_grad for parameter in network.parameters()]
    return network.backbone_frozen, learn, [module.training for module in network.modules()]


def is_recordable(network: nn.Module) -> bool:
    """Whether a network is made of torch's layers and this package's alone, without hooks."""
    return type(network) is EmbeddingNet and all(
        type(module).__module__.startswith(("torch.nn.", "skfer.")) and not _has_hooks(module)
        for module in network.modules()
    )


def _has_hooks(module: nn.Module) -> bool:
    kinds = ("forward", "forward_pre", "backward", "backward_pre")
    return any(len(getattr(module, f"_{kind}_hooks")) for kind in kinds)
