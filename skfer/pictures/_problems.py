"""What is wrong with a data set: collected first, then told at once or skipped."""

from collections.abc import Sequence
from typing import NamedTuple

from skfer.exceptions import ArgumentError, ArgumentMessage, shorten, warn_caller
from skfer.validation import check_choice

N_SHOWN = 5
ON_ERROR = ("raise", "skip")


class Problem(NamedTuple):
    """One thing that is wrong: a file or a line of a table, and what ails it."""

    where: str
    what: str


class _InPart(Problem):
    """A problem of which it is known in what official part it is."""

    part: str


def in_part(problem: Problem, part: str) -> Problem:
    """Return the problem with a note of its official part, "" for an unknown one."""
    noted = _InPart(*problem)
    noted.part = part
    return noted


def part_of(problem: Problem) -> str:
    """Return the official part of a problem, "" if it is not known."""
    return getattr(problem, "part", "")


class DatasetError(ArgumentError):
    """The files of a data set are not what they should be.

    The message shows the first few offenders and their total, and what to do; `problems` has all
    offenders.

    Parameters
    ----------
    template : str
        What is wrong (and what to do, where that depends on nothing), with the placeholders of
        :class:`skfer.exceptions.ArgumentError`.
    *texts : object
        What stands for each ``{}`` of the template.
    problems : sequence of (where, what) pairs, default=()
        Every offender.
    hint : str, default=""
        What to do in the caller's words, such as which argument to give: a template too.
        ``str(error)`` shows it after the message.
    **given : object
        Values of the arguments that the template has as ``{name=}``.

    Attributes
    ----------
    problems : list of (where, what) pairs
        Every offender.
    hint : str
        As given. Code that has no such arguments sets it to words of its own.

    See Also
    --------
    DatasetWarning : What can be left out is told by a warning.
    check_dataset : Tells all that is wrong with a copy at once.

    Examples
    --------
    >>> from skfer.datasets import DatasetError
    >>> error = DatasetError("1 of 2 files is unusable", problems=[("a.jpg", "an empty file")])
    >>> error.problems
    [('a.jpg', 'an empty file')]
    """

    def __init__(
        self,
        template: str,
        *texts: object,
        problems: Sequence[tuple[str, str]] = (),
        hint: str = "",
        **given: object,
    ) -> None:
        super().__init__(template, *texts, **given)
        self.problems = list(problems)
        self.hint = hint

    @property
    def template(self) -> str:
        """The text with its placeholders, and the hint after it."""
        return f"{super().template}\n{self.hint}" if self.hint else super().template


class DatasetWarning(ArgumentMessage, UserWarning):
    """Something about a data set that its user should know, such as files that were left out.

    Parameters
    ----------
    template : str
        The text, with the placeholders of :class:`skfer.exceptions.ArgumentError`.
    *texts : object
        What stands for each ``{}`` of the template.
    problems : sequence of (where, what) pairs, default=()
        All that was left out.
    **given : object
        Values of the arguments that the template has as ``{name=}``.

    Attributes
    ----------
    problems : list of (where, what) pairs
        All that was left out, of which the text shows the first few. Empty where the warning is of
        something else.

    See Also
    --------
    DatasetError : What cannot be left out.

    Examples
    --------
    >>> from skfer.datasets import DatasetWarning
    >>> issubclass(DatasetWarning, UserWarning)
    True
    """

    def __init__(
        self,
        template: str,
        *texts: object,
        problems: Sequence[tuple[str, str]] = (),
        **given: object,
    ) -> None:
        super().__init__(template, *texts, **given)
        self.problems = list(problems)


def describe(problems: Sequence[Problem], total: int, unit: str) -> str:
    """Return a few lines: how many of how many, and the first few."""
    lines = [f"{len(problems)} of {total} {unit} cannot be used:"]
    lines += [f"  {shorten(where)}: {shorten(what)}" for where, what in problems[:N_SHOWN]]
    if len(problems) > N_SHOWN:
        lines.append(f"  ... and {len(problems) - N_SHOWN} more")
    return "\n".join(lines)


def handle(problems: Sequence[Problem], total: int, unit: str, on_error: str) -> None:
    """Raise `DatasetError` or warn, as `on_error` says; do nothing without problems."""
    if not problems:
        return
    text = describe(problems, total, unit)
    if on_error == "raise":
        hint = "Mend or remove them, or give {on_error='skip'} to leave them out."
        raise DatasetError("{}", text, problems=problems, hint=hint)
    warn_caller(DatasetWarning("{}\nThey are left out.", text, problems=problems))


def check_on_error(on_error: str) -> None:
    """Raise ValueError for an `on_error` that is neither "raise" nor "skip"."""
    check_choice(on_error, "on_error", ON_ERROR)
