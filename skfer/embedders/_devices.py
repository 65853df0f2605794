"""Where a network runs, and in which arithmetic."""

from typing import Any

import torch

from skfer.exceptions import ArgumentError
from skfer.training import multiplies_bfloat16
from skfer.validation import refusal, shown


def find_device(name: str) -> torch.device:
    """Return the device that a ``device`` parameter stands for.

    Parameters
    ----------
    name : str
        "auto" is CUDA if available, and the CPU otherwise.

    Raises
    ------
    ArgumentError
        If torch does not know the device, or does not find it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = _known(name)
    if not _is_available(device):
        text = "{device=}, but torch finds no {}: use 'auto' or 'cpu'."
        raise ArgumentError(text, str(name).upper(), device=name)
    return device


def check_device(name: Any) -> None:
    """Raise ArgumentError for what names no device, whether or not it is there."""
    if not isinstance(name, str):
        raise refusal("device", "must be 'auto', 'cpu' or 'cuda', got {}.", shown(name))
    if name != "auto":
        _known(name)


def _known(name: Any) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError as error:
        text = "{device=} is not a device of torch: use 'auto', 'cpu' or 'cuda'."
        raise ArgumentError(text, device=name) from error


def _is_available(device: torch.device) -> bool:
    if device.type == "cpu":
        return True
    kind: Any = getattr(torch, device.type, None)
    if not hasattr(kind, "is_available") or not kind.is_available():
        return False
    return device.index is None or device.index < kind.device_count()


def find_precision(name: str, device: torch.device, fitted: str | None = None) -> str:
    """Return the arithmetic that a ``precision`` parameter stands for on a device.

    Parameters
    ----------
    name : str
        "auto" is bfloat16 on a GPU that multiplies it; a fitted model computes as it was fitted,
        but in float32 where the device does not multiply bfloat16.
    device : torch.device
        Where to compute.
    fitted : str, optional
        The arithmetic that the model was fitted in, if it is.
    """
    if name != "auto":
        return name
    wanted = fitted or ("bfloat16" if device.type == "cuda" else "float32")
    return wanted if multiplies_bfloat16(device) else "float32"
