"""Tables of embeddings as files: written row by row, whole or not at all."""

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from skfer._replacing import replaced
from skfer._typing import NDArray
from skfer.exceptions import ArgumentError, install_hint

_ROWS = 10_000  # in memory at a time

Write = Callable[[Path, Sequence[str], NDArray[Any], NDArray[np.intp]], None]


def write_npz(path: Path, names: Sequence[str], rows: NDArray[Any], kept: NDArray[np.intp]) -> None:
    """Write the kept rows as the arrays ``embedding`` and ``filenames``."""
    width = max((len(names[i]) for i in kept), default=1)
    arrays: dict[str, tuple[Any, tuple[int, ...], Callable[[NDArray[np.intp]], Any]]] = {
        "embedding": (np.dtype("<f4"), (len(kept), rows.shape[1]), lambda part: rows[part]),
        "filenames": (np.dtype(f"<U{width}"), (len(kept),), lambda part: [names[i] for i in part]),
    }
    with replaced(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, (dtype, shape, take) in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
                for part in _parts(kept):
                    file.write(np.asarray(take(part), dtype=dtype).tobytes())


def write_csv(path: Path, names: Sequence[str], rows: NDArray[Any], kept: NDArray[np.intp]) -> None:
    """Write the kept rows as text, with a column of file names and one for each coordinate."""
    with (
        replaced(path) as temporary,
        open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", *(f"e{k}" for k in range(rows.shape[1]))])
        for part in _parts(kept):
            for i, row in zip(part, rows[part], strict=True):
                # Nine digits tell all float32 apart.
                writer.writerow([names[i], *(f"{value:.9g}" for value in row)])


def write_parquet(
    path: Path, names: Sequence[str], rows: NDArray[Any], kept: NDArray[np.intp]
) -> None:
    """Write the kept rows with the columns ``file`` and ``embedding``, a list of fixed length."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    vector = pa.list_(pa.float32(), rows.shape[1])
    schema = pa.schema([("file", pa.string()), ("embedding", vector)])
    with replaced(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for part in _parts(kept):
            values = pa.array(np.ascontiguousarray(rows[part]).ravel())
            table = [
                pa.array([names[i] for i in part], pa.string()),
                pa.FixedSizeListArray.from_arrays(values, rows.shape[1]),
            ]
            writer.write_table(pa.table(table, schema=schema))


_WRITERS: dict[str, Write] = {".npz": write_npz, ".csv": write_csv, ".parquet": write_parquet}


def writer_of(path: Path) -> Write:
    """Return what writes a file of this ending.

    Raises
    ------
    ArgumentError
        If there is none.
    ImportError
        If a package that it needs is missing.
    """
    ending = path.suffix.lower()
    if ending not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise ArgumentError("{output} {} has none of the endings {}.", path, known)
    if ending == ".parquet" and find_spec("pyarrow") is None:
        call = install_hint("parquet", "pyarrow")
        raise ImportError(f"--output {path} needs pyarrow: {call}, or write .npz or .csv.")
    return _WRITERS[ending]


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise ArgumentError if a file of this ending cannot hold the names of the pictures."""
    if path.suffix.lower() != ".parquet":
        return
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ArgumentError(
                "{output}: parquet holds UTF-8 alone, and the name {} is none: rename the "
                "picture, or write .npz or .csv.",
                ascii(name),
            ) from None


def _parts(kept: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(kept), _ROWS):
        yield kept[start : start + _ROWS]
