"""Backbones of timm, and weights for them."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from skfer.exceptions import ArgumentError, install_hint, shorten
from skfer.nets._checks import check_input_shape
from skfer.nets.weight_files import read_weights
from skfer.validation import shown

# Parts of names under which programs save a backbone, such as "state_dict.module.encoder.".
_WRAPPERS = {
    "_orig_mod",
    "backbone",
    "base_model",
    "encoder",
    "encoder_q",
    "model",
    "model_ema",
    "model_state_dict",
    "module",
    "net",
    "network",
    "state_dict",
    "state_dict_ema",
    "trunk",
    "weights",
}
_CLASSIFIERS = {"classifier", "fc", "head", "head_dist", "last_linear", "logits"}


class TimmBackbone(nn.Module):
    """Any backbone of timm by name, without its classifier.

    Parameters
    ----------
    name : str
        A name that ``timm.list_models()`` knows.
    input_shape : tuple of int
        (channels, height, width) of the images.
    weights : path-like, default=None
        A local file of weights, written by safetensors or by ``torch.save``; it is read as data,
        so that no code in it runs. Without it the network starts from random weights; nothing is
        ever downloaded. For gray images the filters of a color network are summed over its
        channels; a network that is laid out for one size of images is laid out for these, and its
        positions are resized.
    rename : mapping of str to (str or None), default=None
        New prefixes for the names of tensors in the file: ``{"teacher.": ""}`` removes one, and
        None instead of a new prefix leaves the tensors out. A tensor in a dict of the file has the
        name of the dict as its prefix. Usual prefixes ("state_dict.", "model.", "module.", "net.",
        "backbone.", "encoder.", and combinations of them) are found without it.

    Raises
    ------
    ImportError
        If timm is not installed, or cannot be imported.
    FileNotFoundError
        If the file does not exist.
    ValueError
        If timm does not know the name; if the file is no file of weights; or if its tensors are not
        those of the network. Only those of a classifier may be left over, and, where the backbone
        has a prefix of its own, those that are not under it.

    See Also
    --------
    make_backbone : Makes it from "timm/NAME".

    Examples
    --------
    An embedder takes a function of the shape of the images:

    >>> from functools import partial
    >>> from skfer import CrossEntropyEmbedder
    >>> from skfer.nets import TimmBackbone
    >>> rename = {"teacher.": "", "student.": None}
    >>> backbone = partial(TimmBackbone, "resnet18", weights="pair.pth", rename=rename)
    >>> embedder = CrossEntropyEmbedder(backbone=backbone)
    """

    def __init__(
        self,
        name: str,
        input_shape: tuple[int, int, int],
        weights: str | Path | None = None,
        rename: Mapping[str, str | None] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(name, str):
            raise ArgumentError("{name} must be a name of timm, got {}.", shown(name))
        channels, *sides = check_input_shape(input_shape, n_axes=3)
        rename = _check_rename(rename)
        timm = _import_timm(name)
        if not timm.is_model(name):
            raise ArgumentError(
                "{backbone=} is unknown to timm; timm.list_models() lists the names.",
                backbone=f"timm/{name}",
            )
        tensors = None if weights is None else _renamed(read_weights(weights), rename)
        # Transformers, mostly, are laid out for one size of images.
        fixed = timm.get_pretrained_cfg_value(name, "fixed_input_size")
        size = {"img_size": tuple(sides)} if fixed else {}
        self.model = timm.create_model(
            name, pretrained=False, in_chans=channels, num_classes=0, **size
        )
        if tensors is not None:
            classifier = timm.get_pretrained_cfg_value(name, "classifier") or ()
            names = (classifier,) if isinstance(classifier, str) else classifier
            _load(self.model, tensors, {*names, *_CLASSIFIERS}, str(weights))

    def forward(self, x: Tensor) -> Tensor:
        """Map images to a feature map (n, c, h, w), or to rows where the network has no map."""
        features = self.model.forward_features(x)
        if features.ndim == 4:
            channels_last = features.shape[1] != self.model.num_features
            return features.permute(0, 3, 1, 2) if channels_last else features
        return self.model.forward_head(features, pre_logits=True)


def _import_timm(name: str) -> Any:
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f"backbone='timm/{name}' needs timm: {install_hint('vision', 'timm')}."
        ) from error
    except Exception as error:
        # A torchvision that is made for another torch raises all kinds of exceptions.
        raise ImportError(
            f"backbone='timm/{name}' needs timm, which is installed but fails ({error}): install "
            "a torchvision that goes with this torch."
        ) from error
    return timm


@dataclass(frozen=True)
class _Fit:
    """How tensors fit a network."""

    tensors: dict[str, Tensor]
    missing: list[str]
    left_over: list[str]
    misshapen: list[str]

    @property
    def n_faults(self) -> int:
        return len(self.missing) + len(self.left_over) + len(self.misshapen)


def _load(model: nn.Module, tensors: dict[str, Tensor], classifiers: set[str], path: str) -> None:
    """Load tensors into a network; all of them, but for those of a classifier."""
    fits = [_fit(model, part, classifiers) for part in _candidates(tensors)]
    best = min(fits, key=lambda fit: fit.n_faults)
    if best.n_faults:
        raise ArgumentError(
            "{backbone_weights=} does not fit this network: {}. If the names alone differ, give "
            "skfer.nets.TimmBackbone a mapping, rename.",
            _describe(model, tensors, best),
            backbone_weights=path,
        )
    model.load_state_dict({name: best.tensors[name] for name in best.tensors}, strict=False)


def _candidates(tensors: dict[str, Tensor]) -> Iterator[dict[str, Tensor]]:
    """Yield all tensors, and those under each usual prefix without it."""
    yield tensors
    prefixes: dict[str, None] = {}
    for name in tensors:
        parts = name.split(".")[:-1]
        for n_parts, part in enumerate(parts, 1):
            if part not in _WRAPPERS:
                break
            prefixes[".".join(parts[:n_parts]) + "."] = None
    # If several fit equally well the first is taken: averaged weights come first.
    for prefix in sorted(prefixes, key=lambda prefix: "_ema." not in prefix):
        yield {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _fit(model: nn.Module, tensors: dict[str, Tensor], classifiers: set[str]) -> _Fit:
    own = model.state_dict()
    try:
        tensors = _adapted(tensors, model)
    except Exception:
        # A network's own function may fail on the names of another network.
        tensors = dict(tensors)
    missing = [name for name in own if name not in tensors]
    left_over = [
        name
        for name in tensors
        if name not in own
        and not any(name.startswith(f"{part}.") for part in classifiers)
        and not name.lower().startswith("aux")
    ]
    misshapen = [k for k, v in own.items() if k in tensors and tensors[k].shape != v.shape]
    # Old files have no such counts, and torch does without them.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    return _Fit({k: tensors[k] for k in own if k in tensors}, missing, left_over, misshapen)


def _adapted(tensors: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Adapt weights of color images to gray ones, and those of one image size to another one.

    A gray image is a color image of three equal channels: filters are summed over them.
    """
    tensors = dict(tensors)
    for name, value in model.state_dict().items():
        given = tensors.get(name)
        if given is None or value.ndim != 4 or value.shape[1] != 1:
            continue
        if given.shape == (value.shape[0], 3, *value.shape[2:]):
            tensors[name] = given.sum(1, keepdim=True)
    # timm has this one, if any, beside the model: it resizes what stands for positions.
    adapt = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    return tensors if adapt is None else adapt(tensors, model)


def _describe(model: nn.Module, tensors: dict[str, Tensor], fit: _Fit) -> str:
    """Say what a file has, and what of it does not fit."""
    own = model.state_dict()
    faults = []
    if fit.missing:
        faults.append(f"it lacks {_some(fit.missing)} of the network's {len(own)} tensors")
    if fit.left_over:
        faults.append(f"it has {_some(fit.left_over)} that the network has not")
    if fit.misshapen:
        name = fit.misshapen[0]
        shapes = [str(tuple(part[name].shape)) for part in (fit.tensors, own)]
        faults.append(f"{name!r} is of shape {shapes[0]}, not {shapes[1]}")
    held = shorten(", ".join(tensors), 100)
    return f"{'; '.join(faults)}. It holds {len(tensors)} tensors ({held})"


def _some(names: list[str]) -> str:
    return f"{len(names)} (such as {shorten(names[0], 60)!r})"


def _check_rename(rename: Any) -> Mapping[str, str | None]:
    if rename is None:
        return {}
    if isinstance(rename, Mapping):
        new = [value for value in rename.values() if value is not None]
        if all(isinstance(prefix, str) for prefix in (*rename, *new)):
            return rename
    raise ArgumentError(
        "{rename} must map prefixes to prefixes or None, such as {}, got {}.",
        {"module.": "", "queue": None},
        shown(rename),
    )


def _renamed(tensors: dict[str, Tensor], rename: Mapping[str, str | None]) -> dict[str, Tensor]:
    renamed = {}
    for name, tensor in tensors.items():
        old = max((old for old in rename if name.startswith(old)), key=len, default="")
        new = rename.get(old, old)
        if new is None:
            continue
        name = new + name.removeprefix(old)
        if name in renamed:
            raise ArgumentError(
                "{rename=} gives two tensors the name {}.", repr(name), rename=rename
            )
        renamed[name] = tensor
    return renamed
