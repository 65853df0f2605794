"""Errors and warnings in the words of the person who types a command."""

import argparse
import errno
import os
import re
import tempfile
import traceback
from concurrent.futures import BrokenExecutor
from pickle import PicklingError
from typing import Any

WRONG = (MemoryError, BrokenExecutor, PicklingError, ValueError, OSError, ImportError)
"""Errors of the call, the data or the machine, and not of skfer."""

_LONGEST = 2000  # characters of a line
_MOST_LINES = 200  # as of what is to be mended, one by one
_NO_TEMPORARY = "no folder for temporary files: set TMPDIR to one that can be written"
# Options of places that are written to.
_OUTPUTS = ("json", "csv", "figures", "draw", "output", "onnx")
_WRITTEN_TO = ("cache_dir", "results", *_OUTPUTS, "checkpoint")
_OF_FILE = "path="  # the start of errors about the file that a function writes
# What functions and the command name differently, and values that are options of their own.
_OPTIONS = {
    "bunch": "the data",
    "cv": "the protocol",
    "detector": "--detect",
    "groups": "groups (--group-column, --group-pattern)",
    "csv": "--labels",
    "image_size=...": "--image-size N",
    "align=False": "--no-align",
    "root=...": "--root DIR",
    "n_folds": "--folds",
    "on_error='skip'": "--skip-bad",
    "unlabeled=True": "--use-unlabeled",
}

# What stands without an option, in commands on a model and in `datasets`.
_OF_MODELS = {"model": "MODEL", "places": "PICTURE"}
_OF_DATASETS = {"name": "NAME", "root": "ROOT"}


def explain(error: BaseException, arguments: argparse.Namespace) -> str:
    """Return what is wrong and what to do, at a readable length."""
    return capped(_explained(error, arguments))


def capped(text: str) -> str:
    """Return a text without the middle of what is too long to be read; what to do comes last."""
    lines = [_without_middle(line, " ... ", _LONGEST) for line in text.split("\n")]
    return "\n".join(_without_middle(lines, ["  ..."], _MOST_LINES))


def _without_middle(sequence: Any, between: Any, length: int) -> Any:
    half = length // 2
    if len(sequence) <= length:
        return sequence
    return sequence[:half] + between + sequence[-half:]


def _explained(error: BaseException, arguments: argparse.Namespace) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory{f' ({error})' if str(error) else ''}: {_less(arguments)}."
    if isinstance(error, BrokenExecutor):
        return (
            "a process that trained was killed, most likely since memory ran out: give --n-jobs 1; "
            f"if it is killed again, {_less(arguments)}."
        )
    if isinstance(error, FileNotFoundError) and _temporary_folder() is None:
        return f"there is {_NO_TEMPORARY}."
    if isinstance(error, PicklingError) or (
        isinstance(error, OSError) and getattr(arguments, "n_jobs", 1) > 1 and _of_workers(error)
    ):
        return _no_workers(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {os.fspath(error.filename)!r}: {error.strerror}."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{os.strerror(error.errno)}: {_places(arguments)}."
    if isinstance(error, OSError) and str(error).startswith(_OF_FILE):
        return f"{_written(arguments)} {str(error).removeprefix(_OF_FILE)}"
    return in_options(error, arguments)


def _less(arguments: argparse.Namespace) -> str:
    # The size of a report's pictures is that of the model.
    size = "" if arguments.command == "report" else "--image-size or "
    return f"give a smaller {size}--max-per-class, or keep the pictures on disk by --cache-dir"


def _of_workers(error: BaseException) -> bool:
    """Whether an error comes from the start of processes, or from what is passed to them."""
    frames = traceback.walk_tb(error.__traceback__)
    return any("joblib" in frame.f_code.co_filename for frame, _ in frames)


def _no_workers(error: BaseException) -> str:
    # Of an error in another process there is the text.
    said = str(error.__cause__ or error).strip(' "\n').splitlines()[-1]
    folder = os.environ.get("JOBLIB_TEMP_FOLDER")
    where = f"/dev/shm and {_temporary_folder() or _NO_TEMPORARY}"
    if folder is not None:
        where = f"/dev/shm and {folder} (JOBLIB_TEMP_FOLDER)"
    return (
        f"trainings cannot run side by side: {said}. They need room in {where}: make some, set "
        "JOBLIB_TEMP_FOLDER to a folder on another disk, or give --n-jobs 1, which needs none."
    )


def _temporary_folder() -> str | None:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return None


def _places(arguments: argparse.Namespace) -> str:
    used = [
        f"{_option(name)} {value}"
        for name in _WRITTEN_TO
        if (value := getattr(arguments, name, None)) is not None
    ]
    where = f"{' and '.join(used)} is" if used else "it is written to"
    return f"make room where {where}, or give another place"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _written(arguments: argparse.Namespace) -> str:
    """Return the option that names the one file that a command writes."""
    return "--onnx" if arguments.command == "export" else "--output"


def in_options(message: Any, arguments: argparse.Namespace) -> str:
    """Return the text of an error or a warning with options instead of parameters."""
    template = getattr(message, "template", None)
    if template is None:
        return str(message)
    names = {name: _option(name) for name in vars(arguments)} | _OPTIONS
    names["path"] = _written(arguments)
    if "model" in names or "places" in names:
        names |= _OF_MODELS
    if arguments.command == "datasets":
        names |= _OF_DATASETS
    return message.render(names | _with_commas(template))


def _with_commas(template: str) -> dict[str, str]:
    """Return how several names that a text wants trusted are typed."""
    found = re.search(r"\{(trusted=\[(.*?)\])\}", template)
    return {} if found is None else {found[1]: f"--trusted {found[2].replace(', ', ',')}"}
