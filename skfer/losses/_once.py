"""Refuses a second derivative of what is differentiated by hand."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch


def differentiable_once(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Make the backward of a `torch.autograd.Function` fail where its gradient would be tracked.

    torch's ``once_differentiable`` lets a gradient pass that does not depend on the incoming one,
    and what is computed from it has a derivative of 0 then, silently.

    Parameters
    ----------
    backward : callable
        Its gradients hold numbers that autograd has not seen being computed.
    """

    @wraps(backward)
    def once(ctx: Any, *grads: Any) -> Any:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the gradient of this loss can be taken once, not twice: leave out "
                "create_graph=True, or take the loss out of what is differentiated twice."
            )
        return backward(ctx, *grads)

    return once
