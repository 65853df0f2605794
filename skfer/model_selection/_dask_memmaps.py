"""Memory maps as dask sends them: as the path of their file."""

import mmap
import os
import pickle
import socket
from typing import Any

import numpy as np
from dask.sizeof import sizeof
from distributed import WorkerPlugin
from distributed.protocol.numpy import deserialize_numpy_ndarray, serialize_numpy_ndarray
from distributed.protocol.serialize import dask_deserialize, dask_serialize

_SIZE = 512
"""Bytes that a memory map is said to take: its values are in the system's cache of files."""


class SendsPaths(WorkerPlugin):
    """Has a worker take memory maps that come as paths, and send its own likewise."""

    name = "skfer-memory-maps"

    def setup(self, worker: Any) -> None:
        """Do so from the worker's start on."""
        register()


def register() -> None:
    """Have dask do so in this process."""
    dask_serialize.register(np.memmap, _to_path)
    dask_deserialize.register(np.memmap, _from_path)
    # Else no task would get a map that is larger than its worker's memory.
    sizeof.register(np.memmap, lambda x: _SIZE)


def _to_path(x: np.memmap, context: Any = None) -> tuple[dict[str, Any], list[Any]]:
    """Return what tells where the values are, or the values where they are not as in the file."""
    offset = _offset(x)
    if offset is None or not _holds(x.filename, offset + x.nbytes):
        return serialize_numpy_ndarray(x, context=context)
    if x.mode != "r":
        x.flush()
    where = {
        "filename": str(x.filename),
        "dtype": pickle.dumps(x.dtype),
        "offset": int(offset),
        "shape": list(map(int, x.shape)),
        "order": "C" if x.flags.c_contiguous else "F",
    }
    return {"memmap": where}, []


def _from_path(header: dict[str, Any], frames: list[Any]) -> Any:
    where = header.get("memmap")
    if where is None:
        return deserialize_numpy_ndarray(header, frames)
    dtype = pickle.loads(where["dtype"])
    try:
        return np.memmap(mode="r", **where | {"dtype": dtype, "shape": tuple(where["shape"])})
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{where['filename']} is not on {socket.gethostname()} as it is where it was sent: "
            "share_memmaps is for workers that share the disk."
        ) from error


def _holds(filename: Any, n_bytes: int) -> bool:
    """Whether a file is still there, with that many bytes."""
    try:
        return os.stat(filename).st_size >= n_bytes
    except OSError:
        return False


def _offset(x: np.memmap) -> int | None:
    """Return where in its file an array begins; None if it is not there in one piece.

    A view tells the offset of the whole, not its own.
    """
    mapped = getattr(x, "_mmap", None)
    in_one_piece = x.flags.c_contiguous or x.flags.f_contiguous
    if mapped is None or x.filename is None or x.mode == "c" or not (in_one_piece and x.size):
        return None
    first = x.offset - x.offset % mmap.ALLOCATIONGRANULARITY  # the byte that the mapping begins at
    return first + x.ctypes.data - np.frombuffer(mapped, np.uint8, count=1).ctypes.data
