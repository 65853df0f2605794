"""Reads files of weights as data alone: no code that a file may hold is run."""

import os
import re
import stat
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from skfer.exceptions import ArgumentError, shorten
from skfer.validation import shown

_N_HEAD = 512
_MAX_DEPTH = 5


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a file of weights, as safetensors or ``torch.save`` writes it.

    Parameters
    ----------
    path : path-like
        A regular file. Its content decides of which kind it is, not its name.

    Returns
    -------
    dict of str to Tensor
        The tensors by name, on the CPU. A tensor "conv.weight" in a dict "model" of the file is
        called "model.conv.weight".

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is empty, text, damaged, or larger when read than on the disk; or if it holds
        no tensors by name, or objects that only running code would bring back.
    """
    if not isinstance(path, str | Path):
        raise ArgumentError("{backbone_weights} must be a path, got {}.", shown(path))
    size = _file_size(path)
    try:
        with open(path, "rb") as file:
            head = file.read(_N_HEAD)
        _check_head(path, head)
        # Eight bytes for the length of a header in JSON.
        content = load_file(path) if head[8:9] == b"{" else _unpickle(path, size)
    except (ArgumentError, MemoryError):
        raise
    except Exception as error:
        raise _unreadable(path, str(error)) from error
    tensors = _tensors_by_name(path, content)
    for name, tensor in tensors.items():
        # A repeated number takes no room in the file.
        if tensor.nbytes > size:
            raise _refusal(path, "holds {}, which would be larger than the file.", repr(name))
    return tensors


def _file_size(path: str | Path) -> int:
    try:
        status = os.stat(path)
    except OSError as error:
        raise FileNotFoundError(
            f"backbone_weights={shorten(repr(str(path)))} is not a file: {error.strerror}."
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise _refusal(path, "is not a regular file, but a folder, a device or a pipe.")
    if not status.st_size:
        raise _refusal(path, "is empty: fetch the file again.")
    return status.st_size


def _check_head(path: str | Path, head: bytes) -> None:
    """Raise for what is often found in place of weights."""
    start = head.lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        raise _refusal(
            path, "is a pointer of large-file storage, not the file itself: run `git lfs pull`."
        )
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise _refusal(path, "is a web page, not a file of weights: fetch the file itself.")
    if b"\0" not in head and all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        raise _refusal(path, "is a text file, not a file of weights.")


def _unpickle(path: str | Path, size: int) -> Any:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > size:
                # torch writes archives without compression; this one may be a bomb.
                raise _refusal(path, "is a compressed archive, which torch.save does not write.")
    return torch.load(path, map_location="cpu", weights_only=True)


def _unreadable(path: str | Path, message: str) -> ArgumentError:
    """Return the error for a file that its reader refuses."""
    found = re.search(r"GLOBAL (\S+)", message)
    if found:
        return _refusal(
            path,
            "holds an object of {} beside tensors. Such files can run code when they are opened, "
            "and are not read: if you trust it, open it by torch.load(..., weights_only=False), "
            "and save its state_dict with safetensors.torch.save_file.",
            found[1],
        )
    return _refusal(
        path,
        "is damaged, or no file of weights ({}): give one that torch.save or safetensors wrote.",
        shorten(message.partition("\n")[0]),
    )


def _tensors_by_name(path: str | Path, content: Any) -> dict[str, Tensor]:
    tensors = dict(_flat(content, "", _MAX_DEPTH))
    if not tensors:
        is_mapping = isinstance(content, Mapping)
        found = f"only {list(content)}" if is_mapping else type(content).__name__
        raise _refusal(
            path,
            "holds no tensors by name, but {}: save the state_dict of a network.",
            shorten(found),
        )
    return tensors


def _flat(content: Any, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors in nested mappings with their names."""
    for name, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(name, str) and isinstance(value, Tensor):
            yield prefix + name, value
        elif isinstance(name, str) and depth:
            yield from _flat(value, f"{prefix}{name}.", depth - 1)


def _refusal(path: str | Path, template: str, *texts: object) -> ArgumentError:
    return ArgumentError(f"{{backbone_weights=}} {template}", *texts, backbone_weights=str(path))
