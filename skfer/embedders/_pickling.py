"""What a pickled embedder holds."""

from typing import Any

from torch import Tensor, nn

from skfer.training import on_cpu


def portable(value: Any, copies: dict[int, Any] | None = None) -> Any:
    """Return a value for a pickle that loads on any machine.

    Modules and tensors in it, or in its dicts, lists and tuples, are copied to the CPU; a module
    that occurs twice is one module in the copy too. All else is as it is.
    """
    copies = {} if copies is None else copies
    if isinstance(value, nn.Module | Tensor):
        if id(value) not in copies:
            copies[id(value)] = on_cpu(value) if isinstance(value, nn.Module) else value.cpu()
        return copies[id(value)]
    if type(value) is dict:
        return {name: portable(item, copies) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(portable(item, copies) for item in value)
    return value
