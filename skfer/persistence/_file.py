"""A model file: arrays as safetensors, everything else as one JSON text in its metadata."""

import hashlib
import io
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from skfer._replacing import replaced
from skfer._typing import NDArray
from skfer.exceptions import ArgumentError, ModelFileError, one_line, shorten
from skfer.validation import check_int, shown

FORMAT = 1
"""Version of the format; files of older ones load."""
MAX_BYTES = 4 * 2**30
"""Larger files are refused before they are read."""
_MAX_JSON = 64 * 2**20
_KEY = "skfer"
_PATH_SHOWN = 400  # characters
_AT_A_TIME = 16 * 2**20  # bytes: some files set aside as much memory as they are asked for

Tensors = dict[str, NDArray[Any]]
Source = str | os.PathLike[str] | BinaryIO
"""What a model is read from: a path, or a file that is open for reading bytes."""


def write_file(path: Path, document: Mapping[str, Any], tensors: Tensors) -> None:
    """Write a model file whole or not at all.

    Parameters
    ----------
    path : Path
        Where to; an older file of this name is replaced at the end, behind links too.
    document : mapping
        What JSON can hold.
    tensors : dict of str to ndarray
        Arrays of numbers.
    """
    # In ASCII: names of classes that were folders may hold bytes that are no UTF-8.
    text = json.dumps(document, allow_nan=False)
    metadata = {"format": str(FORMAT), _KEY: text, "sha256": _digest(text, tensors)}
    content = save_tensors(tensors, metadata)
    header, end = _ordered_header(content, metadata)
    with replaced(path) as temporary, open(temporary, "wb") as file:
        file.write(header)
        file.write(memoryview(content)[end:])


@contextmanager
def place_told(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the argument ``path``, and what to do, in errors of the system about it.

    Parameters
    ----------
    path : path-like
        The file that is written.

    Raises
    ------
    OSError
        Of the class that it has, and with its ``errno``.
    """
    try:
        yield
    except OSError as error:
        real = os.path.realpath(path)
        parent = os.path.dirname(real)
        why = f"cannot be written: {error.strerror}. Give another path."
        if os.path.isdir(real):
            why = "is a folder: give the name of a file in it."
        elif not os.path.exists(parent):
            why = f"cannot be written: there is no folder {parent!r}. Make it first."
        told = type(error)(f"path={told_as(path)} {why}")
        told.errno = error.errno
        raise told from error


def read_file(source: Source, max_bytes: int = MAX_BYTES) -> tuple[dict[str, Any], Tensors]:
    """Read a model file.

    Parameters
    ----------
    source : path-like or binary file object
        The file; an open one is read from where it stands to its end.
    max_bytes : int
        The largest size to read.

    Returns
    -------
    document : dict
        What was JSON.
    tensors : dict of str to ndarray
        The arrays.

    Raises
    ------
    ArgumentError
        If it is neither a path nor a binary file object, or `max_bytes` is no number of bytes.
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is no file of a model, or damaged, or of a later format.
    """
    check_source(source, "path")
    max_bytes = check_int(max_bytes, "max_bytes", at_least=0)
    told = told_as(source)
    content = _content(source, max_bytes)
    try:
        tensors = load_tensors(content)
        metadata = _metadata(content)
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelFileError(
            f"{told} is not a model file, or is damaged ({one_line(error)}): give a file that "
            "skfer.save wrote."
        ) from error
    text = metadata.get(_KEY)
    if text is None:
        raise ModelFileError(
            f"{told} holds tensors, but no model of skfer: give a file that skfer.save "
            "wrote. (Weights of a backbone go to backbone_weights.)"
        )
    _check_format(told, metadata.get("format", ""))
    if len(text) > _MAX_JSON or metadata.get("sha256") != _digest(text, tensors):
        raise ModelFileError(
            f"{told} is damaged: its content does not fit its checksum. Copy it anew."
        )
    try:
        return json.loads(text), tensors
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{told} is damaged ({one_line(error)}).") from error


def check_path(path: Any) -> None:
    """Raise ArgumentError if what shall be written to is no path."""
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError("{path} must be a path, got {}.", shown(path))


def check_source(source: Any, name: str) -> None:
    """Raise ArgumentError if an argument is neither a path nor a binary file object."""
    is_open = hasattr(source, "read")
    if isinstance(source, str | os.PathLike) or (is_open and isinstance(source.read(0), bytes)):
        return
    hint = ": open it with mode 'rb'" if is_open else ""
    if isinstance(source, bytes | bytearray | memoryview):
        hint = ": give io.BytesIO of them"
    raise ArgumentError(
        f"{{{name}}} must be a path, or a file that is open for reading bytes, got {{}}{{}}.",
        type(source).__name__,
        hint,
    )


def told_as(source: Source) -> str:
    """Return what a file is called in messages."""
    if isinstance(source, str | os.PathLike):
        return shorten(repr(os.fspath(source)), _PATH_SHOWN)
    name = getattr(source, "name", None)  # of some it is a number
    return repr(name) if isinstance(name, str) else "the file given"


def _content(source: Source, max_bytes: int) -> bytes:
    if isinstance(source, str | os.PathLike):
        return _content_at(Path(source), max_bytes)
    content = io.BytesIO()
    while part := source.read(min(_AT_A_TIME, max_bytes + 1 - content.tell())):
        content.write(part)
    if content.tell() > max_bytes:
        raise _too_large(source, f"more than {max_bytes:,} bytes, which are not read")
    return content.getvalue()


def _content_at(path: Path, max_bytes: int) -> bytes:
    if not os.path.exists(path):
        raise FileNotFoundError(
            f"there is no file {told_as(path)}: give one that skfer.save, or `skfer train`, wrote."
        )
    with open(path, "rb", opener=_open_regular) as file:
        size = os.fstat(file.fileno()).st_size
        if size > max_bytes:
            raise _too_large(path, f"{size:,} bytes, and at most {max_bytes:,} are read")
        return file.read(size)


def _too_large(source: Source, what: str) -> ModelFileError:
    return ModelFileError(
        f"{told_as(source)} has {what}: is it a model file? If so, give max_bytes."
    )


def _open_regular(path: str, flags: int) -> int:
    """Open a regular file; a pipe or a device might never end."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelFileError(f"{path!r} is not a regular file: give a file that skfer.save wrote.")
    return descriptor


def _ordered_header(content: bytes, metadata: Mapping[str, str]) -> tuple[bytes, int]:
    """Return the header of safetensors with its metadata in order, and where the old one ends.

    It has them in the order of a hash map, so that one model would give different files.
    """
    end = 8 + int.from_bytes(content[:8], "little")
    # Without tensors safetensors 0.4.3 writes a header that is no JSON.
    header = {} if content.startswith(b"{},", 8) else json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.JSONEncoder(separators=(",", ":")).encode(header).encode()
    text += b" " * (-len(text) % 8)  # numbers begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text, end


def _metadata(content: bytes) -> dict[str, str]:
    """Return the metadata of safetensors, which its reader of bytes leaves out."""
    length = int.from_bytes(content[:8], "little")
    found = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    return {str(key): str(value) for key, value in found.items()}


def _check_format(told: str, given: str) -> None:
    if not given.isdecimal() or not 1 <= int(given) <= FORMAT:
        raise ModelFileError(
            f"{told} is of format {given[:20]!r}, and this skfer reads formats 1 to "
            f"{FORMAT}: install a newer skfer. (Or the file is damaged.)"
        )


def _digest(text: str, tensors: Tensors) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data if array.size else b"")
    return digest.hexdigest()
