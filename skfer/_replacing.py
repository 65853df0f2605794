"""Files that are written whole or not at all."""

import errno
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

_ENDING = ".part"
_LONGEST = 200  # bytes of a name: systems allow 255
_WAITS = (0.01, 0.05, 0.2, 0.7)  # seconds


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path to write to; what is there takes the place of the file when all went well.

    Whatever ends the block before leaves the file as it was, and nothing beside it. A link is
    followed, and a file that was there keeps its mode.

    Parameters
    ----------
    path : path-like
        The file that is wanted.

    Yields
    ------
    Path
        An empty file beside it, of a name that nobody else uses.

    Raises
    ------
    OSError
        Of the file that was asked for, if it cannot be written, or is a folder, a device or a pipe.
    """
    real = Path(os.path.realpath(path))
    if real.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if real.exists() and not real.is_file():
        raise OSError(errno.EINVAL, "a device or a pipe is no place for a file", str(path))
    temporary = real.with_name(f"{_beginning(real.name)}{uuid4().hex}{_ENDING}")
    try:  # neither a file nor a link that is there is written to
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        if real.exists():
            os.chmod(temporary, stat.S_IMODE(real.stat().st_mode))
        _replace(temporary, real)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def left_by_others(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield what :func:`replaced` has put beside a file and has not removed: killed, or at work.

    Parameters
    ----------
    path : path-like
        The file that was wanted.

    Yields
    ------
    Path
    """
    real = Path(os.path.realpath(path))
    beginning = _beginning(real.name)
    for name in os.listdir(real.parent):
        if name.startswith(beginning) and name.endswith(_ENDING):
            yield real.with_name(name)


def _beginning(name: str) -> str:
    return f".{os.fsencode(name)[:_LONGEST].decode(errors='ignore')}."


def _replace(source: Path, target: Path) -> None:
    """Rename a file; on Windows none that a virus scanner or a backup is just reading."""
    for seconds in _WAITS:
        try:
            os.replace(source, target)
        except PermissionError:
            time.sleep(seconds)
        else:
            return
    os.replace(source, target)
