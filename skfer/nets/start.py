"""The start: a backbone that has learned from drawn faces, and its file of weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from skfer._replacing import replaced
from skfer.exceptions import shorten
from skfer.nets._own_draws import OwnDraws
from skfer.nets.backbones import MIN_IMAGE_SIDE, CompactResNet
from skfer.validation import check_flag, check_int, refusal, shown

WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the files that come with the package; a model card lies beside each."""
START_FILE = WEIGHTS / "face_start.safetensors"
"""Weights that have seen drawn faces alone."""
LARGE_START_FILE = WEIGHTS / "face_start_large.safetensors"
"""The same for a network of four times as many weights."""

_LUMINANCE = (0.299, 0.587, 0.114)


class FaceBackbone(nn.Module):
    """A compact residual network for images of any size, at one working resolution.

    An image is resampled, antialiased, until its shorter side has `image_size` pixels, and brought
    to mean 0 and standard deviation 1; a :class:`CompactResNet` follows. So an image of 224 pixels
    is seen as one of `image_size` pixels is, and one smaller than that is enlarged: the same
    weights serve all sizes.

    Parameters
    ----------
    in_channels : int, default=1
        Channels of the images.
    image_size : int, default=48
        Shorter side, in pixels, that the network works at.
    width : int, default=16
        Width of the :class:`CompactResNet`.

    See Also
    --------
    face_backbone : This network with the weights that come with the package.

    Examples
    --------
    >>> import torch
    >>> from skfer.nets import FaceBackbone
    >>> FaceBackbone()(torch.zeros(2, 1, 96, 128)).shape
    torch.Size([2, 56, 6, 8])
    """

    def __init__(self, in_channels: int = 1, *, image_size: int = 48, width: int = 16) -> None:
        super().__init__()
        self.in_channels = in_channels = check_int(in_channels, "in_channels", at_least=1)
        self.image_size = check_int(image_size, "image_size", at_least=MIN_IMAGE_SIDE)
        self.width = check_int(width, "width", at_least=1)
        self.layers = CompactResNet((in_channels, image_size, image_size), width).layers

    def forward(self, x: Tensor) -> Tensor:
        """Map images (n, in_channels, height, width) to a feature map (n, 3.5 width, h, w)."""
        return self.layers(_standardize(_resample(x, self.image_size)))


def _resample(x: Tensor, size: int) -> Tensor:
    """Bring the shorter side to ``size`` pixels; the aspect stays."""
    height, width = x.shape[2:]
    shorter = min(height, width)
    if shorter == size:
        return x
    sides = (round(height * size / shorter), round(width * size / shorter))
    return F.interpolate(x, sides, mode="bilinear", antialias=True, align_corners=False)


def _standardize(x: Tensor) -> Tensor:
    flat = x.flatten(1)
    std, mean = torch.std_mean(flat, 1, correction=0)
    return (x - mean[:, None, None, None]) / std.clamp_min(1e-6)[:, None, None, None]


def face_backbone(
    in_channels: int = 1, *, large: bool = False, weights: str | Path | None = None
) -> FaceBackbone:
    """Return a backbone that has learned expressions from drawn faces: a start for a fit.

    The weights come with the package and have never seen a person: they were learned, by
    ``python -m skfer.pretraining``, from drawn faces alone. Any embedder takes the module as its
    ``backbone``. It works at 48 pixels whatever the size of the images.

    Parameters
    ----------
    in_channels : int, default=1
        Channels of the images: the weights of the first layer, learned on gray images, are spread
        over them; over three as red, green and blue make luminance, otherwise evenly.
    large : bool, default=False
        Whether to take the larger of both networks: of twice the width, four times the weights,
        and a little more than twice the time.
    weights : path-like, default=None
        Another file that ``python -m skfer.pretraining`` wrote; by default one of those that come
        with the package.

    Returns
    -------
    FaceBackbone
        A new module on the CPU, in training mode, owned by the caller.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArgumentError
        If `in_channels` is below 1, `large` is given beside `weights`, or the file does not hold
        such weights.

    See Also
    --------
    expression_network : A classifier that is ready.
    skfer.pretraining.make_start : Makes the weights.

    Examples
    --------
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.nets import face_backbone
    >>> embedder = CrossEntropyEmbedder(backbone=face_backbone())
    """
    if check_flag(large, "large") and weights is not None:
        raise refusal("large", "must be left out where `weights` names a file, got {}.", large)
    with OwnDraws():  # what is drawn is overwritten
        return read_backbone(in_channels, large=large, weights=weights)


def read_backbone(
    in_channels: int = 1, *, large: bool = False, weights: str | Path | None = None
) -> FaceBackbone:
    """Return what :func:`face_backbone` does; torch's generator goes on by what a net draws.

    So it is within a seeded training, whose later draws depend on it.
    """
    check_int(in_channels, "in_channels", at_least=1)
    shipped = LARGE_START_FILE if large else START_FILE
    tensors, about = load_start(shipped if weights is None else weights)
    layers = {
        name.removeprefix("backbone."): value
        for name, value in tensors.items()
        if name.startswith("backbone.")
    }
    try:
        # Whatever device or type the caller has made torch's default.
        with torch.device("cpu"):
            layers["layers.0.weight"] = _spread(layers["layers.0.weight"], in_channels)
            sizes = {"image_size": about["image_size"], "width": about["width"]}
            backbone = FaceBackbone(in_channels, **sizes).float()
        backbone.load_state_dict(layers)
    except (KeyError, RuntimeError, ValueError, TypeError) as error:
        raise refusal(
            "weights",
            "must name a file that python -m skfer.pretraining wrote, and {} does not hold the "
            "weights of such a backbone: {}.",
            shown(str(shipped if weights is None else weights)),
            shorten(str(error)),
        ) from error
    return backbone


def _spread(gray: Tensor, channels: int) -> Tensor:
    """Make the first convolution of gray images answer alike to images of more channels."""
    shares = _LUMINANCE if channels == 3 else [1 / channels] * channels
    return gray * gray.new_tensor(shares)[None, :, None, None]


def load_start(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file of weights.

    Parameters
    ----------
    path : path-like
        A file that :func:`save_start` wrote.

    Returns
    -------
    tensors : dict of str to Tensor
        Weights by name, float32, on the CPU.
    about : dict
        What was saved with them: at least "image_size" and "width".

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ArgumentError
        If it is no file of such weights.

    See Also
    --------
    save_start : Writes such a file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from skfer.nets import load_start, save_start
    >>> path = Path(tempfile.mkdtemp()) / "start.safetensors"
    >>> save_start(path, {"backbone.w": torch.ones(2)}, {"image_size": 48, "width": 16})
    >>> tensors, about = load_start(path)
    >>> tensors["backbone.w"]
    tensor([1., 1.])
    """
    if not isinstance(path, str | Path):
        raise refusal("weights", "must be a path, got {}.", shown(path))
    if not Path(path).is_file():
        raise FileNotFoundError(f"weights={str(path)!r} is not a file.")
    try:
        # An older safetensors heeds what the caller has made torch's default.
        with torch.device("cpu"), safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {})["skfer"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:
        raise refusal(
            "weights",
            "must be a file that `python -m skfer.pretraining` wrote; {} is none ({}).",
            shown(str(path)),
            shorten(f"{type(error).__name__}: {error}"),
        ) from error
    return {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}, about


def save_start(path: str | Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write weights to a file, in 16 bits; an interrupted write leaves no half file.

    Parameters
    ----------
    path : path-like
        Where to.
    tensors : mapping of str to Tensor
        Weights by name; those of the backbone begin with "backbone.".
    about : mapping
        What JSON can hold: at least "image_size" and "width".

    Raises
    ------
    ArgumentError
        If a weight is not finite in 16 bits.

    See Also
    --------
    load_start : Reads it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from skfer.nets import load_start, save_start
    >>> path = Path(tempfile.mkdtemp()) / "start.safetensors"
    >>> save_start(path, {"backbone.w": torch.ones(2)}, {"image_size": 48, "width": 16})
    >>> load_start(path)[1]["width"]
    16
    """
    path = Path(path)
    halves = {
        name: value.half().contiguous() if value.is_floating_point() else value
        for name, value in tensors.items()
    }
    for name, value in halves.items():
        if not bool(value.isfinite().all()):
            raise refusal(
                "tensors",
                "must be finite in 16 bits, whose largest number is 65,504; {} is not.",
                shown(name),
            )
    with replaced(path) as unfinished:
        unfinished.write_bytes(save(halves, {"skfer": json.dumps(dict(about), sort_keys=True)}))
