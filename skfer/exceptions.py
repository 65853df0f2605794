"""Errors and warnings that skfer gives."""

import ast
import contextlib
import json
import os
import re
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution

from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "ArgumentError",
    "EmbeddingCollapseWarning",
    "InconsistentVersionWarning",
    "ModelFileError",
]

_PLACEHOLDER = re.compile(r"\{(\w*)(=[^{}]*)?\}")
_N_SHOWN = 200  # characters of a value
_N_OF_A_LINE = 400  # characters of each line of another text
_one_at_a_time = threading.RLock()


class ArgumentMessage(Exception):  # noqa: N818 (warnings are built on it too)
    """The text of an error or a warning, which knows the arguments that it speaks of.

    A base of :class:`ArgumentError`, and of warnings that advise another argument. A caller that
    has other names for the arguments, such as the command line, renders the text with those.

    Parameters
    ----------
    template : str
        The text, with placeholders: ``{name}`` for the name of an argument, ``{name=}`` for an
        argument and its value, ``{name=text}`` for an argument and a value to give instead, and
        ``{}`` for the next of `texts`.
    *texts : object
        What stands for each ``{}``.
    **given : object
        Values of the arguments that the template has as ``{name=}``.

    Attributes
    ----------
    arguments : tuple of str
        The arguments that the text speaks of, in its order, each once. It is about the first.
    """

    def __init__(self, template: str, *texts: object, **given: object) -> None:
        super().__init__(template, *texts)
        # Not the values: they may be large, or fail to be pickled.
        self._given = {name: shorten(repr(value)) for name, value in given.items()}

    @property
    def template(self) -> str:
        """The text with its placeholders."""
        return str(self.args[0])

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments that the text speaks of, in its order, each once."""
        found = (match[1] for match in _PLACEHOLDER.finditer(self.template))
        return tuple(dict.fromkeys(name for name in found if name))

    def __str__(self) -> str:
        return self.render({})

    def render(self, names: Mapping[str, str]) -> str:
        """Return the text with other names for the arguments.

        Parameters
        ----------
        names : mapping of str to str
            What arguments are called, such as ``{"image_size": "--image-size"}``. The name of an
            argument with a value, such as ``{"align=False": "--no-align"}``, goes first. Arguments
            that it does not have are called as in Python.

        Returns
        -------
        str
            Characters that are not printable are escaped, and long lines of `texts` shortened.
        """
        texts = iter(self.args[1:])

        def fill(match: re.Match[str]) -> str:
            name, value = match[1], match[2]
            if not name:
                lines = str(next(texts, match[0])).split("\n")
                return "\n".join(shorten(printable(line), _N_OF_A_LINE) for line in lines)
            if value == "=":
                value = f"={self._given[name]}" if name in self._given else ""
            return _called(name, value or "", names)

        return printable(_PLACEHOLDER.sub(fill, self.template))


def _called(name: str, value: str, names: Mapping[str, str]) -> str:
    """Return an argument, with "=" and its value if it has one, in the names of the caller."""
    if name + value in names:
        return names[name + value]
    return f"{names[name]} {_typed(value[1:])}".rstrip() if name in names else name + value


def _typed(value: str) -> str:
    """Return a value as it follows an option: several values with spaces between them."""
    try:
        given = ast.literal_eval(value)
    except (SyntaxError, ValueError):  # other text than a literal, or a shortened one
        return value
    return " ".join(map(repr, given)) if isinstance(given, list | tuple) else value


def printable(text: str) -> str:
    r"""Return a text without characters that steer a terminal.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    str
        All but line breaks and tabs that is not printable is escaped.

    Examples
    --------
    >>> from skfer.exceptions import printable
    >>> print(printable("\x1b[31mred"))
    \x1b[31mred
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else repr(c)[1:-1] for c in text)


def shorten(text: str, length: int = _N_SHOWN) -> str:
    """Return a text of at most this many characters, with the middle left out where it is longer.

    Parameters
    ----------
    text : str
        Any text.
    length : int, default=200
        The largest number of characters.

    Returns
    -------
    str

    Examples
    --------
    >>> from skfer.exceptions import shorten
    >>> shorten("anger and contempt", 11)
    'ange...empt'
    """
    if len(text) <= length:
        return text
    half = (length - 3) // 2
    return f"{text[: length - 3 - half]}...{text[len(text) - half :]}"


def one_line(value: object, length: int = _N_SHOWN) -> str:
    """Return the text of a value, such as an error of another library, shortened to one line."""
    return shorten(" ".join(str(value).split()), length)


class ArgumentError(ArgumentMessage, ValueError):
    """An argument makes no sense; the error knows which.

    The text is a template in which arguments are placeholders, so that a caller that has other
    names for them, such as the command line, can render it with those.

    Parameters
    ----------
    template : str
        The text, with placeholders: ``{name}`` for the name of an argument, ``{name=}`` for an
        argument and its value, ``{name=text}`` for an argument and a value to give instead, and
        ``{}`` for the next of `texts`.
    *texts : object
        What stands for each ``{}``.
    **given : object
        Values of the arguments that the template has as ``{name=}``. A long one is shortened.

    Attributes
    ----------
    arguments : tuple of str
        The arguments that the text speaks of, in its order, each once. It is about the first.

    See Also
    --------
    skfer.datasets.DatasetError : What is wrong with the files of a data set.
    skfer.ModelFileError : What is wrong with a file of a model.

    Examples
    --------
    >>> from skfer.exceptions import ArgumentError
    >>> error = ArgumentError(
    ...     "{align=} needs landmarks, and {} has none: give {align=False}.", "the copy", align=True
    ... )
    >>> print(error)
    align=True needs landmarks, and the copy has none: give align=False.
    >>> error.arguments
    ('align',)
    >>> error.render({"align": "--align", "align=True": "--align", "align=False": "--no-align"})
    '--align needs landmarks, and the copy has none: give --no-align.'
    """


class EmbeddingCollapseWarning(ConvergenceWarning):
    """The embedding carries no information: all images lie (nearly) in one place.

    Given at the end of ``fit`` when the embeddings coincide or when the loss never left the
    value that coinciding embeddings have.

    See Also
    --------
    sklearn.exceptions.ConvergenceWarning : The warning that it is a kind of.
    skfer.inspection.TrainingDisplay : Shows what a collapse looks like.

    Examples
    --------
    >>> import warnings
    >>> from skfer import EmbeddingCollapseWarning
    >>> with warnings.catch_warnings():  # in scripts that run unattended
    ...     warnings.simplefilter("error", EmbeddingCollapseWarning)
    """


class InconsistentVersionWarning(UserWarning):
    """A pickled embedder comes from another version of skfer.

    See Also
    --------
    skfer.save : Files that outlive versions better than pickles.

    Examples
    --------
    >>> import warnings
    >>> from skfer import InconsistentVersionWarning
    >>> with warnings.catch_warnings():  # refuse what another version has pickled
    ...     warnings.simplefilter("error", InconsistentVersionWarning)
    """


class ModelFileError(ValueError):
    """A file that holds no model of skfer, is damaged, or needs what is not trusted.

    See Also
    --------
    skfer.load : Raises it.
    skfer.persistence.read_card : What a file says of itself.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import skfer
    >>> path = Path(tempfile.mkdtemp()) / "notes.skfer"
    >>> _ = path.write_text("no model")
    >>> try:
    ...     skfer.load(path)
    ... except skfer.ModelFileError:
    ...     print("refused")
    refused
    """


def install_hint(extra: str, package: str) -> str:
    """Return the command that brings an extra, to where skfer was installed from.

    Parameters
    ----------
    extra : str
        Of skfer.
    package : str
        What it stands for, where skfer is not installed but only found on the path.

    Returns
    -------
    str
        A call of pip.
    """
    try:
        origin = json.loads(distribution("skfer").read_text("direct_url.json") or "{}")
    except (PackageNotFoundError, ValueError):
        return f"pip install {package}"
    url, system = origin.get("url", ""), origin.get("vcs_info", {}).get("vcs")
    if system is not None:
        return f"pip install 'skfer[{extra}] @ {system}+{url}'"
    if not url:
        return f"pip install 'skfer[{extra}]'"
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}'{url.removeprefix('file://')}[{extra}]'"


def warn_caller(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn about the line that called skfer, be it directly or through scikit-learn.

    Parameters
    ----------
    message : str or Warning
        The text of the warning, or the warning itself.
    category : type, default=UserWarning
        The class of a text.
    """
    frame, level = sys._getframe(1), 2
    passed = ("skfer.", "sklearn.", "joblib.")
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(passed):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _unlock() -> None:
    """Make the lock anew in a forked process: the thread that held it is not there."""
    global _one_at_a_time
    _one_at_a_time = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


@contextlib.contextmanager
def ignored(category: type[Warning]) -> Iterator[None]:
    """Ignore warnings of a category, in one thread of the process at a time.

    Of two threads that overlap in ``warnings.catch_warnings`` the one that leaves last brings back
    the filters of the other, which then ignore warnings for good.

    Parameters
    ----------
    category : type
        The class of the warnings.
    """
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield
