"""Keeps losses finite for embeddings whose squares are not."""

import math
from typing import Any

import torch
from torch import Tensor

from skfer._asking import may_ask


def safe_factor(*tensors: Tensor, width: float = 1.0) -> float:
    """Return by what to multiply tensors of one dtype, so that their squares stay finite.

    It is 1 for ordinary magnitudes. Otherwise it is the power of two that brings the largest
    magnitude to about 1.

    Parameters
    ----------
    *tensors : Tensor
        What is squared.
    width : float, default=1.0
        Distances may be divided by this length before they are squared.
    """
    return safe_unit(*tensors, width=width)[0]


def safe_unit(*tensors: Tensor, width: float = 1.0) -> tuple[float, float]:
    """Return what `safe_factor` does, and the largest magnitude after that.

    Where it may not be asked for, it counts as infinite.
    """
    limits = torch.finfo(tensors[0].dtype)
    is_wide = width > limits.tiny**0.125
    if not may_ask():
        if not is_wide:
            raise RuntimeError("what is divided by so short a length has to be looked at.")
        return 1.0, math.inf
    # One number, since each that a GPU is asked for makes it wait.
    largest = float(torch.stack([tensor.detach().abs().amax() for tensor in tensors]).max())
    ordinary = largest < limits.max**0.25 and is_wide
    if ordinary or not math.isfinite(largest):
        return 1.0, largest
    widest = -math.frexp(limits.tiny)[1]
    factor = 2.0 ** -min(max(math.frexp(largest)[1], -widest), widest)
    return factor, largest * factor


class Saturate(torch.autograd.Function):
    """Clamp values, and their gradients, to a limit.

    Where a value is beyond the limit its gradient passes as if it were not, so that it still tells
    the direction.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, limit: float) -> Tensor:
        ctx.limit = limit
        return values.clamp(-limit, limit)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return Saturate.apply(grad, ctx.limit), None
