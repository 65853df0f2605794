"""Checks of the shapes and the images that networks get."""

from numbers import Integral
from typing import Any

from torch import Tensor, nn

from skfer.exceptions import ArgumentError
from skfer.validation import refusal, shown

# As many channels as images have: gray, color, and color with transparency.
_CHANNELS = (1, 3, 4)


def check_input_shape(shape: Any, n_axes: int | None = None) -> tuple[int, ...]:
    """Return the shape of one input or of its features as a tuple of 3 numbers or 1."""
    lengths = (1, 3) if n_axes is None else (n_axes,)
    is_shape = isinstance(shape, tuple | list) and len(shape) in lengths
    if not is_shape or not all(_is_size(size) for size in shape):
        forms = {3: "(channels, height, width) of images", 1: "(n_features,) of rows"}
        expected = " or ".join(form for length, form in forms.items() if length in lengths)
        raise refusal("input_shape", "must be {}, got {}.", expected, shown(shape))
    if len(shape) == 3 and shape[2] in _CHANNELS and shape[0] not in _CHANNELS:
        first = (shape[2], *shape[:2])
        raise refusal(
            "input_shape", "must have the channels first: give {}, not {}.", first, tuple(shape)
        )
    return tuple(map(int, shape))


def check_feature_shape(shape: Any) -> tuple[int, ...]:
    """Return the shape of the features of one input, (channels, h, w) or (n_features,)."""
    is_shape = isinstance(shape, tuple | list) and len(shape) in (1, 3)
    if not is_shape or not all(_is_size(size) for size in shape):
        raise ArgumentError(
            "{feature_shape} must be (channels, h, w) of a map or (n_features,), got {}.",
            shown(shape),
        )
    return tuple(map(int, shape))


def check_module(module: Any, name: str) -> nn.Module:
    """Return a module."""
    if not isinstance(module, nn.Module):
        raise refusal(name, "must be a torch.nn.Module, got {}.", shown(module))
    return module


def check_inputs(x: Any) -> Tensor:
    """Return floating-point rows (n, n_features), or images."""
    if isinstance(x, Tensor) and x.ndim == 2 and x.is_floating_point():
        return x
    return check_images(x, "x", " or floating-point rows (n, n_features)")


def check_images(images: Any, name: str = "images", others: str = "") -> Tensor:
    """Return images (n, height, width) or (n, height, width, channels)."""
    if not isinstance(images, Tensor) or images.ndim not in (3, 4) or images.is_complex():
        raise refusal(
            name,
            "must be a tensor of images (n, height, width) or (n, height, width, channels){}, "
            "got {}.",
            *(others, _shown(images)),
        )
    if images.ndim == 4 and images.shape[1] in _CHANNELS and images.shape[3] not in _CHANNELS:
        raise refusal(
            name,
            "must have the channels last, but {} has them first: give {}.movedim(1, -1).",
            *(_shown(images), name),
        )
    return images


def check_standardized(images: Any) -> Tensor:
    """Return floating-point images (n, channels, height, width)."""
    fits = isinstance(images, Tensor) and images.ndim == 4 and images.is_floating_point()
    if not fits or 0 in images.shape[1:]:
        raise ArgumentError(
            "{images} must be a floating-point tensor of shape (n, channels, height, width), "
            "got {}.",
            _shown(images),
        )
    return images


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of {value.dtype} of shape {tuple(value.shape)}"
    return shown(value)


def _is_size(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1
