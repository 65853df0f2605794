"""Memory maps as dask sends them: as the path of their file."""

import mmap
from typing import Any

import numpy as np
from distributed import WorkerPlugin
from distributed.protocol.numpy import deserialize_numpy_ndarray, serialize_numpy_ndarray
from distributed.protocol.serialize import dask_deserialize, dask_serialize


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


def _to_path(x: np.memmap, context: Any = None) -> tuple[dict[str, Any], list[Any]]:
    """Return what tells where the values are, or the values where they are not as in the file."""
    offset = _offset(x)
    if offset is None:
        return serialize_numpy_ndarray(x, context=context)
    if x.mode != "r":
        x.flush()
    where = {
        "filename": str(x.filename),
        "dtype": np.lib.format.dtype_to_descr(x.dtype),
        "offset": offset,
        "shape": x.shape,
        "order": "C" if x.flags.c_contiguous else "F",
    }
    return {"memmap": where}, []


def _from_path(header: dict[str, Any], frames: list[Any]) -> Any:
    where = header.get("memmap")
    if where is None:
        return deserialize_numpy_ndarray(header, frames)
    dtype = np.lib.format.descr_to_dtype(where["dtype"])
    return np.memmap(mode="r", **where | {"dtype": dtype, "shape": tuple(where["shape"])})


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
