"""Where a network runs, and in which arithmetic."""

from typing import Any

import torch


def find_device(name: str) -> torch.device:
    """Return the device that a ``device`` parameter stands for.

    Parameters
    ----------
    name : str
        "auto" is CUDA if available, and the CPU otherwise.

    Raises
    ------
    ValueError
        If torch does not know the device, or does not find it.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(
            f"device={name!r} is not a device of torch: use 'auto', 'cpu' or 'cuda'."
        ) from error
    if not _is_available(device):
        raise ValueError(
            f"device={name!r}, but torch finds no {name.upper()}: use 'auto' or 'cpu'."
        )
    return device


def _is_available(device: torch.device) -> bool:
    if device.type == "cpu":
        return True
    kind: Any = getattr(torch, device.type, None)
    # torch.mps itself answers from torch 2.6 on only.
    asked = torch.backends.mps if device.type == "mps" else kind
    if not hasattr(asked, "is_available") or not asked.is_available():
        return False
    return device.index is None or device.index < kind.device_count()


def find_precision(name: str, device: torch.device) -> str:
    """Return the arithmetic that a ``precision`` parameter stands for on a device."""
    if name != "auto":
        return name
    return "bfloat16" if device.type == "cuda" else "float32"
