"""Single numbers from .npy files, of which AffectNet has a million: np.load takes too long."""

import io
import os
from functools import lru_cache

import numpy as np

_MAGIC = b"\x93NUMPY\x01\x00"
_FLAGS = os.O_RDONLY | getattr(os, "O_BINARY", 0)


def read_number(path: str) -> float:
    """Return the one number in a .npy file, which may be written as text; never unpickles."""
    handle = os.open(path, _FLAGS)
    try:
        content = os.read(handle, 4096)
    finally:
        os.close(handle)
    try:
        return _parse(content)
    except ValueError as error:
        raise ValueError(f"{os.path.basename(path)} {error}") from None


@lru_cache(maxsize=2**16)
def _parse(content: bytes) -> float:
    """Return the number; the files of a set hold few different ones, so most are known."""
    if not content.startswith(_MAGIC):
        raise ValueError("is no .npy file of version 1")
    start = 10 + int.from_bytes(content[8:10], "little")
    shape, _, dtype = np.lib.format.read_array_header_1_0(io.BytesIO(content[8:start]))
    size = int(np.prod(shape))
    if size != 1 or dtype.hasobject:
        raise ValueError(f"holds {size} values of {dtype}, not a number")
    return float(np.frombuffer(content, dtype, count=1, offset=start)[0])
