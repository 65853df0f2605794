"""Errors and warnings in the words of who types a command."""

from __future__ import annotations

import argparse
from concurrent.futures import BrokenExecutor

WRONG = (MemoryError, BrokenExecutor, ValueError, OSError, ImportError)
"""Errors of the call, the data or the machine, and not of skfer."""

_NO_MEMORY = (
    "not enough memory: give a smaller --image-size, --max-per-class or --n-jobs, or keep the "
    "pictures on disk by --cache-dir"
)
# What functions call otherwise than the command, or with a value that is an option of its own.
_OPTIONS = {
    "cv": "the protocol",
    "groups": "groups (--group-column, --group-pattern)",
    "csv": "--labels",
    "image_size=...": "--image-size N",
    "align=False": "--no-align",
    "n_folds": "--folds",
    "on_error='skip'": "--skip-bad",
}


def explain(error: Exception, arguments: argparse.Namespace) -> str:
    """Return what is wrong and what to do."""
    if isinstance(error, MemoryError | BrokenExecutor):
        return f"{_NO_MEMORY} ({error})"
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename!r}: {error.strerror}."
    return in_options(error, arguments)


def in_options(message: Exception | str, arguments: argparse.Namespace) -> str:
    """Return the text of an error or a warning with options instead of parameters."""
    if not hasattr(message, "render"):
        return str(message)
    names = {name: f"--{name.replace('_', '-')}" for name in vars(arguments)} | _OPTIONS
    if arguments.command == "datasets":
        names["root"] = "ROOT"
    return message.render(names)
