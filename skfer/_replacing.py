"""Files that are written whole or not at all."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


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
    temporary = real.with_name(f".{real.name[:100]}.{uuid4().hex}.part")
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
        os.replace(temporary, real)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)
