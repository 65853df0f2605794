"""What a loss of a user must not do, found out where it is called."""

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor, nn

from skfer.exceptions import ArgumentError

VARIABLE = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
CLASSES = ("n_classes", "num_classes")
LENGTHS = ("embedding_dim", "embedding_size", "descriptors_dim", "n_features")
"""Parameters of a loss that ``fit`` knows the values of: the number of classes, and the length of
an embedding."""
_MINED = {"indices_tuple", "triplets"}
_SIZES = (
    " A loss that was made for other numbers of classes or coordinates fails so: give its class, "
    "with {loss_params}, and fit makes it for these."
)
MAKER = (
    " A function that makes a loss has parameters named n_classes or num_classes, or "
    "embedding_dim or embedding_size; a loss that needs neither is given itself."
)


def hint_of(loss: Any, error: Exception, *, is_made: bool) -> str:
    """Return what may be wrong about a loss whose call failed.

    Parameters
    ----------
    loss : callable
        What was called.
    error : Exception
        What its call raised.
    is_made : bool
        Whether ``fit`` has made it, and knows the sizes better.
    """
    if is_made:
        return ""
    if isinstance(loss, nn.Module):
        return _SIZES
    # Embeddings instead of a number of classes are refused by torch so, and by losses of skfer.
    refused = error.arguments[:1] if isinstance(error, ArgumentError) else ()
    is_of_size = not {*refused}.isdisjoint(CLASSES + LENGTHS)
    return MAKER if isinstance(error, TypeError) or is_of_size else ""


def check_number(loss: Any) -> None:
    """Raise if what a loss returned is not one real number."""
    if not isinstance(loss, Tensor) or loss.ndim or loss.is_complex():
        got = type(loss).__name__
        if isinstance(loss, Tensor):
            got = f"{loss.dtype}" if loss.is_complex() else f"{tuple(loss.shape)}"
        hint = MAKER if callable(loss) else ""
        raise ArgumentError("{loss} must return a tensor with one number, got {}." + hint, got)


def check_call(
    parameters: Mapping[str, inspect.Parameter],
    more: Collection[str],
    error: TypeError,
    hint: str,
) -> None:
    """Raise if a loss needs more than it was called with, such as a triplet of tensors.

    Parameters
    ----------
    parameters : mapping of str to Parameter
        Those of the loss.
    more : collection of str
        What it got beside embeddings and labels.
    error : TypeError
        Of the call.
    hint : str
        What else may be wrong.
    """
    needed = [n for n, p in parameters.items() if p.default is p.empty and p.kind not in VARIABLE]
    missing = [name for name in needed if name not in more][2:]
    if not missing:
        return
    if _MINED.issuperset(missing):
        raise ArgumentError(
            "{loss} needs {}, which a {miner} finds: give one.", missing[0]
        ) from error
    raise ArgumentError(
        "{loss} is called as (embeddings, labels), and needs ({}): give a function or a module "
        "that is called so and calls it. The guide page 'Any loss' has one of three lines, for a "
        "loss of triplets and a {miner}." + (hint if hint == MAKER else ""),
        ", ".join(needed),
    ) from error


def versions(*tensors: Tensor) -> list[int]:
    """Return how often each tensor was changed in place."""
    return [0 if tensor.is_inference() else tensor._version for tensor in tensors]


def check_unchanged_by_loss(before: list[int], *tensors: Tensor) -> None:
    """Raise if a loss has changed what it was called with, since the classifier sees it too."""
    if versions(*tensors) != before:
        raise ArgumentError(
            "{loss} must leave the embeddings and labels that it is called with as they are, and "
            "has changed them in place: take operations whose names do not end in _, or a clone()."
        )


def check_all_trained(
    loss: Tensor, embeddings: Tensor, start: Any, trained: Collection[Tensor]
) -> None:
    """Raise if a loss has a gradient with respect to tensors that nothing trains.

    Parameters
    ----------
    loss : Tensor
        Of a batch.
    embeddings : Tensor
        Of the batch.
    start : object
        The ``grad_fn`` of the embeddings before the loss was called.
    trained : collection of Tensor
        The parameters that there were before.
    """
    passed, known = {start}, {id(embeddings), *map(id, trained)}
    left = [loss.grad_fn]
    while left:
        node: Any = left.pop()
        if node is None or node in passed:
            continue
        passed.add(node)
        left += [before for before, _ in node.next_functions]
        if type(node).__name__ == "AccumulateGrad" and id(node.variable) not in known:
            raise ArgumentError(
                "{loss} learns a tensor of shape {} that is not among its parameters when the "
                "training begins, so that nothing would train it: make it an nn.Parameter of an "
                "nn.Module in its __init__ and give this module or its class, or, if it is not to "
                "be learned, detach() it.",
                tuple(node.variable.shape),
            )
