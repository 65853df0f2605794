"""Warnings recorded for each thread on its own, since fits may run side by side in threads."""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Any


class _OfThisThread(threading.local):
    """Where the warnings of a thread go, if they are recorded."""

    texts: list[str] | None = None
    is_passing_on = False


class _Unused(Warning):
    """A category that nobody warns by."""


_of_this_thread = _OfThisThread()
_lock = threading.Lock()
_recording = 0  # threads
_former: Any = None
_ORIGINAL = warnings.showwarning


@contextlib.contextmanager
def recorded_warnings() -> Iterator[list[str]]:
    """Record the texts of what this thread warns of, and leave those of other threads alone.

    Not by ``warnings.catch_warnings(record=True)``: of two that overlap, the one that ends last
    leaves the other's list in place, which then swallows all warnings of the process.
    """
    texts: list[str] = []
    around, _of_this_thread.texts = _of_this_thread.texts, texts
    _begin()
    try:
        yield texts
    finally:
        _end()
        _of_this_thread.texts = around


def _begin() -> None:
    global _recording, _former
    with _lock:
        _recording += 1
        if warnings.showwarning is not _show:
            _former, warnings.showwarning = warnings.showwarning, _show
        _show_again()


def _end() -> None:
    global _recording
    with _lock:
        _recording -= 1
        if not _recording and warnings.showwarning is _show:
            warnings.showwarning = _former


def _show(message: Any, *args: Any, **kwargs: Any) -> None:
    """Record a warning of a thread that records them; show that of another as before."""
    if _of_this_thread.texts is None:
        _pass_on(message, *args, **kwargs)
        return
    _of_this_thread.texts.append(str(message))
    _show_again()


def _pass_on(message: Any, *args: Any, **kwargs: Any) -> None:
    """Show a warning as before; what was put around it meanwhile may lead back here."""
    show = _ORIGINAL if _of_this_thread.is_passing_on else _former
    before, _of_this_thread.is_passing_on = _of_this_thread.is_passing_on, True
    try:
        show(message, *args, **kwargs)
    finally:
        _of_this_thread.is_passing_on = before


def _show_again() -> None:
    """Have Python forget which warnings it has shown: each thread shall hear of them.

    Any change of the filters does this, and there is no other way.
    """
    warnings.simplefilter("ignore", _Unused, append=True)
    with contextlib.suppress(ValueError):  # another thread has restored filters of before
        warnings.filters.remove(("ignore", None, _Unused, None, 0))  # type: ignore[attr-defined]
