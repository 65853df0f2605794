"""Which file a fit is kept in: one for each combination of parameters and data."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skfer._version import __version__
from skfer.embedders.state._digest import TrainingDigest
from skfer.exceptions import ArgumentError
from skfer.training import Checkpoint
from skfer.training._callbacks import changes_nothing

_NO_MATTER = ("checkpoint", "verbose", "on_error")
"""Parameters that change nothing of what is learned."""


def open_checkpoint(
    folder: str | os.PathLike[str],
    kind: type,
    parameters: Mapping[str, Any],
    data: Mapping[str, Any],
    random_state: np.random.RandomState,
) -> Checkpoint:
    """Return the checkpoint of one fit.

    Parameters
    ----------
    folder : path-like
        The ``checkpoint`` parameter.
    kind : type
        The embedder's class.
    parameters : mapping
        All parameters of the embedder.
    data : mapping
        What else the result depends on: inputs, codes, classes, the present weights.
    random_state : RandomState
        Of the fit; nothing has been drawn from it yet.

    Raises
    ------
    ArgumentError
        If there is a file in the place of the folder, or `random_state` is None, so that no two
        fits are the same.
    OSError
        If no file can be made in the folder.
    """
    if parameters["random_state"] is None:
        raise ArgumentError(
            "{checkpoint} needs a {random_state}, such as 0: with {random_state=None} every fit is "
            "another one, and none can go on.",
            random_state=None,
        )
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise ArgumentError(
            "{checkpoint=} is a file: give a folder, in which each fit has a file of its own.",
            checkpoint=str(folder),
        )
    matters = {key: value for key, value in parameters.items() if key not in _NO_MATTER}
    # A callback may say that it changes nothing.
    matters["callbacks"] = [
        callback for callback in parameters.get("callbacks") or [] if not changes_nothing(callback)
    ]
    digest = TrainingDigest()
    digest.add({"parameters": matters, "data": dict(data), "generator": random_state})
    digest.add_code(kind)
    path = Path(folder) / f"{kind.__name__}-{digest.hexdigest()}.ckpt"
    if not path.exists():  # a fit that is finished may lie where nothing can be written
        _check_room(folder)
    return Checkpoint(path, {"skfer": __version__, "torch": str(torch.__version__)}, random_state)


def _check_room(folder: str | os.PathLike[str]) -> None:
    """Raise OSError, before a pass is trained, if files cannot be kept in a folder."""
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        told = type(error)(
            f"checkpoint={os.fspath(folder)!r}: no files can be kept there ({error.strerror}): "
            "give another folder."
        )
        told.errno = error.errno
        raise told from error
