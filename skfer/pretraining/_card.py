"""The model card beside a file of weights."""

import hashlib
import platform
from pathlib import Path
from typing import Any

import numpy
import torch

from skfer._version import __version__
from skfer.nets import face_backbone

_TEXT = """\
# {name}

Weights of `skfer.nets.FaceBackbone`, for `skfer.nets.face_backbone()`. Learned by
`python -m skfer.pretraining` from drawn faces alone: no photograph, no person, no other data.
License: that of the package.

- sha256 of the file: {sha256}
- parameters: {parameters}; storage: 16 bits; {kilobytes} kB
- saw: {n_faces} drawn faces of {persons} persons, each {epochs} times
- sha256 of the drawn faces: {digest}
- learned in {minutes:.0f} minutes on {device}; loss of each epoch: {history}
- scores: {accuracy:.3f} of the faces of drawn persons that it had not seen, of eight expressions
  (guessing: 0.125); on real faces: see the card of `face_expressions.safetensors`
- versions: skfer {skfer}, torch {torch}, numpy {numpy}, Python {python}
- recipe: {recipe}
"""


def write_card(
    path: Path,
    recipe: dict[str, Any],
    faces: Any,
    seconds: float,
    history: list[float],
    accuracy: float,
    device: str,
) -> None:
    """Write what a file of weights is, beside it."""
    data = path.read_bytes()
    text = _TEXT.format(
        name=path.name,
        sha256=hashlib.sha256(data).hexdigest(),
        parameters=f"{sum(p.numel() for p in face_backbone(weights=path).parameters()):,}",
        kilobytes=round(len(data) / 1000),
        n_faces=f"{len(faces.target):,}",
        persons=f"{recipe['persons']:,}",
        epochs=recipe["epochs"],
        digest=faces.digest,
        minutes=seconds / 60,
        device=_named(torch.device(device)),
        accuracy=accuracy,
        history=history,
        skfer=__version__,
        torch=torch.__version__,
        numpy=numpy.__version__,
        python=platform.python_version(),
        recipe=", ".join(f"{k}={v}" for k, v in recipe.items()),
    )
    path.with_suffix(".md").write_text(text, encoding="utf-8")


def _named(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    threads = torch.get_num_threads()
    return f"a processor ({threads} thread{'s' if threads > 1 else ''})"
