"""What is recorded of a training's steps on a GPU."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules import module as of_all_modules

from skfer._asking import without_asking
from skfer.nets import Embedded
from skfer.training._graphs import TWICE
from skfer.training._modes import autocast


@dataclass(frozen=True)
class Part:
    """What is recorded of a step: the network alone, or with the objective and the optimizer.

    Parameters
    ----------
    network : EmbeddingNet
        The network.
    objective : Objective, optional
        Computes the loss.
    optimizer : torch.optim.AdamW, optional
        Takes the step; in its fused form.
    """

    network: Any
    objective: Any = None
    optimizer: Any = None

    def is_known(self) -> bool:
        """Return whether a whole step can be recorded, as far as is known.

        Nobody may watch the loss or the optimizer, whose fused form has all that it needs on the
        device.
        """
        optimizer = self.optimizer
        return (
            type(optimizer) is torch.optim.AdamW
            and all(group["fused"] for group in optimizer.param_groups)
            and not optimizer._optimizer_step_pre_hooks
            and not optimizer._optimizer_step_post_hooks
            and not any(map(n_hooks, self.objective.modules()))
            and self.objective.is_recordable(bounded=self._is_bounded())
        )

    def _is_bounded(self) -> bool:
        """Whether embeddings are standardized over their batch."""
        norm = getattr(self.network, "standardize", None)
        return isinstance(norm, nn.BatchNorm1d) and norm.training

    def parameters(self) -> list[nn.Parameter]:
        """Return those that learn."""
        return [p for root in self._roots() for p in root.parameters() if p.requires_grad]

    def buffers(self) -> list[Tensor]:
        """Return what a run may change."""
        return [buffer for root in self._roots() for buffer in root.buffers()]

    def modules(self) -> list[nn.Module]:
        """Return all modules, of the network and of the objective."""
        return [module for root in self._roots() for module in root.modules()]

    def _roots(self) -> list[nn.Module]:
        return [self.network] if self.objective is None else [self.network, self.objective]

    def made_of(self) -> list[Any]:
        """Return what decides on the kernels, beside a batch.

        These are the modules and their settings, such as a dropout's share, who watches them, where
        their parameters and buffers lie and which of them learn; and the optimizer's settings, but
        for the learning rate, and where its state lies.
        """
        modules = [
            (
                id(module),
                n_hooks(module),
                [v for v in vars(module).values() if isinstance(v, float | int | str)],
            )
            for module in self.modules()
        ]
        tensors = [t for root in self._roots() for t in (*root.parameters(), *root.buffers())]
        places = [(t.data_ptr(), t.shape, t.requires_grad, n_hooks_of_gradient(t)) for t in tensors]
        if self.optimizer is None:
            return [modules, places]
        groups = [
            {name: value for name, value in group.items() if name not in ("params", "lr")}
            for group in self.optimizer.param_groups
        ]
        states = [[t.data_ptr() for t in state.values()] for state in self.optimizer.state.values()]
        return [modules, places, groups, states]


class _Replay(ABC):
    """The kernels of a part of a step, for batches like one of them.

    Parameters
    ----------
    part : Part
        Its network in training mode.
    inputs : tuple of Tensor
        Those of a batch on the device.
    precision : {"float32", "bfloat16"}
        Arithmetic of the layers.
    """

    _gradients: list[Tensor | None]

    def __init__(self, part: Part, inputs: tuple[Tensor, ...], precision: str) -> None:
        self._batch = _shapes(inputs)
        self._part, self._precision = part, precision
        self._inputs = tuple(tensor.clone() for tensor in inputs)
        self._parameters = part.parameters()
        device = inputs[0].device
        here, stream = torch.cuda.current_stream(device), torch.cuda.Stream(device)
        stream.wait_stream(here)
        # Another thread may get pictures ready meanwhile.
        how = {"stream": stream, "capture_error_mode": "thread_local"}
        try:
            # Entered here, too: where a recording fails, torch leaves its stream the present one.
            with torch.cuda.device(device), torch.cuda.stream(stream):
                for _ in range(3):
                    self._warm_up()
                self._record(how)
        finally:
            here.wait_stream(stream)
        # Memory of modules that the kernels use, such as the augmentation's grid: a batch of
        # another shape replaces it.
        self._used = [vars(module).get("_cache") for module in part.modules()]
        self._made_of = part.made_of()

    @abstractmethod
    def _warm_up(self) -> None:
        """Have torch get ready what it gets ready at first use, which cannot be recorded."""

    @abstractmethod
    def _record(self, how: dict[str, Any]) -> None:
        """Record; the keyword arguments are those of torch.cuda.graph."""

    def _run_network(self) -> Embedded:
        with autocast(self._inputs[0].device, self._precision):
            return self._part.network(self._inputs[0])

    def _differentiate(self, outputs: list[Tensor], pulls: list[Tensor]) -> list[Tensor | None]:
        """Return the gradient of each parameter; None where a frozen backbone gets none."""
        gradients = torch.autograd.grad(outputs, self._parameters, pulls, allow_unused=True)
        return [
            g if g is None or g.stride() == p.stride() else torch.empty_like(p).copy_(g)
            for p, g in zip(self._parameters, gradients, strict=True)
        ]

    def is_of(self, part: Part, inputs: tuple[Tensor, ...], looks: bool) -> bool:
        """Whether it is of a part, or one for batches of another shape; if it looks, unchanged."""
        mine = self._part
        same = part.objective is mine.objective and part.optimizer is mine.optimizer
        other_batch = part.objective is None or _shapes(inputs[:1]) != self._batch[:1]
        return (
            part.network is mine.network
            and (same or other_batch)
            and (not looks or mine.made_of() == self._made_of)
        )

    @property
    def is_whole(self) -> bool:
        """Whether it is of whole steps."""
        return self._part.objective is not None

    def takes(self, inputs: tuple[Tensor, ...]) -> bool:
        """Whether the inputs are like those that were recorded."""
        return _shapes(inputs) == self._batch

    def _take(self, inputs: tuple[Tensor, ...]) -> None:
        for mine, tensor in zip(self._inputs, inputs, strict=True):
            mine.copy_(tensor)

    def _show_gradients(self) -> None:
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient

    def drop_gradients(self) -> None:
        """Take the gradients from the parameters."""
        for parameter in self._parameters:
            parameter.grad = None


def _shapes(inputs: tuple[Tensor, ...]) -> list[Any]:
    return [(tensor.shape, tensor.dtype) for tensor in inputs]


class NetworkReplay(_Replay):
    """The forward and the backward pass of a network."""

    def _warm_up(self) -> None:
        present = [tensor for tensor in self._run_network() if tensor is not None]
        self._differentiate(present, [torch.zeros_like(tensor) for tensor in present])

    def _record(self, how: dict[str, Any]) -> None:
        x = self._inputs[0]
        self._anchor = x.new_empty(0, dtype=torch.float32, requires_grad=True)
        self._forward, self._backward = torch.cuda.CUDAGraph(), torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._forward, **how):
            output = self._run_network()
        present = [tensor for tensor in output if tensor is not None]
        self._pulls = [torch.empty_like(tensor) for tensor in present]
        with torch.cuda.graph(self._backward, self._forward.pool(), **how):
            self._gradients = self._differentiate(present, self._pulls)
        # Without what autograd knows: its nodes belong to the stream that they were recorded on.
        self._present = [tensor.detach() for tensor in present]
        self._is_there = [tensor is not None for tensor in output]

    def __call__(self, x: Tensor) -> Embedded:
        """Return the output for a batch; the backward pass sets the gradients, and adds nothing."""
        self._take((x,))
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
        self._show_gradients()


class _Replayed(torch.autograd.Function):
    """Stands for the network in what autograd knows of a step."""

    @staticmethod
    def forward(ctx: Any, anchor: Tensor, replay: NetworkReplay) -> tuple[Tensor, ...]:
        ctx.replay = replay
        return replay.forward()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *pulls: Tensor) -> tuple[None, None]:
        replay, ctx.replay = ctx.replay, None
        if replay is None:  # it would go through the latest batch in the place of an earlier one
            raise RuntimeError(f"{TWICE}, in a recording.")
        replay.backward(pulls)
        return None, None


class StepReplay(_Replay):
    """A whole step: network, objective, gradients and what the optimizer makes of them."""

    def _compute(self) -> tuple[Embedded, Tensor, dict[str, Tensor], list[Tensor | None]]:
        output, objective = self._run_network(), self._part.objective
        with without_asking():
            loss = objective(output, self._inputs[1])
            stats = dict(objective.stats)
            return output, loss, stats, self._differentiate([loss], [torch.ones_like(loss)])

    def _warm_up(self) -> None:
        gradients = self._compute()[-1]
        learning = [p for p, g in zip(self._parameters, gradients, strict=True) if g is not None]
        _make_states(self._part.optimizer, learning)

    def _record(self, how: dict[str, Any]) -> None:
        device, groups = self._inputs[0].device, self._part.optimizer.param_groups
        self._lr = [torch.zeros((), device=device) for _ in groups]
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, **how):
            output, loss, self._stats, self._gradients = self._compute()
            settings = [{"lr": lr, "capturable": True} for lr in self._lr]
            with _given(self._part.optimizer, self._parameters, self._gradients, settings):
                self._part.optimizer.step()
        # Without what autograd knows, which the next recording could not do with.
        self._output = Embedded._make(None if t is None else t.detach() for t in output)
        self._loss = loss.detach()
        self._part.objective.stats = {}

    def __call__(self, x: Tensor, labels: Tensor) -> tuple[Embedded, Tensor, dict[str, Tensor]]:
        """Take a step; the next one overwrites the output that is returned, but not the loss."""
        self._take((x, labels))
        for mine, group in zip(self._lr, self._part.optimizer.param_groups, strict=True):
            mine.fill_(group["lr"])
        self._graph.replay()
        self._show_gradients()
        stats = {name: value.clone() for name, value in self._stats.items()}
        self._part.objective.stats = stats
        return self._output, self._loss.clone(), stats


@contextmanager
def _given(
    optimizer: Any,
    parameters: list[nn.Parameter],
    gradients: list[Tensor | None],
    settings: list[dict[str, Any]],
) -> Iterator[None]:
    """Give parameters gradients and the optimizer's groups other settings, inside a block."""
    before = [dict(group) for group in optimizer.param_groups]
    others = [p for group in optimizer.param_groups for p in group["params"]]
    had = [(parameter, parameter.grad) for parameter in others]
    try:
        for parameter, _ in had:
            parameter.grad = None
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        for group, other in zip(optimizer.param_groups, settings, strict=True):
            group.update(other)
        yield
    finally:
        for group, settings_before in zip(optimizer.param_groups, before, strict=True):
            group.update(settings_before)
        for parameter, gradient in had:
            parameter.grad = gradient


def _make_states(optimizer: Any, parameters: list[nn.Parameter]) -> None:
    """Make the state of an optimizer for parameters that have none yet; none of them moves."""
    new = [parameter for parameter in parameters if not optimizer.state.get(parameter)]
    zeros: list[Tensor | None] = [torch.zeros_like(parameter) for parameter in new]
    with _given(optimizer, new, zeros, [{"lr": 0.0} for _ in optimizer.param_groups]):
        optimizer.step()
    for parameter in new:
        optimizer.state[parameter]["step"].zero_()


_KINDS = ("forward", "forward_pre", "backward", "backward_pre")


def n_hooks(module: nn.Module) -> int:
    """Return how many hooks a module has."""
    return sum(len(getattr(module, f"_{kind}_hooks")) for kind in _KINDS)


def n_hooks_of_all() -> int:
    """Return how many hooks there are for all modules; torch before 2.8 has no function for it."""
    return sum(len(getattr(of_all_modules, f"_global_{kind}_hooks")) for kind in _KINDS)


def n_hooks_of_gradient(tensor: Tensor) -> int:
    """Return how many hooks a parameter has."""
    kinds = ("_backward_hooks", "_post_accumulate_grad_hooks")
    return sum(len(getattr(tensor, kind, None) or ()) for kind in kinds)
