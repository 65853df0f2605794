"""Numbers from small .npy files, of which AffectNet has a million: np.load takes too long."""

import io
import os
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import numpy as np

from skfer.pictures._files import fault_of, read_bytes

_MAGIC = b"\x93NUMPY\x01\x00"
_MOST = 2**14  # bytes
_Parsed = TypeVar("_Parsed")


def read_number(path: str | os.PathLike[str]) -> float:
    """Return the one number in a .npy file, which may be written as text."""
    return _read(path, _parse_number)


def read_numbers(path: str | os.PathLike[str]) -> np.ndarray:
    """Return a small .npy file as float64; raise ValueError that names it, whatever its fault."""
    return _read(path, _parse)


def _read(path: str | os.PathLike[str], parse: Callable[[bytes], _Parsed]) -> _Parsed:
    try:
        return parse(read_bytes(path, _MOST))
    except OSError as error:
        raise ValueError(f"{os.path.basename(path)} is {fault_of(error)}") from None
    except ValueError as error:
        raise ValueError(f"{os.path.basename(path)} {error}") from None


@lru_cache(maxsize=2**12)
def _parse_number(content: bytes) -> float:
    """Return the number; the files of a set hold few different ones, so most are known.

    Points of faces are all different: they would be kept for nothing.
    """
    numbers = _parse(content)
    if numbers.size != 1:
        raise ValueError(f"holds {numbers.size} values, not a number")
    return float(numbers.reshape(()))


def _parse(content: bytes) -> np.ndarray:
    if not content.startswith(_MAGIC):
        raise ValueError("is no .npy file of version 1")
    start = 10 + int.from_bytes(content[8:10], "little")
    try:
        header = io.BytesIO(content[8:start])
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(header)
        if min(shape, default=0) < 0:
            raise ValueError(f"shape {shape}")
        values = np.frombuffer(content, dtype, count=int(np.prod(shape)), offset=start)
        numbers = values.astype(np.float64).reshape(shape, order="F" if fortran else "C")
    except Exception as error:  # numpy parses the header as Python, which fails in many ways
        raise ValueError(f"is damaged or holds no numbers ({error!r:.100})") from None
    numbers.flags.writeable = False
    return numbers
