"""What a loss or a network keeps from batch to batch must not hold on to how it was computed."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

from skfer.exceptions import ArgumentError

TWICE = "Trying to backward through the graph a second time"
"""How torch begins to say that a gradient goes through a batch that is over."""


@contextmanager
def told_of_earlier_batches(*parts: nn.Module) -> Iterator[None]:
    """Say, around a step, which tensor leads back to an earlier batch.

    torch says that it is gone through a second time, and advises to keep the memory of it, by which
    each step would go through all before it.

    Parameters
    ----------
    *parts : nn.Module
        What the step is of.
    """
    try:
        yield
    except RuntimeError as error:
        if TWICE not in str(error):
            raise
        found = sorted({name for part in parts for name in _names_of_computed(part)})
        if not found:
            raise ArgumentError(
                "The loss, or the network, goes twice through what was computed once: detach() "
                "what is kept from batch to batch, and give retain_graph=True to a "
                "torch.autograd.grad of its own."
            ) from error
        raise ArgumentError(
            "{} holds a tensor of an earlier batch with its gradient: detach() what is kept from "
            "batch to batch, as in self.mean = mean.detach().",
            " and ".join(found),
        ) from error


def _names_of_computed(part: nn.Module) -> Iterator[str]:
    """Yield the names of buffers and attributes that know how they were computed."""
    for module in part.modules():
        for name, value in (*module._buffers.items(), *vars(module).items()):
            if isinstance(value, Tensor) and value.grad_fn is not None:
                yield f"{type(module).__name__}.{name}"
