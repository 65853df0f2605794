"""Opening files of unknown origin: regular files only, and never more of one than makes sense."""

import errno
import os
import stat
from io import FileIO

# A named pipe blocks whoever opens it for reading until somebody writes, unless told not to.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_KINDS = {
    stat.S_IFDIR: "a folder, not a file",
    stat.S_IFIFO: "a named pipe, not a file",
    stat.S_IFSOCK: "a socket, not a file",
    stat.S_IFCHR: "a device, not a file",
    stat.S_IFBLK: "a device, not a file",
}
NO_SUCH_FILE = "no such file"
"""The problem of a file that is not there."""
_FAULTS = {
    errno.ENOENT: NO_SUCH_FILE,
    errno.ENOTDIR: "no such file: a part of its path is no folder",
    errno.ELOOP: "a link that leads to itself",
    errno.ENAMETOOLONG: "a name that is too long",
    errno.ENXIO: "a socket, not a file",
    errno.EACCES: "no permission to read it",
    errno.EPERM: "no permission to read it",
}
# What a file itself is, or is not. All else is the environment's fault, which may pass.
_LASTING = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENXIO,
    errno.EFBIG,
    errno.EINVAL,
}


def open_regular(path: str | os.PathLike[str]) -> FileIO:
    """Open a regular file for reading, unbuffered; raise OSError for anything else.

    Pipes, devices and folders are refused without being read: they never end, or never begin.
    """
    handle = os.open(path, _FLAGS)
    try:
        mode = os.fstat(handle).st_mode
        if not stat.S_ISREG(mode):
            what = _KINDS.get(stat.S_IFMT(mode), "not a regular file")
            raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, what)
        return FileIO(handle)
    except BaseException:
        os.close(handle)
        raise


def read_bytes(path: str | os.PathLike[str], most: int) -> bytes:
    """Return the content of a regular file of at most `most` bytes; raise OSError otherwise."""
    with open_regular(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"more than {most} bytes, too many for such a file")
    return content


def fault_of(error: OSError) -> str:
    """Say in a few words what is wrong with a file that could not be opened or read."""
    if error.errno in _FAULTS:
        return _FAULTS[error.errno]
    return error.strerror or str(error) or type(error).__name__


def may_pass(error: BaseException) -> bool:
    """Return whether an error is the environment's, not the file's: the next try may succeed."""
    return isinstance(error, OSError) and error.errno is not None and error.errno not in _LASTING
