"""Whether a device may be asked for numbers, for which it would have to be waited."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Thread(threading.local):
    may_ask = True


_THREAD = _Thread()


def may_ask() -> bool:
    """Whether this thread may."""
    return _THREAD.may_ask


@contextmanager
def without_asking() -> Iterator[None]:
    """Have this thread ask for nothing inside a block.

    Losses then take it for granted that labels are classes and that embeddings, and centers that
    are learned, are of ordinary magnitude, and do what suits all numbers. What cannot do without
    raises a ``RuntimeError``.
    """
    before = _THREAD.may_ask
    _THREAD.may_ask = False
    try:
        yield
    finally:
        _THREAD.may_ask = before
