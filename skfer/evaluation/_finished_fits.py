"""A file with a line for each fit that was done: what is there is not computed again."""

import json
import os
from collections.abc import Callable
from dataclasses import MISSING, asdict, fields
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skfer._typing import NDArray
from skfer._version import __version__
from skfer.embedders.state._digest import TrainingDigest, parameters_of, told_of_picture
from skfer.evaluation._fits import Fit, Task
from skfer.evaluation._votes import Votes
from skfer.exceptions import ArgumentError

_FORMAT = 3  # to be raised when the same parameters and data give other fits than before
_PLAIN = (bool, int, float, complex, str, bytes, type(None), np.generic, os.PathLike)


class ResultsFile:
    """Fits in JSON Lines, each with a key of all that it depends on.

    A line is written at once and whole, so that several runs may write to one file, and a line
    that a killed run has left unfinished is passed over.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._known = self._read()

    def get(self, key: str) -> Fit | None:
        """Return the fit of this key, None if it is not there."""
        return self._known.get(key)

    def add(self, key: str, fit: Fit) -> None:
        """Append a fit."""
        line = json.dumps({"key": key, **asdict(fit)}) + "\n"
        # O_APPEND and one write: lines of several writers do not mix.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        file = os.open(self.path, flags, 0o666)
        try:
            _write_all(file, line.encode() if self._ends_whole() else b"\n" + line.encode())
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from error
        finally:
            os.close(file)
        self._known[key] = fit

    def _ends_whole(self) -> bool:
        with open(self.path, "rb") as file:
            if file.seek(0, os.SEEK_END) == 0:
                return True
            file.seek(-1, os.SEEK_END)
            return file.read() == b"\n"

    def _read(self) -> dict[str, Fit]:
        if not self.path.exists():
            return {}
        if not self.path.is_file():  # a pipe would be waited for
            raise ArgumentError(
                "{results=} is no place for a file of fits: give the name of one.",
                results=str(self.path),
            )
        names = {field.name for field in fields(Fit)}
        needed = {field.name for field in fields(Fit) if field.default is MISSING}
        known, foreign = {}, 0
        for line in self.path.read_bytes().splitlines():
            try:
                record = json.loads(line)
                key = record.pop("key")
                if not needed <= set(record) <= names:
                    raise ValueError("not a fit")
                known[key] = Fit(**record | {"warnings": tuple(record.get("warnings", ()))})
            except (ValueError, KeyError, TypeError, AttributeError):
                foreign += bool(line.strip())
        # A killed run leaves a line unfinished, here and there; another file has no fit at all.
        if foreign and not known:
            raise ArgumentError(
                "{results=} is no file of fits: give another name, or remove it.",
                results=str(self.path),
            )
        return known


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def make_keys(
    X: NDArray[Any], y: NDArray[Any], groups: NDArray[Any] | None, votes: Votes | None = None
) -> Callable[[Task], str]:
    """Return what gives a fit its key: a hash of the data, the fold, the method and the versions.

    The data is read once.
    """
    versions = {name: version(name) for name in ("numpy", "scipy", "scikit-learn", "torch")}
    common = [_FORMAT, __version__, versions, _digest_inputs(X), _digest(y)]
    common.append(None if groups is None else _digest(groups))
    voted = None if votes is None else _digest_votes(votes.given)

    def key(task: Task) -> str:
        own = [task.fold, task.seed, task.with_points, _digest(task.train), _digest(task.test)]
        if task.with_votes:  # others are the same without
            own.append(voted)
        text = repr([common, own, describe(task.embedder), describe(task.classifier)])
        return blake2b(text.encode(), digest_size=16).hexdigest()

    return key


def _digest_votes(votes: Any) -> str:
    """Return a hash of votes, with the names that a data frame gives its columns."""
    return f"{list(map(str, getattr(votes, 'columns', ())))} {_digest(np.asarray(votes))}"


def describe(value: Any) -> str:
    """Return a text that is equal for parameters that give the same fit."""
    if isinstance(value, BaseEstimator):
        return f"{_describe_kind(type(value))}({describe(parameters_of(value))})"
    if isinstance(value, type):
        return _describe_kind(value)
    if isinstance(value, np.ndarray):
        return _digest(value)
    if isinstance(value, dict):
        return str({key: describe(value[key]) for key in sorted(value, key=str)})
    if isinstance(value, list | tuple):
        return str([describe(item) for item in value])
    if isinstance(value, _PLAIN):
        return repr(value)
    digest = TrainingDigest()
    digest.add(value)
    return digest.hexdigest()


def _describe_kind(kind: type) -> str:
    """Return the name of a class, with a hash of what it does if the user wrote it."""
    digest = TrainingDigest()
    digest.add_code(kind)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return f"{name} {digest.hexdigest()}" if digest.has_code() else name


def _digest_inputs(X: NDArray[Any]) -> str:
    """Return a hash of inputs; a picture may be edited, whose path stays."""
    if X.dtype.kind not in "OSU":
        return _digest(X)
    digest = TrainingDigest()
    digest.add(X.shape)
    digest.add(list(map(told_of_picture, X.ravel().tolist())))
    return digest.hexdigest()


def _digest(values: NDArray[Any]) -> str:
    """Return a hash of an array; a memmap is read in chunks."""
    digest = TrainingDigest()
    if values.dtype == object:
        digest.add(values.tolist())
    else:
        digest.add_array(values)
    return digest.hexdigest()
