"""What is wrong with a data set: collected first, then told at once or skipped."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

N_SHOWN = 5
ON_ERROR = ("raise", "skip")


class Problem(NamedTuple):
    """One thing that is wrong: a file or a line of a table, and what ails it."""

    where: str
    what: str


class DatasetError(ValueError):
    """The files of a data set are not what they should be.

    The message shows the first few offenders and their total; `problems` has them all.

    Parameters
    ----------
    message : str
        What is wrong and what to do.
    problems : sequence of (where, what) pairs, default=()
        Every offender.

    Attributes
    ----------
    problems : list of (where, what) pairs
        Every offender.

    Examples
    --------
    >>> from skfer.datasets import DatasetError
    >>> DatasetError("1 of 2 files is unusable", [("a.jpg", "an empty file")]).problems
    [('a.jpg', 'an empty file')]
    """

    def __init__(self, message: str, problems: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.problems = list(problems)


class DatasetWarning(UserWarning):
    """Files of a data set were left out because `on_error="skip"` asked for it.

    Examples
    --------
    >>> from skfer.datasets import DatasetWarning
    >>> issubclass(DatasetWarning, UserWarning)
    True
    """


def describe(problems: Sequence[Problem], total: int, unit: str) -> str:
    """Return a few lines: how many of how many, and the first few."""
    lines = [f"{len(problems)} of {total} {unit} cannot be used:"]
    lines += [f"  {problem.where}: {problem.what}" for problem in problems[:N_SHOWN]]
    if len(problems) > N_SHOWN:
        lines.append(f"  ... and {len(problems) - N_SHOWN} more")
    return "\n".join(lines)


def handle(problems: Sequence[Problem], total: int, unit: str, on_error: str) -> None:
    """Raise `DatasetError` or warn, as `on_error` says; do nothing without problems."""
    if not problems:
        return
    text = describe(problems, total, unit)
    if on_error == "raise":
        hint = "Mend or remove them, or give on_error='skip' to leave them out."
        raise DatasetError(f"{text}\n{hint}", problems)
    warnings.warn(f"{text}\nThey are left out.", DatasetWarning, stacklevel=3)


def drop_repeats(
    names: Sequence[str], labels: Sequence[object], places: Sequence[str]
) -> tuple[list[int], list[Problem]]:
    """Return which rows to keep when some name the same file, and what is wrong with the others.

    The first row stays if all agree about the label; else none does, since nobody knows which is
    right.
    """
    first: dict[str, int] = {}
    torn: set[str] = set()
    problems: list[Problem] = []
    for i, name in enumerate(names):
        j = first.setdefault(name, i)
        if j == i:
            continue
        what = f"{name!r} again, as in {places[j]}"
        if labels[i] != labels[j]:
            torn.add(name)
            what += f", but with the label {labels[i]!r} and not {labels[j]!r}"
        problems.append(Problem(places[i], what))
    for name in sorted(torn):
        problems.append(Problem(places[first[name]], f"{name!r} has another label further down"))
    return [i for name, i in first.items() if name not in torn], problems


def check_on_error(on_error: str) -> None:
    """Raise ValueError for an `on_error` that is neither "raise" nor "skip"."""
    if on_error not in ON_ERROR:
        raise ValueError(f"on_error={on_error!r} is not known: give 'raise' or 'skip'.")
