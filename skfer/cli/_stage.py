"""Rows of numbers on the way to a file: what was computed before a kill is there afterwards."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np

from skfer._typing import NDArray
from skfer.exceptions import ArgumentError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
    import msvcrt

_HEADER = 64  # bytes: the key, then zeros
_FAR = 2**31 - 2  # the last byte that can be locked


class Stage:
    """A file beside the wanted one, to which rows are appended.

    It is found again by a key of all that the rows depend on; one of another key is begun anew.

    Parameters
    ----------
    path : Path
        The file that is wanted in the end.
    key : str
        At most 64 ASCII characters.
    n_columns : int
        Numbers in a row.
    """

    def __init__(self, path: Path, key: str, n_columns: int) -> None:
        real = Path(os.path.realpath(path))
        self.path = real.with_name(f".{real.name}.part")
        self.n_columns = n_columns
        self._key = key.encode().ljust(_HEADER, b"\0")
        self._is_done = False
        self._file: BinaryIO

    def __enter__(self) -> Self:
        # Neither a link nor what others wrote is followed: the name is ours.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        self._file = os.fdopen(os.open(self.path, flags, 0o666), "r+b")
        try:
            self._lock()
            if self._file.read(_HEADER) != self._key:
                self._file.truncate(0)
                self._file.seek(0)
                self._file.write(self._key)
            self._file.truncate(_HEADER + self.n_rows * self._row_bytes)
            self._file.seek(0, os.SEEK_END)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        is_empty = not self.n_rows
        self._file.close()  # before it is removed: Windows removes nothing that is open
        if self._is_done or (error is not None and is_empty):  # there is nothing to go on from
            self.path.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            _lock(self._file)
        except OSError:
            raise ArgumentError(
                "{output}: another call is writing {}: wait for it, or give another file.",
                self.path,
            ) from None

    @property
    def _row_bytes(self) -> int:
        return 4 * self.n_columns

    @property
    def n_rows(self) -> int:
        """How many whole rows are there."""
        size = os.fstat(self._file.fileno()).st_size
        return max(0, size - _HEADER) // self._row_bytes

    def add(self, rows: NDArray[np.float32]) -> None:
        """Append rows."""
        self._file.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
        self._file.flush()

    def read(self) -> NDArray[np.float32]:
        """Return all rows, mapped from the file: leave none alive behind the block."""
        shape = (self.n_rows, self.n_columns)
        if not shape[0]:
            return np.empty(shape, dtype=np.float32)
        return np.memmap(self.path, np.float32, "r", offset=_HEADER, shape=shape)

    def done(self) -> None:
        """Have the file removed at the end of the block: the rows are where they are wanted."""
        self._is_done = True


@contextmanager
def held(path: Path, option: str) -> Iterator[None]:
    """Keep other calls from a file to which this one will append.

    Parameters
    ----------
    path : Path
        The file. It is there in the block, and gone after it where it is still empty.
    option : str
        What the error is about.

    Raises
    ------
    ArgumentError
        If another call has it.
    """
    if path.exists() and not path.is_file():  # what is wrong with it is told when it is read
        yield
        return
    with ExitStack() as afterwards, open(path, "ab") as file:
        _lock_if_possible(file, option)
        # Once it is closed: Windows removes nothing that is open.
        afterwards.callback(_remove_if_empty, path)
        yield


def _remove_if_empty(path: Path) -> None:
    if path.exists() and not path.stat().st_size:
        path.unlink()


def _lock_if_possible(file: BinaryIO, option: str) -> None:
    try:
        _lock(file)
    except (BlockingIOError, PermissionError):
        text = f"{{{option}}}: another call is writing {{}}: wait for it, or give another file."
        raise ArgumentError(text, file.name) from None
    except OSError:  # the file system has no locks
        return


def _lock(file: BinaryIO) -> None:
    """Keep other processes from a file until it is closed.

    Raises
    ------
    OSError
        If one of them has it.
    """
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    place = file.tell()
    file.seek(_FAR)  # Windows locks bytes, which nobody can read then: here those of no row
    msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    file.seek(place)
