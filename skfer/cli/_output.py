"""Where words and numbers go: streams, files, pipes."""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from skfer._replacing import replaced


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a text, in the characters that the stream can take; standard output by default.

    What would move the cursor of a terminal, or color it, is shown as an escape sequence.
    """
    stream = sys.stdout if stream is None else stream
    stream.write("\n".join(in_a_line(line, stream) for line in text.split("\n")) + "\n")
    stream.flush()  # at once: a reader may be content with the first line


def say_if_heard(text: str, stream: TextIO | None = None) -> None:
    """Print a text before what is worth doing even if its reader has gone, who is told of later."""
    with suppress(BrokenPipeError):
        say(text, stream)


def in_a_line(text: str, stream: TextIO | None = None) -> str:
    """Return a name with what would break a line, or move the cursor, as an escape sequence.

    With a stream, so is what it cannot take, so that the name is as wide as it will be there.
    """
    text = text if text.isprintable() else _escaped(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    if stream is None or _has(encoding, text):
        return text
    text = text if _has(encoding, "±") else text.replace("±", "+-")
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _has(encoding: str, text: str) -> bool:
    """Whether an encoding has all characters of a text."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in line)


def counted(n: int, word: str) -> str:
    """Return how many there are of something, in the singular if it is one."""
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def warn(text: str) -> None:
    """Print a warning in one line."""
    line = text.replace(":\n  ", ": ").replace("\n  ", "; ").replace("\n", ". ")
    say(f"skfer: warning: {line}", sys.stderr)


def bars_wanted(quiet: bool) -> bool:
    """Whether to show progress: a bar in a log file is of no use to anybody."""
    return not quiet and sys.stderr.isatty()


def check_writable(
    path: Path | None,
    option: str = "--json",
    *,
    or_stdout: bool = True,
    inputs: Iterable[Path | str | None] = (),
) -> None:
    """Raise ValueError if a file cannot be written: better now than after minutes of training.

    Parameters
    ----------
    path : Path or None
        The file; None is not wanted.
    option : str, default="--json"
        Names it in errors.
    or_stdout : bool, default=True
        Whether it may be standard output, a device or a pipe.
    inputs : iterable of path-like or None
        What is read, and so must not be written.
    """
    if path is None or (or_stdout and is_stdout(path)):
        return
    if not or_stdout and (is_stdout(path) or _is_special(path)) and not path.is_dir():
        raise ValueError(f"{option} {path} is no place for a file: give the name of one.")
    if path.is_dir():
        raise ValueError(f"{option} {path} is a folder: give the name of a file in it.")
    if path.exists() and not os.access(path, os.W_OK):
        raise ValueError(f"{option} {path} is write-protected: choose another place.")
    _check_not_read(path, option, inputs)
    if not _is_special(path):
        hint = ", or - for standard output" if or_stdout else ""
        folder = Path(os.path.realpath(path)).parent
        if not folder.is_dir():
            raise ValueError(f"{option} {path}: there is no folder {folder}. Make it first.")
        check_room(path, folder, option, hint)


def _check_not_read(path: Path, option: str, inputs: Iterable[Path | str | None]) -> None:
    from skfer.pictures import EXTENSIONS  # heavy, and not needed to read the options

    if not path.is_file():
        return
    if path.suffix.lower() in EXTENSIONS:
        raise ValueError(f"{option} {path} is a picture, which would be lost: give another name.")
    if any(given is not None and _is_same(path, given) for given in inputs):
        raise ValueError(f"{option} {path} is read, and would be lost: give another name.")


def _is_same(path: Path, given: Path | str) -> bool:
    try:
        return os.path.samefile(path, given)
    except OSError:  # which is told when it is read
        return False


def check_apart(first: Path | None, second: Path | None, options: tuple[str, str]) -> None:
    """Raise ValueError if two outputs are wanted in one place."""
    if first is None or second is None:
        return
    one, other = options
    if os.path.realpath(first) == os.path.realpath(second) and not is_stdout(second):
        raise ValueError(f"{one} and {other} are both {second}: give another file for one of them.")
    if is_stdout(first) and is_stdout(second):
        raise ValueError(
            f"{one} {first} and {other} {second} are both standard output, where they would be "
            "mixed: give a file for one of them."
        )


def check_outside(folder: Path | None, option: str, read: Iterable[Path | None]) -> None:
    """Raise ValueError if pictures are to be drawn into a folder whose pictures are read."""
    if folder is None:
        return
    real = Path(os.path.realpath(folder))
    for place in read:
        if place is not None and place.is_dir() and real.is_relative_to(os.path.realpath(place)):
            raise ValueError(
                f"{option} {folder} is in {place}, whose pictures are read: those that are drawn "
                "would be read too, the next time. Give a folder elsewhere."
            )


def check_room(path: Path, folder: Path, option: str, hint: str = "") -> None:
    """Raise ValueError if no file can be made in the folder of what an option names."""
    try:  # its mode does not tell all: the file system may be read-only
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"{option} {path}: no file can be made in {folder} ({error.strerror}): choose another "
            f"place{hint}."
        ) from error


def check_folder(folder: Path | None, option: str) -> None:
    """Make a folder; raise ValueError if what an option names cannot be one with files in it."""
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{option} {folder} is a file: give a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(
            f"{option} {folder}: this folder cannot be made ({error.strerror}): choose another "
            "place."
        ) from error
    check_room(folder, folder, option)


def is_stdout(path: Path | None) -> bool:
    """Whether a path is "-" or another name of standard output, such as /dev/stdout."""
    if path is None or str(path) == "-":
        return path is not None
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def is_regular(path: Path | None) -> bool:
    """Whether a path is, or would be, a file, and no stream, pipe or device."""
    return path is not None and not is_stdout(path) and not _is_special(path)


def _is_special(path: Path) -> bool:
    """Whether a path is a device or a pipe, to be written to and never to be replaced."""
    return path.exists() and not path.is_file()


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a record as :func:`write_text` does."""
    write_text(path, json.dumps(record, indent=2, default=str) + "\n", "--json")


def _print_bytes(content: bytes) -> None:
    """Write UTF-8 to standard output, whose own encoding is for words that people read."""
    if not hasattr(sys.stdout, "buffer"):  # that of a notebook, which takes all characters
        sys.stdout.write(content.decode("utf-8", "backslashreplace"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def write_text(path: Path, text: str, option: str) -> None:
    """Write a text to a file, whole or not at all, to a pipe, or to standard output."""
    # A name of a file may hold bytes that are no UTF-8: they are written as they are.
    content = text.encode("utf-8", "surrogateescape")
    if is_stdout(path):
        _print_bytes(content)
        return
    try:
        if _is_special(path):
            path.write_bytes(content)
        else:
            with replaced(path) as temporary:
                temporary.write_bytes(content)
    except OSError as error:
        raise ValueError(f"{option} {path} could not be written: {error.strerror}.") from error


def all_tried(*outputs: Callable[[], object]) -> None:
    """Write all that is wanted, since what one place cannot take another can.

    Raises
    ------
    OSError, ValueError
        The first that there was, when the last was tried; of others there is a warning.
    """
    errors: list[OSError | ValueError] = []
    for write in outputs:
        try:
            write()
        except (OSError, ValueError) as error:
            errors.append(error)
    for other in errors[1:]:
        if not isinstance(other, BrokenPipeError):  # who has gone wants to hear no more
            warn(str(other))
    if errors:
        raise errors[0]
