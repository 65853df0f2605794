"""Where a network runs, and in which arithmetic."""

from typing import Any

import torch

from skfer.training import multiplies_bfloat16


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
